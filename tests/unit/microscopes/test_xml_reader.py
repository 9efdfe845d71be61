"""XML of strangers: local names in, what is wrong told with its line."""

from __future__ import annotations

import re

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.xml_reader import MAX_DEPTH, parse_xml


def walked(data):
    found = []
    parse_xml(
        data,
        "doc.xml",
        lambda name, attributes: found.append((name, attributes)),
        lambda name: found.append(f"/{name}"),
        found.append,
    )
    return found


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_names_come_without_namespaces(mark):
    data = mark + b'<?xml version="1.0"?><b:Row xmlns:b="http://x" b:Column="3">a&amp;b</b:Row>'
    assert walked(data) == [("Row", {"b": "http://x", "Column": "3"}), "a&b", "/Row"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"<a><b></a>", "line 1, column 8: mismatched tag"),
        (b"<a>", "line 1, column 3: no element found"),
        (b"", "no element found"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "unknown encoding"),
        (b"<a>\xff\xfe</a>", "not well-formed"),
        (b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "document type"),
        (b"<a>" * (MAX_DEPTH + 1), "nest deeper"),
    ],
)
def test_what_is_wrong_is_told(data, told):
    with pytest.raises(FormatError, match=f"doc.xml: .*{re.escape(told)}") as error:
        walked(data)
    assert error.value.path == "doc.xml"
