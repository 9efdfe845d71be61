"""Units of the OME schema (2015-01 and later) as its documents spell them: symbols in which case matters."""

from __future__ import annotations

import math

_POWERS = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "": 0, "d": -1, "c": -2,
    "m": -3, "µ": -6, "μ": -6, "u": -6, "Âµ": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
"""Powers of ten by SI prefix; µ has two code points, a spelling without it, and one of a wrong decoding."""
_INCH = 25_400.0
MICROMETRES = {
    **{f"{prefix}m": 10.0 ** (power + 6) for prefix, power in _POWERS.items()},
    "Å": 1e-4, "thou": _INCH / 1000, "li": _INCH / 12, "in": _INCH, "ft": 12 * _INCH, "yd": 36 * _INCH,
    "mi": 63_360 * _INCH, "pt": _INCH / 72, "micron": 1.0, "microns": 1.0,
}  # fmt: skip
"""µm in one of each unit of length; those of astronomy, pixels and the reference frame are none."""
SECONDS = {
    **{f"{prefix}s": 10.0**power for prefix, power in _POWERS.items()},
    "min": 60.0, "h": 3600.0, "d": 86_400.0,
}  # fmt: skip
"""Seconds in one of each unit of time."""


def converted(value: float, unit: str, factors: dict[str, float], *, to: str) -> float | None:
    """Return a value in the unit ``to``, or None where its own unit is none of the ``factors``.

    >>> converted(325, "nm", MICROMETRES, to="µm")
    0.325
    """
    factor = factors.get(unit.strip())
    if factor is None:
        return None
    ratio = factor / factors[to]
    # A whole ratio is multiplied, its inverse divided by: 325 nm are 0.325 µm to the last bit.
    exact = value * ratio if ratio >= 1 else value / round(1 / ratio, 9)
    return exact if math.isfinite(exact) else None
