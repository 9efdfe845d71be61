"""ImageXpress plates: real ones as their owners describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openhcs.core.plate import PlaneState, PlateIndex
from openhcs.errors import InputError
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.imagexpress import ImageXpress
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _index(folder: Path) -> PlateIndex:
    found = ImageXpress().index(FolderFiles(folder))
    assert isinstance(found, PlateIndex)
    return found


def test_copies_in_every_step_count_once_and_what_is_not_there_is_not_recorded(data: Callable[[str], Path]) -> None:
    index = _index(data("imagexpress-9987-plate3434-zmixed"))
    assert index.wells == ("B02", "B03")
    assert [channel.name for channel in index.channels] == ["DAPI", "FITC", "Texas Red", "Cy5"]
    assert index.states[PlaneState.PRESENT] == 4 * (2 + 1 + 1 + 1)
    assert index.states[PlaneState.NOT_RECORDED] == 4 * (1 + 1)
    assert index.pixel_size_um == (1.3672, 1.3672)
    assert index.positions["B02", 1] == (22985, 19885)
    assert (len(index.rows), len(index.columns)) == (8, 12)


def test_projections_are_an_acquisition_and_waves_keep_their_numbers(data: Callable[[str], Path]) -> None:
    index = _index(data("imagexpress-projection-mix"))
    assert index.axes(0) == ((1,), (1, 4), tuple(range(1, 11)))
    assert index.axes(1) == ((1,), (1, 3), (1,))
    assert index.states[PlaneState.PRESENT] == 13
    assert index.acquisitions[1].projection


def test_one_channel_without_a_wave_in_its_names_is_read(data: Callable[[str], Path]) -> None:
    index = _index(data("imagexpress-single-channel-guid"))
    assert index.wells == ("E07", "E08")
    assert index.axes(0) == ((1,), (1,), (1, 2))
    assert index.axes(1) == ((1,), (1,), (1,))


def test_a_plate_of_one_plane_is_read(data: Callable[[str], Path]) -> None:
    index = _index(data("imagexpress-9987-plate3420-single"))
    assert [plane.name for plane in index.planes] == ["B02_s1_c1_z1_t1"]
    assert (index.dtype, index.plane_shape) == ("uint16", (256, 256))


def test_planes_left_out_of_a_made_plate_are_not_recorded(tmp_path: Path) -> None:
    index = _index(make_plate(tmp_path / "P", wells=2, z=2, size=(32, 48), missing=3))
    assert index.states[PlaneState.NOT_RECORDED] == 3
    assert index.states[PlaneState.PRESENT] == 2 * 2 * 2 * 2 - 3
    assert (index.plane_shape, index.z_step_um) == ((32, 48), 2.0)


def test_a_folder_without_such_names_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no plate")
    found = ImageXpress().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    assert "Plate1_A01_s1_w1.TIF" in found.why


def test_two_plates_in_one_folder_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("P1", "P2"):
        make_plate(tmp_path / name, wells=1, sites=1, size=(16, 16))
    with pytest.raises(InputError, match=r"2 ImageXpress plates: P1, P2"):
        ImageXpress().index(FolderFiles(tmp_path))


def test_a_folder_in_which_most_tiffs_are_named_otherwise_is_not_imagexpress(
    tmp_path: Path, data: Callable[[str], Path]
) -> None:
    found = ImageXpress().index(FolderFiles(data("cv8000-minimal-2c-3w-4s-4z")))
    assert isinstance(found, NotMine)
    plate = make_plate(tmp_path / "P", wells=1, sites=1, size=(16, 16))
    for number in range(5):
        (plate / f"other{number}.tif").write_bytes(b"x")
    found = ImageXpress().index(FolderFiles(plate))
    assert isinstance(found, NotMine)
    assert "2 of 7 TIFFs" in found.why
