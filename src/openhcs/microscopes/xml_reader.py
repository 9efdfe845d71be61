"""XML of strangers, streamed: local names, no document types, bounded depth, errors with their line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.parsers import expat

from openhcs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH = 64


def _nothing(_: str) -> None: ...


def parse_xml(
    data: bytes,
    path: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] = _nothing,
    text: Callable[[str], None] = _nothing,
) -> None:
    """Walk a document; names of elements and attributes come without their namespaces.

    Parameters
    ----------
    start, end
        called for each element with its name, and with its attributes at the start.
    text
        called with the text between elements, in one piece up to the next element.

    Raises
    ------
    FormatError
        it is no XML, is cut short, cannot be decoded, nests too deep or declares a document type.
    """
    parser = new_parser(path)
    depth = 0

    def opened(raw: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise FormatError(f"{path}: elements nest deeper than {MAX_DEPTH}", path=path)
        start(raw.rpartition(":")[2], {name.rpartition(":")[2]: value for name, value in attributes.items()})

    def closed(raw: str) -> None:
        nonlocal depth
        depth -= 1
        end(raw.rpartition(":")[2])

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = text
    with telling(path):
        parser.Parse(data, True)


def new_parser(path: str) -> expat.XMLParserType:
    """Return a parser that gives text in one piece and refuses document types, for whoever walks a document alone."""

    def refused(*_: object) -> None:
        raise FormatError(f"{path}: it declares a document type, and with it entities, which is refused", path=path)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refused
    return parser


@contextmanager
def telling(path: str) -> Iterator[None]:
    """Turn what a parser finds wrong into a `FormatError` with its place."""
    try:
        yield
    except expat.ExpatError as error:
        raise FormatError(
            f"{path}: line {error.lineno}, column {error.offset}: {expat.ErrorString(error.code)}. The document is "
            "damaged or cut short; copy it from the microscope again.",
            path=path,
        ) from None
    except (LookupError, UnicodeError) as error:
        raise FormatError(f"{path}: cannot be decoded: {error}", path=path) from None
