"""Micro-Manager's file names, by property: what is formatted parses back, and any text is a name or none."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from openhcs.errors import FormatError
from openhcs.microscopes.micromanager.names import (
    PlaneName,
    StackName,
    format_plane,
    format_stack,
    parse_plane,
    parse_stack,
    parse_text,
)
from openhcs.microscopes.micromanager.text import parse_metadata

numbered = st.builds(
    PlaneName,
    t=st.integers(0, 999_999_999),
    c=st.integers(0, 99_999),
    z=st.integers(0, 999_999),
    position=st.integers(0, 999_999),
)
channels = st.text(st.characters(exclude_characters="/\n", exclude_categories=["Cs"]), max_size=30)
named = st.builds(PlaneName, t=st.integers(0, 999_999_999), z=st.integers(0, 999_999), channel=channels)
words = st.text(st.characters(exclude_characters="/\n", exclude_categories=["Cs"]), max_size=20)
prefixes = words.filter(lambda word: "MMStack" not in word)


@given(numbered | named)
def test_a_formatted_name_of_a_plane_parses_back(name: PlaneName) -> None:
    assert parse_plane(format_plane(name)) == name


@given(prefixes, prefixes)
def test_a_formatted_name_of_a_stack_parses_back(prefix: str, label: str) -> None:
    name = StackName(prefix, label)
    assert parse_stack(format_stack(name)) == name
    assert parse_text(format_stack(name).removesuffix(".ome.tif") + "_metadata.txt") == name


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_none(text: str) -> None:
    parse_plane(text)
    parse_stack(text)
    for parse in (parse_plane, parse_stack, parse_text):
        parse("img_" + text + ".tif")
        parse("MMStack_" * 2000 + text)
        parse("img_000000000_" * 2000 + text)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_text_none_or_told(data: bytes) -> None:
    for whole in (data, b"{" + data, b'{"Summary": {' + data, b'{"Summary": {}, "FrameKey-0-0-0": ' + data):
        with contextlib.suppress(FormatError):
            parse_metadata(whole, "a")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(
    (
        *("Summary", "FrameKey-0-1-2", "Coords-a.tif", "Metadata-a.tif", "ChNames", "StagePositions", "Frames"),
        *("DevicePositions", "Frame", "FileName", "Binning", "IntendedDimensions", "Width", "Height", "ChColors"),
    )
)


@given(st.dictionaries(keys, st.dictionaries(keys, anything, max_size=5) | anything, max_size=6))
def test_records_of_any_values_are_read_or_told(told: dict[str, object]) -> None:
    with contextlib.suppress(FormatError):
        parse_metadata(json.dumps(told).encode(), "a")
    with contextlib.suppress(FormatError):
        parse_metadata(json.dumps({"Summary": told, "FrameKey-0-0-0": told}).encode(), "a")
