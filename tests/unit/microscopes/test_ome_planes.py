"""Which page of which file each plane of an OME-TIFF is, and what promises too much."""

from __future__ import annotations

import pytest

from ome_sets import block, document, image, pages, read, save, states
from openhcs.errors import FormatError


def raster(order, sizes, start=0, count=10**6):
    """Return the (z, c, t) of ``count`` planes from one on, by the plainest counting."""
    first, second, third = order[2:]
    places = [
        {first: i, second: j, third: k}
        for k in range(sizes[third])
        for j in range(sizes[second])
        for i in range(sizes[first])
    ]
    return [(place["Z"], place["C"], place["T"]) for place in places[start : start + count]]


SIX = {"Z": 3, "C": 2, "T": 2}


@pytest.mark.parametrize(
    ("blocks", "order", "expected"),
    [  # fragments of the OME-TIFF specification, section "The TiffData element"
        ("<TiffData/>", "XYZTC", dict(enumerate(raster("XYZTC", SIX)))),
        ("<TiffData PlaneCount='10'/>", "XYCTZ", dict(enumerate(raster("XYCTZ", SIX, 0, 10)))),
        ("<TiffData IFD='3' PlaneCount='5'/>", "XYZTC", dict(enumerate(raster("XYZTC", SIX, 0, 5), start=3))),
        ("<TiffData IFD='0' FirstT='1'/><TiffData IFD='1' FirstT='0'/>", "XYZTC", {0: (0, 0, 1), 1: (0, 0, 0)}),
        ("<TiffData FirstZ='2' FirstC='1'/>", "XYZTC", dict(enumerate(raster("XYZTC", SIX, 8)))),
    ],
)
def test_tiffdata_means_what_the_specification_says(tmp_path, blocks, order, expected):
    save(tmp_path / "a.ome.tif", 14, document(image(0, blocks, z=3, c=2, t=2, order=order)))
    found = {page: (z - 1, c - 1, t - 1) for (_, _, c, z, t), (_, page) in pages(read(tmp_path)).items()}
    assert found == expected


def test_planes_that_sizes_promise_and_nothing_names_are_not_recorded(tmp_path):
    save(tmp_path / "a.ome.tif", 3, document(image(0, "<TiffData PlaneCount='3'/>", z=4)))
    index = read(tmp_path)
    assert states(index) == {"present": 3, "not_recorded": 1}
    assert any("sizes of images promise and no TiffData names: 1" in told for told in index.warnings)


def test_a_file_cut_short_lacks_the_pages_that_are_named(tmp_path):
    blocks = "".join(block("a.ome.tif", IFD=n, FirstT=n) for n in range(5))
    save(tmp_path / "a.ome.tif", 2, document(image(0, blocks, t=5)))
    index = read(tmp_path)
    assert states(index) == {"present": 2, "missing": 3}
    assert any("fewer pages than named: 1, such as a.ome.tif with 2" in told for told in index.warnings)


def test_a_page_that_stands_for_two_planes_is_the_first(tmp_path):
    blocks = "<TiffData IFD='0'/><TiffData IFD='1' FirstC='1'/><TiffData IFD='1' FirstC='1' FirstZ='1'/>"
    save(tmp_path / "a.ome.tif", 2, document(image(0, blocks, c=2, z=2)))
    index = read(tmp_path)
    assert pages(index) == {("A01", 1, 1, 1, 1): ("a.ome.tif", 0), ("A01", 1, 2, 1, 1): ("a.ome.tif", 1)}
    assert states(index) == {"present": 2, "not_recorded": 1, "not_acquired": 1}
    assert any("share the page of another" in told for told in index.warnings)


def test_a_plane_that_is_said_to_be_two_pages_is_refused(tmp_path):
    save(tmp_path / "a.ome.tif", 2, document(image(0, "<TiffData IFD='0'/><TiffData IFD='1'/>")))
    with pytest.raises(FormatError, match=r"z 0, c 0, t 0 is said to be page 0 of a\.ome\.tif and page 1"):
        read(tmp_path)


@pytest.mark.parametrize(
    "blocks",
    [
        block("no.ome.tif", IFD=0, PlaneCount=10**9),
        "<TiffData/>",
        "<TiffData PlaneCount='100000'/>" * 50,
        block("no.ome.tif", IFD=0, PlaneCount=60_000) * 2,
    ],
)
def test_planes_promised_without_end_are_refused_before_they_are_made(tmp_path, blocks):
    told = image(0, blocks, z=10**6, c=10**4, t=10**6)
    (tmp_path / "x.companion.ome").write_text(document(told))
    with pytest.raises(FormatError, match=r"promises [0-9]+ planes and 0 are there"):
        read(tmp_path)


def test_a_present_file_does_not_vouch_for_pages_it_lacks(tmp_path):
    save(tmp_path / "a.ome.tif", 2)
    told = document(image(0, block("a.ome.tif", IFD=0, PlaneCount=10**6), t=10**6))
    (tmp_path / "x.companion.ome").write_text(told)
    with pytest.raises(FormatError, match="promises 1000000 planes and 2 are there"):
        read(tmp_path)
