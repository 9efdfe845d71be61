"""ImageXpress names are read from right to left: writing one and reading it gives it back."""

from __future__ import annotations

import string
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from openhcs.core.wells import well_name
from openhcs.microscopes.forms import all_forms
from openhcs.microscopes.hcsai import units as hcsai_units
from openhcs.microscopes.metaxpress.names import FORMS, TOP, Name, is_certain, parse_folder, parse_name

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
sites = st.none() | st.integers(1, 9999)
waves = st.none() | st.integers(1, 99)


def spelt(plate, well, site, wave, thumb):
    name = f"{plate}_{well}"
    name += "" if site is None else f"_s{site}"
    name += "" if wave is None else f"_w{wave}"
    return name + ("_thumb" if thumb else "")


@given(plates, wells, sites, waves, st.booleans(), endings, st.sampled_from(["tif", "TIF", "tiff"]))
def test_what_a_name_was_made_of_is_read_back(plate, well, site, wave, thumb, guid, suffix):
    name = f"{spelt(plate, well, site, wave, thumb)}{guid}.{suffix}"
    assert parse_name(name) == Name(plate=plate, well=well, site=site or 1, wave=wave or 1, thumb=thumb)
    assert is_certain(name) is bool(site or wave or guid)


@given(
    st.lists(st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8), max_size=3),
    st.none() | st.integers(1, 99999),
    st.none() | st.integers(0, 99999),
)
def test_folders_give_the_plate_the_time_and_the_step(home, t, z):
    assume(all(parse_folder(part)[0] for part in home))
    folders = [*home, *([] if t is None else [f"TimePoint_{t}"]), *([] if z is None else [f"ZStep_{z}"])]
    assert parse_folder("/".join(folders)) == ("/".join(home), t or 1, TOP if z is None else z)


@given(plates, *[st.integers(0, 99999)] * 3, st.integers(0, 999), wells)
def test_what_an_hcsai_name_was_made_of_is_read_back(protocol, t, site, z, wave, well):
    name = f"{protocol}_t{t}_{well}_s{site}_w{wave}_z{z}.tif"
    assert hcsai_units.parse_name(name) == (protocol, t, well, site, wave, z)
    assert parse_name(name) is None
    assert [layout for layout, form in all_forms() if form.matches(name)] == ["imagexpress_hcsai"]


@pytest.mark.parametrize(
    "name",
    [
        "A01_s1_w1.tif",
        "SC_BP445-45_20x v2_M01_CH01.tif",
        "P_A1_s1.tif",
        "P_A00_s1.tif",
        "P_a01_s1_w1.tif",
        "A01_s10_w1.tif",
        "scan_t05_s1_w2.tif",
        "P_A01_x1.tif",
        "P_A01_s1_w1.png",
        "r01c01f01p01-ch1.tiff",
        "scan_t0_C05_s0_w0_z0.tif",
        "P_A01_s1_w17654C10-92F1-4DFD-98AA-6A01BBD7755.tif",
    ],
)
def test_other_names_are_no_imagexpress_names(name):
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("9987_B02.TIF", Name(plate="9987", well="B02")),
        ("9987_B03_s2_w1.TIF", Name(plate="9987", well="B03", site=2)),
        (
            "Projection-Mix_E08_s117654C10-92F1-4DFD-98AA-6A01BBD77557.tif",
            Name(plate="Projection-Mix", well="E08"),
        ),
        (
            "ADSAStaphInfection2_A01_w2247376DD-6ADD-442D-AE47-F54A05F3EA94.tif",
            Name(plate="ADSAStaphInfection2", well="A01", wave=2),
        ),
        (
            "101210OranePlt1_C16_w1_[9AA4D9EA-18E4-4354-8C7D-0202029A8048].tif",
            Name(plate="101210OranePlt1", well="C16"),
        ),
        (
            "1649_1109_0003_Amp5-1_B_20070424_C01_w1_10E01AFB-1111-4111-8111-111111111111.tif",
            Name(plate="1649_1109_0003_Amp5-1_B_20070424", well="C01"),
        ),
        (
            "exp126-d0_C03_thumbA6B0784C-19ED-4F35-9E6A-0A306794BB11.tif",
            Name(plate="exp126-d0", well="C03", thumb=True),
        ),
    ],
)
def test_names_that_were_seen_are_read(name, found):
    assert parse_name(name) == found


@given(st.binary(min_size=16, max_size=16).map(lambda data: str(uuid.UUID(bytes=b"\x17\x65" + data[2:])).upper()))
def test_a_guid_that_begins_with_digits_does_not_lengthen_the_number_before_it(guid):
    assert parse_name(f"Projection-Mix_E08_s1{guid}.tif") == Name(plate="Projection-Mix", well="E08")
    assert parse_name(f"P_A01_s12_w3{guid}.tif") == Name(plate="P", well="A01", site=12, wave=3)


def test_the_examples_of_forms_are_of_their_form():
    assert [parse_name(form.example) is not None for form in FORMS] == [True] * len(FORMS)
    assert all(form.matches(form.example) for form in hcsai_units.FORMS)


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_none(text):
    for parse in (parse_name, hcsai_units.parse_name):
        parse(text)
        parse("_A01" * 2000 + text)
        parse(text + "_t0_A01_s0" * 2000)
