"""ImageXpress names are read from right to left: writing one and reading it gives it back."""

from __future__ import annotations

import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.wells import well_name
from openhcs.microscopes.imagexpress import Name, parse_name

plates = st.text(string.ascii_letters + string.digits + "_- #µ", min_size=1, max_size=20)
wells = st.builds(well_name, st.integers(0, 31), st.integers(0, 47))
guids = st.uuids().map(lambda value: str(value).upper())
endings = st.one_of(
    st.just(""),
    guids,
    guids.map(lambda text: f"_{text}"),
    guids.map(lambda text: f"_[{text}]"),
    guids.map(lambda text: f"[{text}]"),
)


@given(
    plates,
    wells,
    st.none() | st.integers(1, 9999),
    st.none() | st.integers(1, 99),
    st.booleans(),
    endings,
    st.sampled_from(["tif", "TIF", "tiff"]),
)
def test_what_a_name_was_made_of_is_read_back(plate, well, site, wave, thumb, guid, suffix):
    name = f"{plate}_{well}"
    name += "" if site is None else f"_s{site}"
    name += "" if wave is None else f"_w{wave}"
    name += "_thumb" if thumb else ""
    expected = Name(plate=plate, well=well, site=site or 1, wave=wave or 1, thumb=thumb)
    assert parse_name(f"{name}{guid}.{suffix}") == expected


@pytest.mark.parametrize(
    "name",
    [
        "A01_s1_w1.tif",
        "SC_BP445-45_20x v2_M01_CH01.tif",
        "P_A1_s1.tif",
        "P_A01_x1.tif",
        "P_A01_s1_w1.png",
        "r01c01f01p01-ch1.tiff",
    ],
)
def test_other_names_are_no_imagexpress_names(name):
    assert parse_name(name) is None


def test_a_guid_that_begins_with_digits_does_not_lengthen_the_number_before_it():
    guid = str(uuid.UUID("17654c10-92f1-4dfd-98aa-6a01bbd77557")).upper()
    assert parse_name(f"Projection-Mix_E08_s1{guid}.tif") == Name(plate="Projection-Mix", well="E08")


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_none(text):
    parse_name(text)
    parse_name("_A01" * 2000 + text)
