"""Values and paths that every backend is tried with."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
ILLEGAL = ("a\0b", "a\nb", "a/\u202eb", "n" * 256, "a/aux", "a\\b")
LEAVING = ("../a", "a/../../b", "/etc/hosts", "C:/a", "..")
IMAGE = np.arange(4 * 6 * 5, dtype="uint16").reshape(4, 6, 5)


def sample(dtype: str, shape: tuple[int, ...] = (3, 4, 5)) -> Array:
    """Return an array of a dtype with values over its range."""
    noise = np.random.default_rng(11).normal(0, 60, shape)
    return np.asarray(np.abs(noise) if np.dtype(dtype).kind == "u" else noise).astype(dtype)


SHAPES: dict[str, Array] = {
    "one number": np.array(7, "int32"),
    "nothing": np.zeros((0, 3), "uint8"),
    "one axis": np.arange(5, dtype="int64"),
    "five axes": sample("uint16", (2, 1, 3, 4, 5)),
    "columns first": np.asfortranarray(sample("float32")),
    "backwards": sample("uint16")[::-1, :, ::-2],
    "repeated": np.broadcast_to(np.arange(5, dtype="uint8"), (4, 5)),
    "most significant byte first": sample("uint16").astype(">u2"),
    "odd floats": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
}


class Stands:
    """Stands for an array by ``__array__`` alone."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        del dtype, copy
        return IMAGE.copy()


class Breaks:
    """Should stand for an array and fails."""

    shape, dtype = IMAGE.shape, IMAGE.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise RuntimeError("the device is gone")


class Exports:
    """Stands for an array by DLPack alone."""

    def __dlpack__(self, **asked: Any) -> Any:
        return IMAGE.copy().__dlpack__(**asked)

    def __dlpack_device__(self) -> tuple[int, int]:
        return IMAGE.__dlpack_device__()
