"""An array in one backend, shown to another that reads it part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from openhcs.io.backend import ArrayHandle

    Array = np.ndarray[Any, np.dtype[Any]]


class Blocks:
    """An opened array with the shape, dtype and parts of one in memory.

    A part is read when it is asked for and kept nowhere; whoever takes the whole gets all of it.
    """

    def __init__(self, handle: ArrayHandle) -> None:
        self._handle = handle
        self.shape = handle.spec.shape
        self.dtype = np.dtype(handle.spec.dtype)

    def __getitem__(self, region: tuple[Any, ...]) -> Array:
        return self._handle.read(region)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        del copy  # what is read is always new
        whole = self._handle.read()
        return whole if dtype is None else whole.astype(dtype, copy=False)
