"""What is made of a Harmony index: heights, times, places, kinds; None where the plate does not agree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harmony import edit_index, read, small
from openhcs.microscopes.harmony.facts import offsets_of, seconds_of, z_step_of
from openhcs.microscopes.harmony.model import HarmonyImage

if TYPE_CHECKING:
    from pathlib import Path


def image(
    *,
    field: int = 1,
    plane: int = 1,
    channel: int = 1,
    z: float | None = None,
    time: str = "",
    offset: float | None = None,
) -> HarmonyImage:
    return HarmonyImage(1, 1, field, plane, 0, channel, 1, None, None, z, offset, "a.tiff", time, "Ok")


def test_offsets_are_against_the_lowest_channel() -> None:
    heights = {1: -3.016e-6, 2: -6e-6, 3: -6e-6}
    images = [image(field=f, channel=c, z=z + f * 1e-6) for f in (1, 2, 3) for c, z in heights.items()]
    assert offsets_of(images) == {1: 2.984, 2: 0, 3: 0}


def test_a_channel_that_is_not_steady_has_no_offset_and_the_others_keep_theirs() -> None:
    images = [image(field=f, channel=c, z=c * 1e-6) for f in (1, 2) for c in (1, 2, 3)]
    images[-1] = images[-1]._replace(z=3.1e-6)
    assert offsets_of(images) == {1: 0, 2: 1}
    assert offsets_of([*images[:-1], images[-1]._replace(z=3.0004e-6)]) == {1: 0, 2: 1, 3: 2}


def test_a_channel_with_fewer_planes_has_its_offset_where_both_stand() -> None:
    stack = [image(plane=p, channel=1, z=p * 2e-6) for p in (1, 2, 3)]
    assert offsets_of([*stack, image(plane=2, channel=2, z=9e-6)]) == {1: 0, 2: 5}


def test_channels_that_never_meet_or_tell_no_height_have_no_offsets() -> None:
    assert offsets_of([image(field=1, channel=1, z=0.0), image(field=2, channel=2, z=1e-6)]) == {}
    assert offsets_of([image(channel=1), image(channel=2)]) == {}
    assert offsets_of([]) == {}


def test_the_step_is_that_of_one_channel() -> None:
    images = [image(plane=p, channel=c, z=p * 2e-6 + c * 1e-7) for p in (1, 2) for c in (1, 2)]
    assert z_step_of(images) == 2
    assert z_step_of(images[:2]) is None


@pytest.mark.parametrize(
    ("start", "time", "offset", "seconds"),
    [
        ("2023-03-23T14:50:32.6252176-04:00", "2023-03-23T14:52:40.42-04:00", 0.0, 127.795),
        ("2024-06-24T11:48:44.5462111-04:00", "2024-06-24T15:48:56.4354001Z", 0.0, 11.889),
        ("2024-06-24T11:48:44", "2024-06-24T11:48:45", 5.0, 1),
        ("2024-06-24T11:48:44-04:00", "2024-06-24T11:48:45", 5.0, 5),
        ("2024-06-24T11:48:44-04:00", "", 5.00049, 5),
        ("2024-06-24T11:48:44-04:00", "soon", None, None),
        ("soon", "2024-06-24T11:48:45-04:00", 5.0, 5),
        (None, "2024-06-24T11:48:45-04:00", 5.0, 5),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", None, 315537998399),
    ],
)
def test_seconds_are_from_the_start_and_else_as_the_index_counts(
    start: str | None, time: str, offset: float | None, seconds: float | None
) -> None:
    assert seconds_of(start)(image(time=time, offset=offset)) == seconds


def test_without_times_of_day_the_offset_of_the_time_point_is_told(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", t=2)
    edit_index(plate, "AbsTime>", "Unheard>")
    assert [plane.time_s for plane in read(plate).planes] == [0, 0, 600, 600]


def test_wavelengths_of_nought_are_none_and_kinds_in_lower_case(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", channels=("Brightfield", "DAPI"))
    bright, dapi = read(plate).channels
    assert (bright.excitation_nm, bright.emission_nm, bright.kind) == (740, None, "brightfield")
    assert (dapi.excitation_nm, dapi.emission_nm, dapi.kind) == (385, 450, "fluorescence")
    edit_index(plate, "ChannelType>", "Unheard>")
    assert read(plate).channels[0].kind is None


def test_what_is_not_told_is_none(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", channels=("A",))
    names = "Binning.|Objective\\w+|Position.|ImageResolution.|Main\\w+|ExposureTime|AbsTime|MeasurementStartTime"
    path = plate / "Images" / "Index.idx.xml"
    gone = rf"<({names}|PlateTypeName|PlateID|InstrumentType)\b[^>]*>[^<]*</\1>"
    path.write_text(re.sub(gone, "", text_of(plate)), "utf-8-sig")
    index = read(plate)
    (channel,) = index.channels
    assert (channel.binning, channel.magnification, channel.numerical_aperture, channel.exposure_ms) == (None,) * 4
    assert (channel.excitation_nm, channel.emission_nm, channel.z_offset_um) == (None, None, None)
    assert (index.plate_type, index.barcode, index.instrument, index.pixel_size_um) == (None,) * 4
    assert (index.positions, index.z_step_um, index.acquisitions[0].start_time) == ({}, None, None)
    assert [(plane.z_um, plane.time_s) for plane in index.planes] == [(None, 0)]


def text_of(plate: Path) -> str:
    return (plate / "Images" / "Index.idx.xml").read_text("utf-8-sig")


def test_images_that_are_not_ok_are_counted_with_an_example(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", wells=2)
    edit_index(plate, "<State>Ok<", "<State>Failed<", count=3)
    assert read(plate).warnings == ("images whose state is not Ok: 3, such as r01c01f01p01-ch1sk1fk1fl1.tiff: Failed",)


def test_channels_of_two_sizes_are_told(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1", missing=2)
    text = text_of(plate)
    before, _, after = text.rpartition("<ImageSizeX>16<")
    (plate / "Images" / "Index.idx.xml").write_text(f"{before}<ImageSizeX>32<{after}", "utf-8-sig")
    assert read(plate).warnings == ("channels differ in size: DAPI 16 × 16, FITC 16 × 32 pixels (y × x)",)


def test_the_barcode_is_the_plates_id_and_the_name_its_own(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    edit_index(plate, "<PlateID>P1<", "<PlateID>BR00122249<")
    index = read(plate)
    assert (index.name, index.barcode) == ("P1", "BR00122249")
    edit_index(plate, "<Name>P1<", "<Name><")
    assert read(plate).name == "BR00122249"
