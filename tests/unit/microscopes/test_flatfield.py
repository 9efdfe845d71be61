"""Flat-field profiles: Harmony's own spelling and JSON, names that hold anything, damage that is named."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from harmony import edit_index, read, small
from openhcs.errors import FormatError
from openhcs.microscopes.harmony.flatfield import MAX_DEGREE, MAX_DEPTH, MAX_TEXT, parse_profiles, read_flat_field

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = {
    "opera-phenix-harmonyv5-br00122249-partial": [
        *("488 650", "Alexa 488", "Alexa 568", "Alexa 647", "Digital Phase Contrast", "Brightfield high"),
    ],
    "opera-phenix-harmonyv7-index-only": [
        *("Alexa 488", "Alexa 568", "Alexa 488 Em 650", "405ex, 570-630-em)", "Alexa 647", "HOECHST 33342"),
        "Brightfield",
    ],
    "operetta-sonata-2-fields": ["Fluorescein (FITC)"],
}
PROFILE = (
    "{Background: {Character: NonFlat, Mean: 1039.144, NonFlatness: {Corrected: 0.1, Random: INF}, Profile: "
    "{Coefficients: [[1.236], [0.0166, -0.0248]], Dims: [1080, 1024], Origin: [539.5, 511.5], "
    "Scale: [0.0009, 0.001], Type: Polynomial}, Quality: 1.0}, Channel: 1, ChannelName: Alexa 647, "
    "Foreground: {Character: NonFlat, Profile: {Coefficients: [[2]], Dims: [8, 4], Origin: [0, 0], Scale: [1, 1], "
    "Type: Polynomial}}, Version: Acapella:2013}"
)


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_of_a_real_index_is_read(data: Callable[[str], Path], name: str) -> None:
    (path,) = data(name).rglob("Index*.xml")
    texts = [one.text or "" for one in ET.parse(path).iter() if one.tag.endswith("}FlatfieldProfile")]
    profiles = [parse_profiles(text) for text in texts]
    assert [profile["ChannelName"] for profile in profiles] == NAMES[name]
    assert {profile["Version"] for profile in profiles} == {"Acapella:2013"}
    for text in texts:
        field = read_flat_field(text)
        found = re.match(r".*?Coefficients: (.*?), Dims: (.*?), Origin: (.*?), Scale: (.*?), Type", text)
        assert (field is None) is (found is None)
        if field is not None and found is not None:
            coefficients, dims, origin, scale = (json.loads(one) for one in found.groups())
            assert [list(row) for row in field.coefficients] == coefficients
            assert [*field.shape[::-1], *field.origin, *field.scale] == [*dims, *origin, *scale]


def test_background_is_the_profile_and_foreground_can_be_asked_for() -> None:
    field, other = read_flat_field(PROFILE), read_flat_field(PROFILE, "Foreground")
    assert field is not None
    assert field.coefficients == ((1.236,), (0.0166, -0.0248))
    assert (field.shape, field.origin, field.scale) == ((1024, 1080), (539.5, 511.5), (0.0009, 0.001))
    assert other is not None
    assert (other.coefficients, other.shape) == (((2,),), (4, 8))
    assert parse_profiles(PROFILE)["Background"]["NonFlatness"]["Random"] == math.inf


@pytest.mark.parametrize(
    "name",
    [
        *("405ex, 570-630-em)", "a, b: c", "[z", "{x}, y", "}", "488", "a ] b", '"quoted" and more', "Alexa 647}", "µ"),
        *("Em: 650, Ex", "Version 2, Channel 3", "a,b,c", "(", "x: {y: z}"),
    ],
)
def test_a_name_may_hold_what_separates_values(name: str) -> None:
    found = parse_profiles(PROFILE.replace("Alexa 647", name))
    assert found["ChannelName"] == name
    assert list(found) == ["Background", "Channel", "ChannelName", "Foreground", "Version"]
    last = parse_profiles(f"{{Channel: 1, ChannelName: {name}}}")
    assert last["ChannelName"] == found["ChannelName"]


@pytest.mark.parametrize("name", ["405ex, 570-630-em)", "a, Version: 3", 'b " c', "back \\ slash", ""])
def test_a_quoted_name_may_hold_anything(name: str) -> None:
    assert parse_profiles(PROFILE.replace("Alexa 647", json.dumps(name)))["ChannelName"] == name


def test_a_name_within_a_profile_ends_with_it() -> None:
    text = "{Background: {Quality: 1.0, ChannelName: a}, Channel: 1}"
    assert parse_profiles(text) == {"Background": {"Quality": 1, "ChannelName": "a"}, "Channel": 1}


def test_the_json_spelling_is_read_too() -> None:
    as_json = json.dumps(parse_profiles(PROFILE)).replace("Infinity", '"INF"')
    assert read_flat_field(as_json) == read_flat_field(PROFILE)
    assert parse_profiles(as_json.replace(" ", ""))["ChannelName"] == "Alexa647"


@pytest.mark.parametrize(
    "text",
    [
        "{Background: {Character: Null, Mean: NaN, Profile: {Type: Identity}, Quality: 0.25}, Channel: 2}",
        "{Channel: 2}",
        "{}",
        "{Background: none}",
    ],
)
def test_light_that_is_even_or_not_known_has_no_profile(text: str) -> None:
    assert read_flat_field(text) is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Polynomial}, Quality", "Spline}, Quality", "is of type 'Spline', and only Polynomial is read"),
        ("[[1.236], ", "[[1.236], [1], ", "degree n are n"),
        ("[[1.236], [0.0166, -0.0248]]", "[" + "[1], " * (MAX_DEGREE + 1) + "[1]]", f"up to degree {MAX_DEGREE}"),
        ("[[1.236], [0.0166, -0.0248]]", "[]", "up to degree"),
        ("[[1.236], ", "[1.236, ", "Coefficients of degree 0: '1.236' are not numbers"),
        ("0.0166", "INF", "are not numbers"),
        ("0.0166", "1e999", "are not numbers"),
        ("0.0166", "x", "are not numbers"),
        ("Dims: [1080, 1024]", "Dims: [1080]", "Dims are 2 numbers, not 1"),
        ("Dims: [1080, 1024]", "Dims: [1080.5, 1024]", "Dims are pixels"),
        ("Dims: [1080, 1024]", "Dims: [1000000000, 1024]", "Dims are pixels"),
        ("Dims: [1080, 1024], ", "", "Dims: 'None' are not numbers"),
        ("Scale: [0.0009", "Scale: [0", "Scale is 0"),
        ("{Background", "Background", "at character 1 is 'Background: {Charact', where '{' belongs"),
        ("Acapella:2013}", "Acapella:2013", "where a text with a '}' after it belongs"),
        ("Acapella:2013}", "Acapella:2013}}", "is '}', where the end belongs"),
        ("[539.5, 511.5]", "[539.5, 511.5", "where ',' or ']' belongs"),
        ("{Background: ", "{Background ", "where a name with a ':' belongs"),
        ("Background", "x" * MAX_TEXT, f"more than {MAX_TEXT}"),
        ("[[1.236]", "[" * MAX_DEPTH + "[[1.236]", f"nests deeper than {MAX_DEPTH}"),
        ("[[1.236]", "[[" + "1, " * 20_000 + "1.236]", "more than 20000 values"),
    ],
)
def test_damage_is_named(old: str, new: str, says: str) -> None:
    assert old in PROFILE
    with pytest.raises(FormatError, match=re.escape(says)):
        read_flat_field(PROFILE.replace(old, new, 1))


@pytest.mark.parametrize(
    "text",
    [
        *("{a: " + " " * 10**6, "{a: " + ", " * 500_000, "{a: " + "} " * 500_000 + "]", '{a: "' + "\\" * 10**6),
        *("{" * 10**6, "{a: " + "x, Mean " * 100_000, "{a: " + '"' * 10**6, "{a: b" + ",c" * 500_000, "[" * 10**6),
        *("{a: " + ', "' * 300_000, "{a: x y" + "},a" * 300_000, "{a: x y" + '},"' * 300_000),
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    with pytest.raises(FormatError):
        parse_profiles(text)


def test_a_plate_with_a_damaged_profile_is_read_and_the_channel_told(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    assert sorted(read(plate).flat_fields) == [1, 2]
    edit_index(plate, "Coefficients: [[1.1]", "Coefficients: [[1.1", count=1)
    index = read(plate)
    assert sorted(index.flat_fields) == [2]
    (warning,) = index.warnings
    assert warning.startswith("channel 1: the flat-field profile is damaged: at character ")


def test_a_profile_of_no_channel_is_left_alone(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    edit_index(plate, 'Entry ChannelID="2"', 'Entry ChannelID="9"')
    assert sorted(read(plate).flat_fields) == [1]


def test_profiles_in_documents_of_their_own_are_read_where_the_index_has_none(tmp_path: Path) -> None:
    plate = small(tmp_path / "P1")
    fields = read(plate).flat_fields
    path = plate / "Images" / "Index.idx.xml"
    maps = path.read_text("utf-8-sig").partition("<Maps>")[2].partition("</Maps>")[0]
    edit_index(plate, maps, "")
    assert read(plate).flat_fields == {}
    (plate / "FFC_Profile").mkdir()
    document = plate / "FFC_Profile" / "FFC_Profile_Measurement 1.xml"
    document.write_text(f'<FFC xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5">{maps}</FFC>', "utf-8")
    index = read(plate)
    assert index.flat_fields == fields
    assert len(fields) == 2
    assert "FFC_Profile/FFC_Profile_Measurement 1.xml" in index.metadata_files
    document.write_text(f"<FFC>{maps}", "utf-8")
    assert read(plate).flat_fields == {}
    (warning,) = read(plate).warnings
    assert "FFC_Profile_Measurement 1.xml: line " in warning
