"""Arrays from one library to another: once per change, on the device where they are if both libraries can.

What goes to a function is its own to change. What comes back as numpy is a copy, since a library may keep
the memory it gave.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.array_types import ARRAY_API, LIBRARIES, NUMPY
from openhcs.core.steps import DTYPES
from openhcs.plan.array_types import torch_dtype
from openhcs.run.devices import is_out_of_memory

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_HOMES = {
    "numpy": NUMPY,
    "torch": "torch",
    "cupy": "cupy",
    "jax": "jax",
    "jaxlib": "jax",
    "tensorflow": "tensorflow",
    "pyclesperanto": "pyclesperanto",
}
"""Top module of an array's class → its kind."""
BY_DLPACK = ("torch", "cupy", "jax")
"""Kinds that take one another's memory without a trip through numpy."""
NARROW = ("int64", "uint64", "float64", "complex128")


class CannotConvertError(ValueError):
    """An array that a library cannot hold as it is; the text says why."""


def kind_of(array: object) -> str | None:
    """Return the kind of an array, "array_api" for one of another library of the array API, None for no array."""
    for one in type(array).__mro__:
        found = _HOMES.get(one.__module__.partition(".")[0])
        if found is not None:
            return found if hasattr(array, "shape") else None
    return ARRAY_API if hasattr(array, "__array_namespace__") and hasattr(array, "__dlpack__") else None


def converted(array: Any, kind: str, device: Any = None, *, numbers: bool = False) -> Any:
    """Return an array as a library of ``kind`` holds it; of that kind already, the very array.

    Parameters
    ----------
    array
        of any kind; the caller gives it away, so its memory may be used as it is.
    device
        where it is to be, as the library names devices; None: the library's default.
    numbers
        it holds names of objects, which stay whole numbers.

    Raises
    ------
    CannotConvertError
        the library would change its values.
    """
    known = kind_of(array)
    if kind == ARRAY_API and known == NUMPY and not array.dtype.isnative:
        return _plain(array)
    if kind == known or (kind == ARRAY_API and known is not None):
        return array
    try:
        return _made(array, known, kind, device, numbers=numbers)
    except (BufferError, TypeError, NotImplementedError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise CannotConvertError(
            f"an array of {known or type(array).__name__} cannot become {kind}: {error}"
        ) from error


def _made(array: Any, known: str | None, kind: str, device: Any, *, numbers: bool) -> Any:
    if kind == NUMPY:
        return to_numpy(array)
    if known in BY_DLPACK and kind in BY_DLPACK:
        _check_width(kind, dtype_name(array))
        return _across(array.detach() if known == "torch" else array, kind, numbers=numbers)
    plain = _plain(array if isinstance(array, np.ndarray) else to_numpy(array))
    return _to_torch(plain, device, numbers=numbers) if kind == "torch" else _FROM_NUMPY[kind](plain, device)


def _across(array: Any, kind: str, *, numbers: bool) -> Any:
    """Return an array in another library, in memory of its own: the first may count on what it gave to stay."""
    if kind == "jax":
        jnp = importlib.import_module("jax.numpy")
        return jnp.array(jnp.from_dlpack(array), copy=True)
    if kind == "cupy":
        return importlib.import_module("cupy").from_dlpack(array).copy()
    torch = importlib.import_module("torch")
    wanted = torch_dtype(dtype_name(array), numbers=numbers)
    if wanted is None:
        raise CannotConvertError("torch cannot compute in uint64; convert it before")
    return torch.from_dlpack(array).to(getattr(torch, wanted), copy=True)


def own(array: Any) -> Any:
    """Return an array in memory that nobody else writes to, as its library copies; those that cannot change as is."""
    kind = kind_of(array)
    if kind == "torch":
        return array.clone()
    return array.copy() if kind in {NUMPY, "cupy"} else array


def version_of(array: Any) -> object:
    """Return what changes when an array is written to: torch counts, jax and tensorflow arrays never change."""
    kind = kind_of(array)
    if kind == "torch":
        return array._version
    return 0 if kind in {"jax", "tensorflow"} else None


def to_numpy(array: Any) -> Array:
    """Return an array as numpy, with memory of its own unless it is numpy already."""
    kind = kind_of(array)
    if kind == NUMPY:
        plain: Array = np.asarray(array)
        return plain
    if kind == "torch":
        tensor = array.detach().cpu()
        array = tensor.resolve_conj().resolve_neg().numpy()
    elif kind == "cupy":
        array = array.get()
    elif kind == "tensorflow":
        array = array.numpy()
    elif kind == "pyclesperanto":
        array = importlib.import_module("pyclesperanto").pull(array)
    elif kind == ARRAY_API:
        array = np.from_dlpack(array)
    copy: Array = np.array(array)
    return copy


def dtype_name(array: Any) -> str:
    """Return the numpy name of an array's dtype."""
    name = str(getattr(array.dtype, "name", array.dtype))
    return name.rpartition(".")[2]


def bytes_of(array: Any) -> int:
    """Return the bytes of an array's values."""
    name = dtype_name(array)
    size = np.dtype(name).itemsize if name in DTYPES else 8
    return int(math.prod(tuple(array.shape))) * size


def shape_problem(array: Any) -> str | None:
    """Return what is wrong with an image of another library than numpy, or None."""
    if dtype_name(array) not in DTYPES:
        return f"an array of {array.dtype}; what can be kept: {', '.join(DTYPES)}"
    if len(array.shape) not in (2, 3) or 0 in tuple(array.shape):
        return f"an array of shape {tuple(array.shape)}; a step returns (n, y, x) or (y, x)"
    return None


def _plain(array: Array) -> Array:
    """Return a numpy array in the machine's byte order, contiguous and writeable, as other libraries want it."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    plain = array.flags.c_contiguous and array.flags.writeable and min(array.strides, default=0) >= 0
    return array if plain else array.copy(order="C")


def _check_width(kind: str, dtype: str) -> None:
    if kind == "jax" and dtype in NARROW and not importlib.import_module("jax").config.jax_enable_x64:
        raise CannotConvertError(
            f"jax makes {dtype} narrower without a word; convert it before (float32, int32), or set JAX_ENABLE_X64=1"
        )


def _to_torch(array: Array, device: Any, *, numbers: bool = False) -> Any:
    import torch

    wanted = torch_dtype(array.dtype.name, numbers=numbers)
    if wanted is None:
        raise CannotConvertError("torch cannot compute in uint64; convert it before")
    if wanted != array.dtype.name:
        array = array.astype(wanted)
    tensor = torch.from_numpy(array)
    return tensor if device is None else tensor.to(device)


def _to_jax(array: Array, device: Any) -> Any:
    import jax

    _check_width("jax", array.dtype.name)
    return jax.device_put(array.copy(), device)


def _to_cupy(array: Array, device: Any) -> Any:
    cupy = importlib.import_module("cupy")
    with cupy.cuda.Device(device or 0):
        return cupy.asarray(array)


def _to_tensorflow(array: Array, device: Any) -> Any:
    tensorflow = importlib.import_module("tensorflow")
    with tensorflow.device(device):
        return tensorflow.convert_to_tensor(array)


def _to_pyclesperanto(array: Array, device: Any) -> Any:
    return importlib.import_module("pyclesperanto").push(array, device=device)


_FROM_NUMPY = {
    "jax": _to_jax,
    "cupy": _to_cupy,
    "tensorflow": _to_tensorflow,
    "pyclesperanto": _to_pyclesperanto,
}
assert _FROM_NUMPY.keys() | {NUMPY, ARRAY_API, "torch"} == LIBRARIES.keys()
