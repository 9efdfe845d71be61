"""ImageXpress plates: names from right to left, protocols, real plates as their owners describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openhcs.core.plate import PlaneState
from openhcs.errors import InputError, UnknownName
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.microscopes.imagexpress import Name, parse_name
from openhcs.testing.synthetic import make_plate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_digits_that_begin_a_guid_are_not_the_sites() -> None:
    name = parse_name("Projection-Mix_E08_s117654C10-92F1-4DFD-98AA-6A01BBD77557.tif")
    assert name == Name(plate="Projection-Mix", well="E08", site=1, guid="17654C10-92F1-4DFD-98AA-6A01BBD77557")


def test_a_bracketed_guid_and_underscores_in_the_plate_are_read() -> None:
    name = parse_name("1649_1109_B_20070424_C16_w1_[9AA4D9EA-18E4-4354-8C7D-0202029A8048].tif")
    assert isinstance(name, Name)
    assert (name.plate, name.well, name.site, name.wave) == ("1649_1109_B_20070424", "C16", None, 1)


def test_copies_in_every_step_count_once_and_what_is_not_there_is_not_recorded(data: Callable[[str], Path]) -> None:
    index = detect(FolderFiles(data("imagexpress-9987-plate3434-zmixed")))
    assert index.wells == ("B02", "B03")
    assert [channel.name for channel in index.channels] == ["DAPI", "FITC", "Texas Red", "Cy5"]
    assert index.states[PlaneState.PRESENT] == 4 * (2 + 1 + 1 + 1)
    assert index.states[PlaneState.NOT_RECORDED] == 4 * (1 + 1)
    assert index.pixel_size_um == (1.3672, 1.3672)
    assert index.positions["B02", 1] == (22985, 19885)
    assert (len(index.rows), len(index.columns)) == (8, 12)


def test_projections_are_an_acquisition_and_waves_keep_their_numbers(data: Callable[[str], Path]) -> None:
    index = detect(FolderFiles(data("imagexpress-projection-mix")))
    assert index.axes(0) == ((1,), (1, 4), tuple(range(1, 11)))
    assert index.axes(1) == ((1,), (1, 3), (1,))
    assert index.states[PlaneState.PRESENT] == 13
    assert index.acquisitions[1].projection


def test_one_channel_without_a_wave_in_its_names_is_read(data: Callable[[str], Path]) -> None:
    index = detect(FolderFiles(data("imagexpress-single-channel-guid")))
    assert index.wells == ("E07", "E08")
    assert index.axes(0) == ((1,), (1,), (1, 2))
    assert index.axes(1) == ((1,), (1,), (1,))


def test_a_plate_of_one_plane_is_read(data: Callable[[str], Path]) -> None:
    index = detect(FolderFiles(data("imagexpress-9987-plate3420-single")))
    assert [plane.name for plane in index.planes] == ["B02_s1_c1_z1_t1"]
    assert (index.dtype, index.plane_shape) == ("uint16", (256, 256))


def test_planes_left_out_of_a_made_plate_are_not_recorded(tmp_path: Path) -> None:
    index = detect(FolderFiles(make_plate(tmp_path / "P", wells=2, z=2, size=(32, 48), missing=3)))
    assert index.states[PlaneState.NOT_RECORDED] == 3
    assert index.states[PlaneState.PRESENT] == 2 * 2 * 2 * 2 - 3
    assert (index.plane_shape, index.z_step_um) == ((32, 48), 2.0)


def test_an_empty_folder_and_a_strange_one_and_an_unknown_layout_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        detect(FolderFiles(tmp_path))
    (tmp_path / "notes.txt").write_text("no plate")
    with pytest.raises(InputError, match=r"notes\.txt[\s\S]*imagexpress: an \.HTD"):
        detect(FolderFiles(tmp_path))
    with pytest.raises(UnknownName, match="did you mean 'imagexpress'"):
        detect(FolderFiles(tmp_path), "imagexpres")
