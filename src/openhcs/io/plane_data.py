"""What all kinds of image files share: how large a plane may be said to be, and one value per pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError, NotGrey

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

MOST_BYTES = 2**31
"""Of the largest plane, and of the largest file that is read whole."""
ROOM = 4096
DEFLATE_RATIO = 1040
"""Deflate makes at most 1032 bytes of one."""


def check_said(shape: tuple[int, int], item: float, stored: int, ratio: int, path: object) -> None:
    """Refuse a plane that cannot be: of no pixels, too many, or more than its file can hold.

    Parameters
    ----------
    item
        bytes of a pixel.
    stored
        bytes of the file.
    ratio
        the most bytes that one stored byte can become.

    Raises
    ------
    FormatError
        it cannot be.
    """
    size = int(shape[0] * shape[1] * item)
    if min(shape) < 1 or size > MOST_BYTES:
        raise FormatError(f"{path} is damaged: {shape} pixels cannot be", path=path)
    if size > stored * ratio + ROOM:
        raise FormatError(f"{path} is damaged: {stored} bytes are said to hold {shape} pixels", path=path)


def grey(pixels: Array, path: object) -> Array:
    """Return the one value per pixel (y, x) of an image that may be stored as equal colours (y, x, n).

    A fourth or second band is how opaque a pixel is.

    Raises
    ------
    NotGrey
        the colours differ, or pixels are transparent.
    """
    if pixels.ndim == 2:
        return pixels
    bands = pixels.shape[2]
    if bands in {2, 4} and not (pixels[..., -1] == np.iinfo(pixels.dtype).max).all():
        raise NotGrey(f"{path} has transparent pixels; a plane has one value per pixel (y, x)", path=path)
    first = pixels[..., 0]
    if bands >= 3 and not ((first == pixels[..., 1]).all() and (first == pixels[..., 2]).all()):
        raise NotGrey(f"{path} holds colours; a plane has one value per pixel (y, x)", path=path)
    return first


def check_same(shape: tuple[int, ...], dtype: np.dtype[Any], out: Array, path: object) -> None:
    """Refuse an image of another shape or dtype than ``out``."""
    if shape != out.shape or dtype.newbyteorder("=") != out.dtype:
        raise FormatError(f"{path} is {shape} {dtype.name}, the plate's planes are {out.shape} {out.dtype}", path=path)


def check_page(page: int, pages: int, path: object) -> None:
    """Refuse a page that a file does not have."""
    if page >= pages:
        raise FormatError(f"{path} has {pages} pages, page {page} was asked for", path=path)
