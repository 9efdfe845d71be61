"""Harmony's file names, by property: what is formatted parses back, and nothing else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhcs.microscopes.harmony.files import Name, format_name, parse_name

names = st.builds(
    Name,
    row=st.integers(1, 99),
    column=st.integers(1, 99),
    field=st.integers(0, 9999),
    plane=st.integers(0, 9999),
    channel=st.integers(0, 999),
    time=st.integers(0, 999_999),
    kinetic=st.integers(0, 999_999),
    flim=st.integers(0, 999_999),
)


@given(names)
def test_a_formatted_name_parses_back(name: Name) -> None:
    assert parse_name(format_name(name)) == name


@given(names, names)
def test_two_names_are_spelt_alike_only_when_they_are_equal(one: Name, other: Name) -> None:
    assert (format_name(one) == format_name(other)) is (one == other)


@given(st.text() | st.from_regex(r"r[0-9]{1,3}c[0-9]{1,3}f[0-9]*p[0-9]*-ch[0-9]*sk[0-9]*fk[0-9]*fl[0-9]*\.tiff?"))
def test_any_text_is_a_name_or_none_and_a_name_is_kept_whole(text: str) -> None:
    name = parse_name(text)
    if name is not None:
        assert parse_name(format_name(name)) == name
