"""``metadata.txt`` of Micro-Manager: every version's records, long and cut texts, and hostile ones."""

from __future__ import annotations

import json

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.micromanager import text as micro_manager_text
from openhcs.microscopes.micromanager.text import Frame, parse_metadata

# Values as the Micro-Manager documentation shows them for 1.4 (page "Files and Metadata").
SUMMARY_1 = {
    "Channels": 3,
    "ChColors": [-3342592, -13382401, -1],
    "ChNames": ["DAPI", "FITC", "Rhodamine"],
    "Frames": 7,
    "Positions": 2,
    "Slices": 5,
    "Width": 512,
    "Height": 256,
    "PixelSize_um": 1,
    "PixelType": "GRAY8",
    "Time": "2011-01-18 Tue 16:52:41 -0800",
    "z-step_um": -1,
    "InitialPositionList": [
        {"Label": "A1-Site_0", "GridRowIndex": 0, "DeviceCoordinatesUm": {"Z": [5], "XY": [-9.5, 8]}},
        {"Label": "Pos1"},
        None,
    ],
}
SUMMARY_2 = {
    "ChNames": ["Cy5"],
    "IntendedDimensions": {"time": 4, "position": 2, "z": 0},
    "Slices": 9,
    "StagePositions": [
        {
            "Label": "B2-Site_3",
            "DefaultXYStage": "XYStage",
            "DevicePositions": [
                {"Device": "Other", "Position_um": [0, 0]},
                {"Device": "XYStage", "Position_um": [1.5, -2]},
            ],
        }
    ],
    "StartTime": "2020-02-04 10:11:12.123 -0800",
    "PixelType": "GRAY16",
}
RECORD = {
    "Channel": "DAPI",
    "PositionName": "Pos1",
    "PositionIndex": 1,
    "ElapsedTime-ms": 503,
    "Exposure-ms": "10.5",
    "XPositionUm": {"PropVal": "1.25", "PropType": "String"},
    "YPositionUm": -3,
    "ZPositionUm": float("nan"),
    "PixelSizeUm": 0,
    "Camera-Binning": "2x4",
    "Objective-Label": "Nikon 10X S Fluor",
    "FileName": "a.ome.tif",
}


def written(members):
    """Return a text as Micro-Manager writes it: keys may repeat."""
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, indent=2)}" for key, value in members) + "\n}\n"


def parsed(*members):
    return parse_metadata(written(members).encode(), "metadata.txt")


def test_the_summary_of_version_1_is_read():
    found = parsed(("Summary", SUMMARY_1)).summary
    assert found.channels == ("DAPI", "FITC", "Rhodamine")
    assert found.colors == ("CCFF00", "33CCFF", None)
    assert found.sizes == {"time": 7, "channel": 3, "z": 5, "position": 2}
    assert found.positions == (("A1-Site_0", (-9.5, 8.0)), ("Pos1", None), ("", None))
    assert (found.pixel_um, found.z_step_um, found.shape, found.pixel_type) == (1.0, 1.0, (256, 512), "GRAY8")
    assert found.start_time == "2011-01-18T16:52:41-08:00"


def test_the_summary_of_version_2_is_read():
    found = parsed(("Summary", SUMMARY_2)).summary
    assert found.sizes == {"time": 4, "position": 2, "z": 1}
    assert found.positions == (("B2-Site_3", (1.5, -2.0)),)
    assert found.start_time == "2020-02-04T10:11:12.123-08:00"


def test_a_record_of_version_1_is_read():
    [frame] = parsed(("Summary", SUMMARY_1), ("FrameKey-6-1-4", RECORD)).frames
    assert frame == Frame(
        t=6, c=1, z=4, position=1, label="Pos1", file="a.ome.tif", channel="DAPI", elapsed_ms=503.0, exposure_ms=10.5,
        x=1.25, y=-3.0, height=None, pixel_um=None, binning=(4, 2), objective="Nikon 10X S Fluor",
    )  # fmt: skip


@pytest.mark.parametrize(
    "indices",
    [
        {"channel": 1, "z": 2, "position": 3, "time": 4},
        {"Frame": 4, "FrameIndex": 4, "ChannelIndex": 1, "Slice": 2, "SliceIndex": 2, "PositionIndex": 3},
        {"completeCoords": {"channel": 1, "z": 2, "position": 3, "time": 4}, "Frame": 4},
    ],
)
def test_records_of_version_2_come_in_two_parts(indices):
    name = "Pos1/img_channel001_position003_time000000004_z002.tif"
    found = parsed(("Summary", SUMMARY_2), (f"Coords-{name}", indices), (f"Metadata-{name}", RECORD), ("x", [1]))
    [frame] = found.frames
    assert (frame.t, frame.c, frame.z, frame.position, frame.file) == (4, 1, 2, 3, name)
    assert (frame.label, frame.x, frame.exposure_ms) == ("Pos1", 1.25, 10.5)


def test_keys_that_repeat_are_records_of_several_positions():
    members = [("FrameKey-0-0-0", {"PositionIndex": p, "PositionName": f"Pos{p}"}) for p in range(3)]
    assert [frame.label for frame in parsed(("Summary", SUMMARY_2), *members).frames] == ["Pos0", "Pos1", "Pos2"]


def test_a_summary_that_stands_last_or_within_the_records_is_found():
    assert parsed(("FrameKey-0-0-0", {}), ("Summary", SUMMARY_2)).summary.channels == ("Cy5",)
    assert parsed(("FrameKey-0-0-0", {"Summary": SUMMARY_1})).summary.channels[0] == "DAPI"


def test_a_channel_without_a_name_in_its_record_has_that_of_the_summary():
    frames = parsed(("Summary", SUMMARY_2), ("FrameKey-0-0-0", {}), ("FrameKey-0-1-0", {})).frames
    assert [frame.channel for frame in frames] == ["Cy5", ""]


def test_a_text_that_breaks_off_keeps_every_whole_record_wherever_it_breaks():
    whole = written([("Summary", SUMMARY_2), *[(f"FrameKey-{t}-0-0", RECORD) for t in range(3)]])
    starts = [whole.index(f'"FrameKey-{t}') for t in range(3)]
    ends = [
        *[whole.rindex("}", 0, start) + 1 for start in starts[1:]],
        whole.rindex("}", 0, len(whole.rstrip()) - 1) + 1,
    ]
    for length in range(starts[0], len(whole)):
        found = parse_metadata(whole[:length].encode(), "metadata.txt")
        assert len(found.frames) == sum(end <= length for end in ends), whole[:length][-40:]
        assert found.cut is (length < len(whole.rstrip()))


def test_a_text_in_the_language_of_the_machine_is_read():
    text = written([("Summary", {**SUMMARY_2, "ChNames": ["µ"]})]).encode().decode("unicode_escape")
    assert parse_metadata(text.encode("latin-1"), "a").summary.channels == ("µ",)
    assert parse_metadata(text.encode("utf-8-sig"), "a").summary.channels == ("µ",)


@pytest.mark.parametrize("text", ["", "Exposure: 3", "[1, 2]", '{"a": 1}', "{}", '{"Summary": 3}'])
def test_other_texts_are_none(text):
    assert parse_metadata(text.encode(), "metadata.txt") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"Summary": {"Frames": "x"}}', "Summary: Frames is 'x', not a number from 0"),
        ('{"Summary": {"Frames": 1e400}}', "Frames is inf"),
        ('{"Summary": {"Frames": 99999999999}}', "Frames is 99999999999, not a number"),
        ('{"Summary": {}, "FrameKey-9999999-0-0": {}}', "counts beyond 1000000"),
        ('{"Summary": {}, "FrameKey-0-0": {}}', "is no FrameKey"),
        ('{"Summary": {}, "Coords-a.tif": {"Frame": -1}}', "Coords-a.tif: Frame is -1"),
        ('{"Summary": {},\n\n"FrameKey-0-0-0": {"a" 1},\n"FrameKey-1-0-0": {}}', "line 3: Expecting ':'"),
        ('{"Summary": {}, "FrameKey-0-0-0": {"a": ' + "9" * 5000 + "}}", "Exceeds the limit"),
        ('{"Summary": ' + "[" * 150_000 + "}", "recursion"),
        ('{"Summary": [' + "1," * 300_000 + "1]}", "a record of more than 200000 values"),
    ],
)
def test_what_is_wrong_with_a_text_is_told(text, told):
    with pytest.raises(FormatError, match=told) as caught:
        parse_metadata(text.encode(), "folder/metadata.txt")
    assert "folder/metadata.txt" in str(caught.value)


def test_a_text_of_too_many_records_is_refused(monkeypatch):
    monkeypatch.setattr(micro_manager_text, "MOST_FRAMES", 10)
    with pytest.raises(FormatError, match="more than 10 records"):
        parsed(*[(f"FrameKey-{t}-0-0", {}) for t in range(11)])
