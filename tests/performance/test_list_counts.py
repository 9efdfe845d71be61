"""What looking for a value asks of the system: as much in a plate of many wells as in one of few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from counting import asked
from many_sites import write_documents
from openhcs import FileManager, open_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from counting import Asked

FEW, MANY = 3, 40
"""Wells; whatever is counted is the same of both."""
SITES = 3
WAY = [".", "W1"]
"""Folders above a value: none may be a link that leads out."""
VALUE = "W1/s1.npy"
ROOT = {"0.5": ["zarr.json"], "0.4": ["zarr.json", ".zattrs"]}
"""Documents of a group in the order they are asked for."""
ARRAY = {"0.5": ["zarr.json"], "0.4": ["zarr.json", ".zarray", ".zattrs"]}
MARKS = ["zarr.json", ".zattrs", ".zgroup"]
"""Of a store: has it changed since it was read?"""


@pytest.fixture(params=[FEW, MANY])
def folders(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a root with so many folders of files."""
    files = FileManager(tmp_path)
    for well in range(request.param):
        for site in range(SITES):
            files.save(np.zeros((4, 4), "uint16"), f"W{well}/s{site}.npy", "disk")
    return tmp_path


@pytest.fixture(params=[FEW, MANY])
def wells(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=["0.5", "0.4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def plate(tmp_path: Path, wells: int, version: str) -> Path:
    """Return a plate of documents alone, which nobody of us wrote: its arrays tell how many planes there are."""
    return write_documents(tmp_path / "p.zarr", wells=wells, sites=2, version=version)


def ask(root: Path, call: Callable[[], object]) -> Asked:
    with asked(root) as files:
        call()
    return files


def test_a_file_exists_by_one_look_at_it_and_none_of_others(folders: Path) -> None:
    files = FileManager(folders)
    files.exists(VALUE, "disk")
    found = ask(folders, lambda: files.exists(VALUE, "disk"))
    assert (found.looked, found.both) == ([*WAY, VALUE, VALUE], [])  # is it a link, is it a file
    gone = ask(folders, lambda: files.exists("W1/none.npy", "disk"))
    assert (gone.looked, gone.both) == ([*WAY, *["W1/none.npy"] * 3], [])  # nor a folder


def test_a_folder_is_listed_by_one_look_at_it_and_none_of_its_files_or_of_other_folders(folders: Path) -> None:
    files = FileManager(folders)
    files.list("W1", "disk")
    found = ask(folders, lambda: files.list("W1", "disk"))
    assert (found.looked, found.both) == ([*WAY, "W1"], ["W1"])


def test_files_of_a_folder_are_listed_by_one_look_at_each(folders: Path) -> None:
    files = FileManager(folders)
    files.list("W1", "disk")
    found = ask(folders, lambda: files.list_files("W1", "disk"))
    each = [one for number in range(SITES) for one in (*WAY, *[f"W1/s{number}.npy"] * 2)]
    assert (found.looked, found.both) == ([*WAY, "W1", *each], ["W1"])


def test_a_plane_of_a_plate_exists_by_the_documents_of_its_well(plate: Path, version: str) -> None:
    files = FileManager(plate.parent)
    first = ask(plate, lambda: files.exists("p.zarr/A02_s1_c1_z1_t1", "zarr"))
    images = [
        f"A/2/{site}/{name}" for site in (0, 1) for name in (*ROOT[version], *(f"0/{one}" for one in ARRAY[version]))
    ]
    assert first.both == [*ROOT[version], *(f"A/2/{name}" for name in ROOT[version]), *images]
    for name, there in (("A02_s2_c2_z3_t1", True), ("A02_s3_c1_z1_t1", False), ("P24_s1_c1_z1_t1", False)):
        assert files.exists(f"p.zarr/{name}", "zarr") is there
        again = ask(plate, lambda name=name: files.exists(f"p.zarr/{name}", "zarr"))
        assert again.both == []
        assert again.looked[:5] == [".", name, *MARKS]
        assert len(again.looked) == (5 if there else 9)


def test_the_planes_of_a_plate_are_listed_from_each_document_once_and_then_from_none(
    plate: Path, wells: int, version: str
) -> None:
    files = FileManager(plate.parent)
    first = ask(plate, lambda: files.list("p.zarr", "zarr"))
    groups = (1 + wells + 2 * wells) * len(ROOT[version])
    assert len(set(first.both)) == groups + 2 * wells * len(ARRAY[version])
    assert len(first.both) == len(set(first.both)) + 1  # the root, to see whether it is a folder
    again = ask(plate, lambda: files.list("p.zarr", "zarr"))
    assert again.both == ["zarr.json"]
    assert len(again.looked) == 10


def test_an_opened_plate_knows_its_wells_and_looks_at_the_documents_of_one_alone(plate: Path, version: str) -> None:
    opened = open_plate(plate)
    assert ask(plate, lambda: ("A02" in opened, "P24" in opened, len(opened), opened.wells)).both == []
    name = ROOT[version][-1]
    looked = ask(plate, lambda: opened["A02"].sites)
    assert looked.both == [f"A/2/{name}", f"A/2/0/{name}", f"A/2/1/{name}"]
    assert ask(plate, lambda: opened["A02"].sites).both == []
