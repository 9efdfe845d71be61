"""How many files opening a plate, looking at a site and indexing the whole take: counted as the system is asked."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from counting import asked
from many_sites import write_documents
from openhcs import GlobalPipelineConfig, ZarrConfig, convert, open_plate
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from pathlib import Path

ROOT = {"0.4": ".zattrs", "0.5": "zarr.json"}
LOOKED_FOR = {"0.4": ["zarr.json", ".zattrs"], "0.5": ["zarr.json"]}
"""At the root: which version a plate is of, nothing else tells."""
ARRAY = {"0.4": ".zarray", "0.5": "zarr.json"}


@pytest.fixture(params=["0.4", "0.5"])
def many(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Return a plate of 7,000 sites, of which three wells are on this disk, and its version."""
    filled = ("A/1", "B/2", "H/12")
    root = write_documents(tmp_path / "many.zarr", wells=350, sites=20, version=request.param, filled=filled)
    return root, request.param


def test_a_plate_of_7000_sites_opens_by_its_root_document_alone(many: tuple[Path, str]) -> None:
    root, version = many
    with asked(root) as files:
        plate = open_plate(root)
        assert (len(plate), plate.name, plate.wells[-1]) == (350, "many", "O14")
        assert [one.number for one in plate.acquisitions] == [0]
        assert plate["O14"].name == "O14"
    assert files.both == LOOKED_FOR[version]


@pytest.mark.parametrize("microscope", ["auto", "ome_zarr"])
def test_a_site_takes_the_documents_of_its_well_image_and_array(many: tuple[Path, str], microscope: str) -> None:
    root, version = many
    plate = open_plate(root, microscope=microscope)
    with asked(root) as files:
        site = plate["H12"].site(17)
        assert (site.shape, site.dtype, len(site.planes)) == ((2, 3, 64, 96), "uint16", 6)
        assert site.channel("FITC").z(2).shape == (64, 96)
        assert plate["H12"].site(17).levels == 2
    assert files.both == [f"H/12/{ROOT[version]}", f"H/12/16/{ROOT[version]}", f"H/12/16/0/{ARRAY[version]}"]


def test_the_next_site_of_a_well_takes_two_more_and_its_channels_none(many: tuple[Path, str]) -> None:
    root, version = many
    plate = open_plate(root)
    plate["A01"].site(1)
    with asked(root) as files:
        assert [one.name for one in plate.channels] == ["DAPI", "FITC"]
        assert plate["A01"].site(2).shape
    assert files.both == [f"A/1/1/{ROOT[version]}", f"A/1/1/0/{ARRAY[version]}"]


def test_all_sites_of_a_well_take_each_document_once(many: tuple[Path, str]) -> None:
    root, _ = many
    plate = open_plate(root)
    with asked(root) as files:
        assert len([site.shape for site in plate["B02"]]) == 20
    assert len(files.both) == 1 + 20 + 20
    assert max(Counter(files.both).values()) == 1


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_whole_index_takes_each_document_once(tmp_path: Path, version: str) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=5, sites=3, version=version)
    with asked(root) as files:
        assert len(index_plate(root).planes) == 5 * 3 * 6
    assert len(files.both) == len(LOOKED_FOR[version]) + 5 + 2 * 15
    assert max(Counter(files.both).values()) == 1


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("ours", [True, False])
def test_sites_of_any_numbers_take_three_where_the_well_tells_them(tmp_path: Path, version: str, ours: bool) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=2, sites=4, version=version, numbers=[2, 30, 7, 9], ours=ours)
    plate = open_plate(root)
    with asked(root) as files:
        assert plate["A02"].site(7).number == 7
        assert plate["A02"].sites == (2, 7, 9, 30)
    assert files.both == [f"A/2/{ROOT[version]}", f"A/2/2/{ROOT[version]}", f"A/2/2/0/{ARRAY[version]}"]


def test_numbers_that_only_images_tell_are_found_by_a_look_at_the_whole_well(tmp_path: Path) -> None:
    root = write_documents(tmp_path / "p.zarr", wells=1, sites=4, version="0.5", numbers=[2, 30, 7, 9])
    told = json.loads((root / "A/1/zarr.json").read_text())
    del told["attributes"]["openhcs"]
    (root / "A/1/zarr.json").write_text(json.dumps(told))
    plate = open_plate(root)
    with asked(root) as files:
        assert plate["A01"].site(30).number == 30
    assert len(files.both) == 1 + 4 + 1
    assert plate["A01"].sites == (2, 7, 9, 30)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_that_we_wrote_takes_no_more(tmp_path: Path, version: str) -> None:
    make_plate(tmp_path / "P1", wells=["A01", "C05"], sites=3, z=2, size=(32, 48))
    config = GlobalPipelineConfig(zarr=ZarrConfig(ngff_version=version))
    root = tmp_path / "out.zarr"
    assert convert(tmp_path / "P1", root, config=config).ok
    with asked(root) as files:
        plate = open_plate(root)
        site = plate["C05"].site(3)
        assert site.channel(plate.channels[-1].name).shape == (2, 32, 48)
    own = [f"C/05/{ROOT[version]}", f"C/05/2/{ROOT[version]}", f"C/05/2/0/{ARRAY[version]}"]
    assert files.both == [*LOOKED_FOR[version], *own]
