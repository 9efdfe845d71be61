"""Objects out of images, as label images: 0 is background, 1, 2, … one number per object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.errors import InvalidValue
from openhcs.steps.planes import each_plane, library

if TYPE_CHECKING:
    from openhcs.steps.planes import Array


def threshold_label(stack: Array, dtype: str = "uint16") -> Array:
    """Return the connected objects of each plane that are brighter than its Otsu threshold.

    Pixels that touch at an edge or a corner belong together; each plane counts from 1 in the order
    of rows. The threshold is the plane's own (N. Otsu, 1979, "A threshold selection method from
    gray-level histograms", IEEE Trans. SMC 9, 62–66; `skimage.filters.threshold_otsu`).

    Parameters
    ----------
    stack
        (n, y, x), any real dtype.
    dtype
        integer dtype of the labels, the same whatever is found: "uint16" or "int32".

    Raises
    ------
    InvalidValue
        ``dtype`` is no integer, or a plane holds more objects than it can count.
    """
    if np.dtype(dtype).kind not in "iu":
        raise InvalidValue(f"labels are integers such as 'uint16' or 'int32', not {dtype!r}")
    most = np.iinfo(dtype).max
    otsu = library("skimage.filters").threshold_otsu
    label = library("skimage.measure").label

    def objects(plane: Array) -> Array:
        found, count = label(plane > otsu(plane), connectivity=2, return_num=True)
        if count > most:
            raise InvalidValue(f"a plane holds {count} objects, {dtype} counts to {most}; ask for dtype='int32'")
        labels: Array = found
        return labels

    return each_plane(stack, objects, dtype)
