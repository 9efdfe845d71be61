"""Objects out of images, as labels beside them: 0 is background, 1, 2, … one number per object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openhcs.core.special import special_outputs
from openhcs.errors import InvalidValue
from openhcs.steps.planes import each_plane, library

if TYPE_CHECKING:
    from openhcs.steps.planes import Array


@special_outputs(objects="labels")
def threshold_label(stack: Array, dtype: str = "uint32") -> tuple[Array, Array]:
    """Return the stack as it is, and its labels ``objects``: what is brighter than each plane's Otsu threshold.

    Pixels that touch at an edge or a corner belong together; each plane counts from 1 in the order
    of rows. The threshold is the plane's own (N. Otsu, 1979, "A threshold selection method from
    gray-level histograms", IEEE Trans. SMC 9, 62–66; `skimage.filters.threshold_otsu`).

    Parameters
    ----------
    stack
        (n, y, x), any real dtype.
    dtype
        integer dtype of the labels, the same whatever is found: "uint32", "uint16", …

    Returns
    -------
    stack, objects
        both (n, y, x). Labels of another name are made in a function of your own:
        ``@special_outputs(nuclei="labels")`` above one that returns ``threshold_label(stack)``.

    Raises
    ------
    InvalidValue
        ``dtype`` is no integer, or a plane holds more objects than it can count.
    """
    if np.dtype(dtype).kind not in "iu":
        raise InvalidValue(f"labels are integers such as 'uint32' or 'uint16', not {dtype!r}")
    most = np.iinfo(dtype).max
    otsu = library("skimage.filters").threshold_otsu
    label = library("skimage.measure").label

    def objects(plane: Array) -> Array:
        found, count = label(plane > otsu(plane), connectivity=2, return_num=True)
        if count > most:
            raise InvalidValue(f"a plane holds {count} objects, {dtype} counts to {most}; ask for dtype='uint32'")
        labels: Array = found
        return labels

    return stack, each_plane(stack, objects, dtype)
