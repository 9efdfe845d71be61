"""Units of length and time by the names that OME-Zarr wants (those of UDUNITS)."""

from __future__ import annotations

from openhcs.errors import InvalidValue, suggest

_SPACE = (
    "angstrom attometer centimeter decimeter exameter femtometer foot gigameter hectometer inch kilometer megameter "
    "meter micrometer mile millimeter nanometer parsec petameter picometer terameter yard yoctometer yottameter "
    "zeptometer zettameter"
)
_TIME = (
    "attosecond centisecond day decisecond exasecond femtosecond gigasecond hectosecond hour kilosecond megasecond "
    "microsecond millisecond minute nanosecond petasecond picosecond second terasecond yoctosecond yottasecond "
    "zeptosecond zettasecond"
)
_SPELLINGS = {
    "µm": "micrometer", "μm": "micrometer", "um": "micrometer", "micron": "micrometer", "microns": "micrometer",
    "nm": "nanometer", "mm": "millimeter", "cm": "centimeter", "m": "meter", "pm": "picometer", "å": "angstrom",
    "s": "second", "sec": "second", "seconds": "second", "ms": "millisecond", "min": "minute", "h": "hour",
    "µs": "microsecond", "μs": "microsecond", "us": "microsecond", "ns": "nanosecond", "d": "day",
}  # fmt: skip


def canonical(unit: str, kind: str) -> str:
    """Return the UDUNITS name of a unit.

    Parameters
    ----------
    unit
        as found: ``µm``, ``um``, ``micron``, ``micrometre``, ``micrometer`` …
    kind
        "space" or "time".

    Raises
    ------
    InvalidValue
        no unit of that kind is called so.

    Examples
    --------
    >>> canonical("µm", "space")
    'micrometer'
    """
    known = (_SPACE if kind == "space" else _TIME).split()
    plain = unit.strip().lower()
    plain = _SPELLINGS.get(plain, plain)
    for spelling in (plain, plain.removesuffix("s"), plain.replace("metre", "meter").removesuffix("s")):
        if spelling in known:
            return spelling
    raise InvalidValue(f"{unit!r} is no unit of {kind}; {suggest(plain, known)}")


def in_micrometers(size: float, unit: str) -> float | None:
    """Return a length in µm, or None where the unit is not of the metric kind.

    >>> in_micrometers(325, "nanometer")
    0.325
    """
    factors = {"micrometer": 1, "nanometer": 1e-3, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}
    try:
        name = canonical(unit, "space")
    except InvalidValue:
        return None
    factors |= {"angstrom": 1e-4, "picometer": 1e-6}
    return size * factors[name] if name in factors else None
