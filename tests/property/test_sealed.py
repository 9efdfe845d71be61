"""Sealed files: what goes in comes out, and no single bit can be another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from openhcs.errors import FormatError, NotFound
from openhcs.ledger.sealed import read_sealed, seal, seal_text, unseal, unseal_text

FILE = Path("ledger.json")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CONTENTS = st.dictionaries(st.text().filter(lambda key: key != "xxh3"), VALUES, min_size=1, max_size=4)


@given(CONTENTS)
def test_content_comes_back_and_json_reads_it_too(content):
    data = seal(content)
    assert unseal(data, FILE) == content
    told = json.loads(data)
    assert told.pop("xxh3") == xxhash.xxh3_64_hexdigest(json.dumps(content, separators=(",", ":")).encode())
    assert told == content


@given(CONTENTS, st.data())
def test_any_flipped_bit_is_found(content, data):
    sealed = bytearray(seal(content))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FormatError, match=r"ledger\.json is damaged"):
        unseal(bytes(sealed), FILE)


@given(CONTENTS, st.data())
def test_a_torn_file_is_found(content, data):
    sealed = seal(content)
    with pytest.raises(FormatError, match="damaged"):
        unseal(sealed[: data.draw(st.integers(0, len(sealed) - 1))], FILE)


def test_text_keeps_its_lines(tmp_path):
    body = b'{\n "plan": "p"\n}'
    assert unseal_text(seal_text(body), FILE) == body
    (tmp_path / "a.json").write_bytes(seal_text(body))
    assert read_sealed(tmp_path / "a.json") == {"plan": "p"}
    with pytest.raises(NotFound):
        read_sealed(tmp_path / "b.json")
