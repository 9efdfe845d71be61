"""CellVoyager's file names, by property: what is formatted parses back, and nothing else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhcs.microscopes.yokogawa.names import (
    CqName,
    CvName,
    correction,
    format_cq,
    format_cv,
    is_plane_name,
    parse_cq,
    parse_cv,
)

cv_names = st.builds(
    CvName,
    plate=st.text(st.characters(blacklist_characters="/\0"), min_size=1),
    row=st.integers(0, 31),
    column=st.integers(0, 98),
    time=st.integers(0, 999_999),
    field=st.integers(0, 99_999),
    timeline=st.integers(0, 9999),
    action=st.integers(0, 9999),
    z=st.integers(0, 99_999),
    channel=st.integers(0, 9999),
)
cq_names = st.builds(
    CqName,
    well=st.integers(1, 999_999),
    field=st.integers(0, 999_999),
    time=st.integers(0, 999_999),
    z=st.integers(0, 999_999),
    channel=st.integers(0, 9999),
)


@given(cv_names)
def test_a_formatted_name_parses_back(name: CvName) -> None:
    assert parse_cv(format_cv(name)) == name
    assert is_plane_name(format_cv(name))


@given(cq_names)
def test_a_formatted_name_of_the_cq1_parses_back(name: CqName) -> None:
    assert parse_cq(format_cq(name)) == name
    assert is_plane_name(format_cq(name))


@given(cv_names, cq_names)
def test_no_name_is_of_both_instruments_or_of_a_correction(cv: CvName, cq: CqName) -> None:
    assert parse_cq(format_cv(cv)) is None
    assert parse_cv(format_cq(cq)) is None
    assert correction(format_cq(cq)) is None
    assert correction(f"DC_{format_cv(cv)}") is None


@given(
    st.text()
    | st.from_regex(r"[A-Z_]*_[A-Z]{1,2}[0-9]{1,3}_T[0-9]*F[0-9]*L[0-9]*A[0-9]*Z[0-9]*C[0-9]*\.tiff?", fullmatch=True)
    | st.from_regex(r"W[0-9]*F[0-9]*T[0-9]*Z[0-9]*C[0-9]*\.tif", fullmatch=True)
)
def test_any_text_is_a_name_or_none_and_a_name_is_kept_whole(text: str) -> None:
    cv, cq = parse_cv(text), parse_cq(text)
    assert is_plane_name(text) is (cv is not None or cq is not None)
    if cv is not None:
        assert parse_cv(format_cv(cv)) == cv
    if cq is not None:
        assert parse_cq(format_cq(cq)) == cq
