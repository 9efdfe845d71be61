"""Special outputs that are no labels: what each kind may be, and the files it becomes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.core.checks import name_problem
from openhcs.core.special import ARRAY, OBJECT, OWN, ROI, TABLE
from openhcs.core.steps import DTYPES
from openhcs.io.formats_table import table_reason
from openhcs.io.formats_text import encode_json, json_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from openhcs.core.special import Materialiser

    Array = np.ndarray[Any, np.dtype[Any]]
    Columns = dict[str, list[Any] | Array]

SUFFIX = {ROI: ".zip", ARRAY: ".npy", OBJECT: ".json"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time that zip entries carry: the same value has the same bytes."""


class NoSuchValueError(ValueError):
    """A value that is not of its kind; the text says what it is and what it should be."""


def plain_kind(value: object) -> str | None:
    """Return the kind of a value where it is plain, else None: an array could be anything.

    >>> plain_kind([{"area": 3}]), plain_kind({"area": [3, 4]}), plain_kind({"mean": 2.5}), plain_kind([])
    ('table', 'table', 'object', None)
    """
    if value is None or isinstance(value, np.ndarray) or (isinstance(value, list) and not value):
        return None
    if _framed(value) or (isinstance(value, (list, dict)) and table_reason(value) is None):
        return TABLE
    return OBJECT if json_reason(value) is None else None


def settled(kind: str, value: object) -> Any:
    """Return a value held to its kind: a table by its columns, an array as numpy, all else as it is.

    Raises
    ------
    NoSuchValueError
        it is not of that kind.
    """
    if kind == TABLE:
        return columns_of(value)
    if kind == ARRAY:
        return _array(value)
    if kind == ROI:
        return polygons_of(value)
    if kind == OBJECT and (why := json_reason(value)) is not None:
        raise NoSuchValueError(f"what JSON cannot keep: {why}")
    return value


def columns_of(value: Any) -> Columns:
    """Return a table by its columns, all of one length: lists or arrays (rows,).

    Taken are a list of dicts (none of them: no column), a dict of columns, a dict of single values (one
    row), and whatever gives itself as an Arrow table, such as a DataFrame.
    """
    if isinstance(value, list) and not value:
        return {}
    if not isinstance(value, (list, dict)) and _framed(value):
        return _from_frame(value)
    if isinstance(value, list):
        value = [{name: _scalar(cell) for name, cell in row.items()} if isinstance(row, dict) else row for row in value]
    elif isinstance(value, dict) and not any(
        isinstance(column, (list, tuple, np.ndarray)) for column in value.values()
    ):
        value = {name: [_scalar(cell)] for name, cell in value.items()}
    elif isinstance(value, dict):
        value = {name: _column(column) for name, column in value.items()}
    if isinstance(value, dict) and value and {len(column) for column in value.values()} == {0}:
        return {name: [] for name in value}
    if (why := table_reason(value)) is not None:
        raise NoSuchValueError(f"no table: {why}")
    if isinstance(value, list):
        return {name: [row[name] for row in value] for name in value[0]}
    return dict(value)


def _framed(value: object) -> bool:
    return hasattr(value, "__arrow_c_stream__") and not isinstance(value, type)


def _from_frame(value: Any) -> Columns:
    import pyarrow as pa

    table = pa.table(value)
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    if len(set(names)) != len(names):
        raise NoSuchValueError(f"no table: two of its columns {names} have one name")
    columns: Columns = {name: table.column(name).to_pylist() for name in names}
    if columns and (why := table_reason(columns)) is not None and table.num_rows:
        raise NoSuchValueError(f"no table: {why}")
    return columns


def _scalar(cell: Any) -> Any:
    return cell.item() if isinstance(cell, np.generic) else cell


def _column(column: Any) -> Any:
    if isinstance(column, (list, tuple)):
        return [_scalar(cell) for cell in column]
    if isinstance(column, np.ndarray) and column.dtype.kind == "O" and column.ndim == 1:
        return [_scalar(cell) for cell in column.tolist()]
    return column


def _array(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise NoSuchValueError(f"an array of {array.dtype}; what can be kept: {', '.join(DTYPES)}")
    return array


def polygons_of(value: Any) -> list[Array]:
    """Return polygons as float32 arrays (points, 2) of y and x in pixels."""
    if not isinstance(value, (list, tuple)):
        raise NoSuchValueError(f"{type(value).__name__}; ROIs are a list of polygons, arrays (points, 2) of y and x")
    found = []
    for number, one in enumerate(value):
        points = np.asarray(one)
        if points.ndim != 2 or points.shape[1] != 2 or points.dtype.kind not in "iuf" or len(points) < 1:
            raise NoSuchValueError(
                f"a polygon of shape {points.shape} and {points.dtype} (number {number}); each is (points, 2), y and x"
            )
        if not np.isfinite(points).all():
            raise NoSuchValueError(f"a polygon with a point that is no number (number {number})")
        found.append(points.astype(np.float32))
    return found


def files_of(kind: str, value: Any, stem: str, materialiser: Materialiser | None = None) -> dict[str, bytes]:
    """Return the files that a value becomes, content by name; tables are kept by `openhcs.run.tables`.

    Raises
    ------
    NoSuchValueError
        a materialiser gave no files, or one that does not begin with ``stem``.
    """
    if kind == OWN and materialiser is not None:
        return _own_files(materialiser(value, stem), stem)
    encode: dict[str, Callable[[Any], bytes]] = {ROI: _zip_of, ARRAY: _npy_of, OBJECT: encode_json}
    return {stem + SUFFIX[kind]: encode[kind](value)}


def _npy_of(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _zip_of(polygons: list[Array]) -> bytes:
    import roifile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, points in enumerate(polygons, start=1):
            name = f"{number:04d}"
            told = roifile.ImagejRoi.frompoints(points[:, ::-1], name=name).tobytes()
            archive.writestr(zipfile.ZipInfo(f"{name}.roi", _EPOCH), told, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _own_files(files: object, stem: str) -> dict[str, bytes]:
    if not isinstance(files, Mapping):
        raise NoSuchValueError(f"{type(files).__name__}; a materialiser returns {{file name: bytes or text}}")
    made: dict[str, bytes] = {}
    for name, content in files.items():
        if not isinstance(name, str) or not name.startswith(stem) or name_problem(name):
            raise NoSuchValueError(f"a file {name!r}; its files are plain names that begin with {stem!r}")
        if not isinstance(content, (bytes, bytearray, memoryview, str)):
            raise NoSuchValueError(f"a {type(content).__name__} for the file {name!r}; files are bytes or text")
        made[name] = content.encode() if isinstance(content, str) else bytes(content)
    return made
