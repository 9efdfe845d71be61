"""What each file of a ledger must look like: a seal says who wrote the bytes did so whole, not that they are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = {"format": int, "plan": str, "weaker": [str]}
PLAN = {"plan": str, "tasks": [{"well": str}]}
FACTS = {"plate": {"vendor_files": [{"path": str, "digest": str}]}, "targets": [dict]}
DOCUMENTS = {"documents": {str: str}}
UNITS = {"units": [str]}
FAILURE = {"step": str, "message": str, "traceback": str}
RECORD = {
    "task": str,
    "generation": int,
    "units": [str],
    "objects": [{"path": str, "bytes": int, "digest": str}],
    "documents": [str],
    "staging": str,
}
RUN_RECORD = {
    "plan": str,
    "inputs": str,
    "images": [{"target": int, "path": str, "well": str, "acquisition": int, "site": int}],
    "histograms": [{str: {"codes": [int], "counts": [int]}}],
}
"""What a record of a run also holds, if anything of it is there."""


def checked_shape(content: Mapping[str, Any], shape: Mapping[str, Any], path: object) -> None:
    """Refuse content that is not of a shape.

    A shape is a type, a list of one shape for all items, a dict of one shape for all values under
    ``str``, or a dict of shapes for keys that must be there.

    Raises
    ------
    FormatError
        names the key.

    Examples
    --------
    >>> checked_shape({"units": ["A/01"], "more": 1}, UNITS, "units.json")
    >>> checked_shape({"units": "A/01"}, UNITS, "units.json")
    Traceback (most recent call last):
    openhcs.errors.FormatError: units.json is not as openhcs writes it: look at units
    """
    wrong = _misfit(content, shape, "")
    if wrong is not None:
        raise FormatError(f"{path} is not as openhcs writes it: look at {wrong or 'its beginning'}", path=path)


def _misfit(value: Any, shape: Any, at: str) -> str | None:
    """Return where a value does not fit its shape; None if it fits."""
    if isinstance(shape, type):
        return None if isinstance(value, shape) and not (shape is int and isinstance(value, bool)) else at
    if not isinstance(value, type(shape)):
        return at
    plain = shape[0] if isinstance(shape, list) else shape.get(str)
    if isinstance(plain, type) and {plain}.issuperset(map(type, value if isinstance(shape, list) else value.values())):
        return None
    if isinstance(shape, list):
        found = (_misfit(one, shape[0], f"{at}[{number}]") for number, one in enumerate(value))
    elif str in shape:
        found = (_misfit(one, shape[str], _join(at, key)) for key, one in value.items())
    else:
        found = (_misfit(value.get(key), one, _join(at, key)) for key, one in shape.items())
    return next((one for one in found if one is not None), None)


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
