"""CSV and Parquet: tables, as a list of rows (dicts) or a dict of columns (lists or 1-D arrays).

In CSV, text is quoted and all else is bare (``1``, ``1.0``, ``True``, nothing for None), so cells keep
their kind. Which tables are columns, and the dtypes of arrays, stand in a hidden file beside it,
bound to the bytes of the table: a table that was changed by hand is read by its cells alone.
Parquet keeps the same facts in its own metadata.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import FormatError, InvalidValue
from openhcs.io.formats import NAME, Format, check_room, read_text_bytes, reading, types_file
from openhcs.io.formats_text import decode_bytes, text_reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

KEY = b"openhcs"
LIST = "list"
DTYPES = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
)
SCALARS = (bool, int, float, str, type(None))
LONGEST_TEXT = 2**16
LARGEST_TEXTS = 2**27
"""Bytes of the largest column of texts, which take as much room as the longest of them."""
_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n][^,\r\n]*|))(,|\r\n|\n|\r|\Z)')
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,3999})")
_FLOAT = re.compile(r"-?(?:[0-9]+\.[0-9]+(?:e[+-][0-9]+)?|[0-9]+e[+-][0-9]+|inf)|nan")
_WORDS = {"": None, "True": True, "False": False}
_TEXT_DTYPE = re.compile(r"U([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Table:
    """A table by its columns; ``types`` gives the dtype of arrays, and `LIST` for the others."""

    rows: bool
    columns: dict[str, list[Any]]
    types: dict[str, str]

    @property
    def facts(self) -> bytes:
        """What the cells do not tell, as JSON."""
        return json.dumps({"rows": self.rows, "types": self.types}, sort_keys=True).encode()

    def value(self) -> Any:
        """Return the value that was saved."""
        if self.rows:
            names = list(self.columns)
            return [dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]
        return {name: _column(column, self.types.get(name, LIST)) for name, column in self.columns.items()}


def _column(cells: list[Any], kind: str) -> list[Any] | Array:
    if kind == LIST:
        return cells
    text = _TEXT_DTYPE.fullmatch(kind)
    if (kind not in DTYPES and not text) or (text and int(text[1]) > LONGEST_TEXT):
        raise ValueError(f"{kind!r} is no type of a column")
    if text and 4 * int(text[1]) * len(cells) > LARGEST_TEXTS:
        raise ValueError(f"a column of {len(cells)} texts of {text[1]} letters is not read")
    wanted = str if text else {"b": bool, "f": float}.get(np.dtype(kind).kind, int)
    if any(type(cell) is not wanted for cell in cells):
        raise ValueError(f"not all cells are {kind}")
    return np.array(cells, dtype=kind)


def table_reason(value: Any) -> str | None:
    """Return why a value is no table, or None."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = list(value[0])
        if any(row.keys() != value[0].keys() for row in value):
            return "its rows do not all have the same names"
        return _names_reason(names) or _cells_reason(cell for row in value for cell in row.values())
    if not isinstance(value, dict) or not value:
        return f"a table is a list of dicts or a dict of columns, not {_shown(value)}"
    if (why := _names_reason(list(value))) is not None:
        return why
    for name, column in value.items():
        if (why := _column_reason(column)) is not None:
            return f"column {name!r}: {why}"
    sizes = {len(column) for column in value.values()}
    return None if len(sizes) == 1 else f"its columns have {sorted(sizes)} cells"


def _shown(value: Any) -> str:
    return f"an empty {type(value).__name__}" if isinstance(value, (list, dict)) and not value else type(value).__name__


def _names_reason(names: list[Any]) -> str | None:
    if not names:
        return "it has no columns"
    wrong = next((name for name in names if text_reason(name) is not None), None)
    return None if wrong is None else f"the name {wrong!r} is no text"


def _column_reason(column: Any) -> str | None:
    if isinstance(column, list):
        return _cells_reason(column)
    if not isinstance(column, np.ndarray) or isinstance(column, np.ma.MaskedArray) or column.ndim != 1:
        return "it is neither a list nor an array of one axis"
    if column.dtype.kind == "U":
        too_long = column.dtype.itemsize // 4 > LONGEST_TEXT or column.nbytes > LARGEST_TEXTS
        return "its text is too long" if too_long else _cells_reason(column.tolist())
    return None if column.dtype.name in DTYPES else f"a table has no dtype {column.dtype}"


def _cells_reason(cells: Any) -> str | None:
    for cell in cells:
        if type(cell) not in SCALARS:
            return f"{cell!r} is a {type(cell).__name__}; cells are text, numbers, True, False or None"
        if (type(cell) is str and (why := text_reason(cell))) or (
            type(cell) is int and (why := "an integer has too many digits" if cell.bit_length() > 13_000 else None)
        ):
            return why
    return None


def as_table(value: Any) -> Table:
    """Return the table of a value that `table_reason` let pass."""
    if isinstance(value, list):
        return Table(rows=True, columns={name: [row[name] for row in value] for name in value[0]}, types={})
    types = {name: _type_of(column) for name, column in value.items()}
    return Table(rows=False, columns={name: list(_cells(column)) for name, column in value.items()}, types=types)


def _type_of(column: Any) -> str:
    if isinstance(column, list):
        return LIST
    return f"U{max(1, column.dtype.itemsize // 4)}" if column.dtype.kind == "U" else str(column.dtype.name)


def _cells(column: Any) -> list[Any]:
    return column if isinstance(column, list) else list(column.tolist())


def _facts(data: bytes) -> tuple[bool, dict[str, str]]:
    found = json.loads(data)
    rows, types = found["rows"], found["types"]
    if not isinstance(rows, bool) or not all(isinstance(one, str) for one in types.values()):
        raise ValueError("its types are damaged")
    return rows, types


def encode_csv(value: Any) -> bytes:
    """Return a header and one line for each row."""
    table = as_table(value)
    lines = [",".join(_quoted(name) for name in table.columns)]
    lines += [",".join(map(_written, row)) for row in zip(*table.columns.values(), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _written(cell: Any) -> str:
    if cell is None:
        return ""
    return _quoted(cell) if type(cell) is str else repr(cell)


def decode_csv(path: Path) -> Any:
    """Return the table as it was saved; rows where nothing beside it says more."""
    data = read_text_bytes(path, "CSV table")
    with reading(path, "CSV table", (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)):
        header, *rows = _lines(data.decode("utf-8-sig"))
        names = [str(cell) if cell is not None else "" for cell in header]
        if len(set(names)) != len(names):
            raise ValueError(f"two columns of the header {names} have one name")
        rows = [row for row in rows if row != [None] or len(names) == 1]
        for number, row in enumerate(rows, 2):
            if len(row) != len(names):
                raise ValueError(f"row {number} has {len(row)} cells, the header {len(names)}")
        beside = types_file(path, data)
        is_rows, types = _facts(read_text_bytes(beside, "CSV table")) if beside.is_file() else (True, {})
        columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
        return Table(rows=is_rows, columns=columns, types=types).value()


def _lines(text: str) -> Iterator[list[Any]]:
    if not text:
        raise ValueError("it is empty, not even a header")
    at = 0
    row: list[Any] = []
    while at < len(text) or row:
        found = _CELL.match(text, at)
        if found is None:
            raise ValueError(f"quotes do not match at letter {at}")
        row.append(_cell(found[2]) if found[1] is None else found[1].replace('""', '"'))
        at = found.end()
        if found[3] != ",":
            yield row
            row = []


def _cell(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def csv_types(value: Any) -> bytes | None:
    """Return what is kept beside a CSV file; None where the cells tell all."""
    table = as_table(value)
    return None if table.rows else table.facts


def parquet_reason(value: Any) -> str | None:
    """Return why Parquet cannot hold a value exactly, or None.

    Raises
    ------
    InvalidValue
        pyarrow is not installed.
    """
    if (why := table_reason(value)) is not None:
        return why
    _need_pyarrow()
    for name, column in as_table(value).columns.items():
        kinds = {type(cell) for cell in column} - {type(None)}
        if len(kinds) > 1:
            return f"column {name!r} mixes {' and '.join(sorted(kind.__name__ for kind in kinds))}"
        whole = isinstance(value, list) or isinstance(value[name], list)
        if whole and kinds == {int} and any(cell is not None and not -(2**63) <= cell < 2**63 for cell in column):
            return f"column {name!r} has integers of more than 64 bits"
    return None


def _need_pyarrow() -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise InvalidValue(".parquet needs pyarrow: pip install 'openhcs[tables]'; .csv needs nothing", backend=NAME)


def encode_parquet(value: Any) -> memoryview:
    """Return a Parquet file with page checksums."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = as_table(value)
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    columns = {}
    for name, cells in table.columns.items():
        kind = table.types.get(name, LIST)
        if kind in DTYPES:
            columns[name] = pa.array(np.array(cells, dtype=kind))
        else:
            found = next((type(cell) for cell in cells if cell is not None), None)
            columns[name] = pa.array(cells, type=kinds[found] if found else pa.null())
    buffer = io.BytesIO()
    written = pa.table(columns).replace_schema_metadata({KEY: table.facts})
    pq.write_table(written, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getbuffer()


def decode_parquet(path: Path) -> Any:
    """Return the table as it was saved; one of another program as columns."""
    _need_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = decode_bytes(path)
    broken = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, MemoryError)
    with reading(path, "Parquet table", broken):
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        check_parquet(file.metadata, path)
        table = file.read()
        facts = (table.schema.metadata or {}).get(KEY)
        if facts is None:
            return {name: _foreign(table.column(name)) for name in table.column_names}
        rows, types = _facts(facts)
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        return Table(rows=rows, columns=columns, types=types).value()


def check_parquet(metadata: Any, path: Path) -> None:
    """Refuse a Parquet file that tells of negative sizes, or of more bytes than this machine holds."""
    sizes = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
    if min([metadata.num_rows, *sizes]) < 0:
        raise FormatError(f"{path} is damaged: it tells of negative sizes", path=path, backend=NAME)
    check_room(max(sum(sizes), metadata.num_rows * metadata.num_columns * 8), path)


def _foreign(column: Any) -> list[Any] | Array:
    if column.null_count == 0 and str(column.type).replace("halffloat", "float16") in (*DTYPES, "float", "double"):
        array: Array = np.array(column.to_numpy())
        return array
    cells: list[Any] = column.to_pylist()
    return cells


CSV = Format(name="CSV", can_hold=table_reason, encode=encode_csv, decode=decode_csv, beside=csv_types)
PARQUET = Format(name="Parquet", can_hold=parquet_reason, encode=encode_parquet, decode=decode_parquet)
