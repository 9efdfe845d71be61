"""Display windows from histograms.

A histogram counts pixels by code: the value as a 32-bit float with the 6 highest bits of its
fraction kept, so whole numbers below 128 have a bin each and wider bins span 1/64 of their value.
Code c < 0 is the mirror image of code -1 - c. The bins are the same for every image, so histograms
add up exactly. As JSON: ``{"codes": [first, step, step, …], "counts": […]}``, codes ascending and
written as steps.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FRACTION_BITS_DROPPED = 17
LOW, HIGH = 0.001, 0.999
"""Part of the pixels below the start, and below the end, of a window."""
INTEGER_RANGES = {
    "bool": (0, 1), "uint8": (0, 255), "uint16": (0, 65535), "uint32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1),
    "int8": (-128, 127), "int16": (-(2**15), 2**15 - 1), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1),
}  # fmt: skip
LARGEST = 3.4028234663852886e38
WIDEST = 65535
"""Ranges wider than 16 bits are narrowed to what the pixels need: no slider is useful over 2³²."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Display window of a channel: slider from ``min`` to ``max``, shown from ``start`` to ``end``."""

    min: float
    max: float
    start: float
    end: float


def merge(histograms: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the histogram of all pixels together."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for code, count in zip(accumulate(histogram["codes"]), histogram["counts"], strict=True):
            total[code] = total.get(code, 0) + count
    return pack(total)


def pack(counts: Mapping[int, int]) -> dict[str, Any]:
    """Return the JSON form of counts by code."""
    codes = sorted(code for code, count in counts.items() if count)
    steps = [code - before for code, before in zip(codes, [0, *codes], strict=False)]
    return {"codes": steps, "counts": [int(counts[code]) for code in codes]}


def percentile(histogram: Mapping[str, Any], part: float) -> tuple[float, float] | None:
    """Return the bin, (low, high), that holds the pixel with ``part`` of all below it; None if empty."""
    counts = list(accumulate(histogram["counts"]))
    if not counts:
        return None
    rank = min(int(part * counts[-1]), counts[-1] - 1)
    place = next(place for place, count in enumerate(counts) if count > rank)
    code = list(accumulate(histogram["codes"]))[place]
    return (bin_edge(code), bin_edge(code + 1)) if code >= 0 else (_below(code), _below(code + 1))


def bin_edge(code: int) -> float:
    """Return the smallest value of a bin of values from 0 up."""
    return min(float(struct.unpack("<f", struct.pack("<I", code << FRACTION_BITS_DROPPED))[0]), LARGEST)


def _below(code: int) -> float:
    # Code -1 is the mirror image of 0, so that no bin holds both signs.
    return -bin_edge(-code) if code < 0 else 0.0


def window(histogram: Mapping[str, Any] | None, dtype: str) -> Window:
    """Return the display window for pixels of ``dtype``; without a histogram the whole range.

    ``start`` and ``end`` leave out one pixel in a thousand at each side, within one bin.
    """
    found = histogram and (percentile(histogram, LOW), percentile(histogram, HIGH))
    if not found or found[0] is None or found[1] is None:
        low, high = INTEGER_RANGES.get(dtype, (0, 1))
        high = min(high, WIDEST)
        return Window(min=max(low, -WIDEST), max=high, start=max(low, -WIDEST), end=high)
    start, end = found[0][0], found[1][1]
    if dtype in INTEGER_RANGES:
        return _integer_window(start, end, dtype)
    end = end if end > start else start + 1
    return Window(min=min(start, 0.0), max=end, start=start, end=end)


def _integer_window(low_edge: float, high_edge: float, dtype: str) -> Window:
    low, high = INTEGER_RANGES[dtype]
    # Bins of negative values hold their upper edge, the others their lower one.
    first = math.floor(low_edge) + 1 if low_edge < 0 else math.ceil(low_edge)
    start = max(low, min(first, high))
    last = math.floor(high_edge) if high_edge <= 0 else math.ceil(high_edge) - 1
    end = max(low, min(last, high))
    if end <= start:
        start, end = (start, start + 1) if start < high else (high - 1, high)
    if high - low > WIDEST:
        low, high = min(0, start), max(WIDEST, end)
    return Window(min=low, max=high, start=start, end=end)
