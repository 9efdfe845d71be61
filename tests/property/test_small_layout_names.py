"""File names of five layouts: what a name was made of is read back, and any text is a name or none."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.wells import parse_well, row_name, well_name
from openhcs.microscopes import cellomics, embl_almf, sbs
from openhcs.microscopes.forms import all_forms
from openhcs.microscopes.leica import names as leica_names
from openhcs.microscopes.olympus import names as scanr_names
from openhcs.testing.layouts.cellomics import cellomics_file
from openhcs.testing.layouts.embl_almf import almf_file
from openhcs.testing.layouts.leica_matrix import leica_place
from openhcs.testing.layouts.sbs import sbs_file
from openhcs.testing.layouts.scanr import scanr_file

letters = string.ascii_letters + string.digits + "_ #µ.()"
plates = st.text(letters, min_size=1, max_size=20)
wells = st.builds(well_name, st.integers(0, 31), st.integers(0, 47))
few = st.integers(1, 99)
PARSERS = {
    "scanr": scanr_names.parse_name,
    "cellomics": cellomics.parse_name,
    "sbs": sbs.parse_name,
    "embl_almf": embl_almf.parse_name,
    "leica_matrix": leica_names.parse_name,
}


@given(
    wells, few, few, few, st.text(letters + "-", min_size=1, max_size=20), st.booleans(), st.sampled_from([12, 24, 48])
)
def test_scanr_names_are_read_back(well, site, z, t, channel, named, columns):
    row, column = parse_well(well)
    name = scanr_file((well, site, 1, z, t), channel, columns=columns, named=named)
    label = f"{row_name(row)}{column + 1}" if named else ""
    expected = scanr_names.Name(label, row * columns + column + 1, site, z - 1, t - 1, channel)
    assert scanr_names.parse_name(name) == expected


@given(plates, wells, st.integers(0, 999), st.integers(0, 99), st.sampled_from(["TIF", "tif", "C01", "DIB", "c01"]))
def test_cellomics_names_are_read_back(plate, well, field, channel, suffix):
    expected = cellomics.Name(plate=plate, well=well, field=field, channel=channel)
    assert cellomics.parse_name(cellomics_file(plate, well, field, channel, suffix)) == expected


@given(wells, st.integers(0, 99), st.none() | st.integers(0, 99), st.sampled_from([12, 24, 48]))
def test_sbs_names_are_read_back(well, channel, site, columns):
    row, column = parse_well(well)
    name = sbs_file(well, channel, site, columns=columns)
    number = row * columns + column + 1
    assert sbs.parse_name(name) == sbs.Name(channel=channel, number=number, well=well, site=1 if site is None else site)


@given(plates, wells, few, few, few, few, st.sampled_from([0, 1]), st.sampled_from(["ome.tif", "ome.jpeg", "tif"]))
def test_almf_names_are_read_back(plate, well, site, channel, z, t, first, suffix):
    row, column = parse_well(well)
    path = almf_file(plate, (well, site, channel, z, t), columns=48, first=first, suffix=suffix)
    found = embl_almf.parse_name(path.rpartition("/")[2])
    short = f"{row_name(row)}{column + 1}"
    less = 1 - first
    assert found == embl_almf.Name(
        plate=plate,
        texts=(short, short),
        number=row * 48 + column + 1,
        position=site - less,
        channel=channel - less,
        t=t - less,
        z=z - less,
    )
    assert found.well == well


@given(wells, few, few, few, few, st.integers(1, 9))
def test_leica_names_are_read_back(well, site, channel, z, t, across):
    row, column = parse_well(well)
    _, stem = leica_place((well, site, channel, z, t), across)
    found = leica_names.parse_image(f"{stem}.ome.tif")
    assert found is not None
    assert (found.slide, found.u, found.v, found.passes) == (0, column, row, (0, 8, 0, 0))
    assert (found.x, found.y, found.t, found.z, found.c) == (
        (site - 1) % across,
        (site - 1) // across,
        t - 1,
        z - 1,
        channel - 1,
    )
    assert found.well == well
    assert leica_names.parse_name(stem.partition("--Z")[0] + ".ome.xml") == found.document


@pytest.mark.parametrize("layout", PARSERS)
@given(text=st.text(max_size=300))
def test_any_text_is_a_name_or_none(layout, text):
    PARSERS[layout](text)
    PARSERS[layout](text * 50 + "--W0001--P001--C01.tif")
    PARSERS[layout]("_A01" * 1000 + text)


@pytest.mark.parametrize("layout", PARSERS)
def test_a_form_matches_its_own_example_and_no_other_layouts(layout):
    forms = all_forms()
    example = next(form.example for name, form in forms if name == layout)
    assert [name for name, form in forms if form.matches(example)] == [layout]


@pytest.mark.parametrize(
    "name",
    [
        "Plate1_A01_s1_w1.TIF",
        "r01c01f01p01-ch1sk1fk1fl1.tiff",
        "A01.tif",
        "P_A00f00d0.TIF",
        "P_A49f00d0.TIF",
        "P_a01f00d0.TIF",
        "P_A01f00.TIF",
        "P_A01f00d0.png",
        "Channel1-01-A-00.tif",
        "Channel1-01-a-01.tif",
        "Channel1-A-01.tif",
        "Channel1-01-A-49.tif",
        "D--A1--W001--P001--C01.tif",
        "B1--W0013--P00001--Z00000--T00000--GFP.tif",
        "B1--W00013--P00001--Z00000--T00000--.tif",
        "W0001--P001--C01.tif",
        "D--A1--W0001--P001--T0001.tif",
        "image--L00--S00--U00--V00--J20--E00--O00--X00--Y00--T00--Z00.ome.tif",
        "image--L00--S00--U00--V32--J20--E00--O00--X00--Y00--T00--Z00--C00.ome.tif",
        "metadata.ome.xml",
        "iamac01file.c01",
    ],
)
def test_other_names_are_of_none_of_these_layouts(name):
    assert [layout for layout, parse in PARSERS.items() if parse(name) is not None] == []
