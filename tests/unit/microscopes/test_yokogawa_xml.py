"""CellVoyager's documents as they are: with and without a byte order mark, cut, hostile, absurd."""

from __future__ import annotations

import pytest

from cellvoyager_documents import BTS, channel, error, image, mes, mlf, timeline
from openhcs.errors import FormatError
from openhcs.microscopes.yokogawa.protocol import named, parse_protocol
from openhcs.microscopes.yokogawa.xml import MOST_ELEMENTS, Failure, parse_records, parse_tree

BOM = b"\xef\xbb\xbf"
DOCUMENT = mlf(
    [
        image("C03", 2, 4, 5, time=3, timeline=2, action=7, X="-1350.0", Y="1350.0", Z="-13.0", file="a & b_µ.tif")[0],
        image(ZImageProcessing="Maximum", ZTop="76.0", ZBottom="-20.0", PartialTileIndex="2")[0],
        error("F06", "AF Error at F06 No. 5 (P1)", field=5),
        error("N09", "AF Error at N09 No. 0 (P1)", PartialTileIndex="1"),
    ]
)


@pytest.mark.parametrize("data", [DOCUMENT.encode(), BOM + DOCUMENT.encode()])
def test_records_tell_images_and_failures(data):
    records = parse_records(data, "m.mlf")
    first, second = records.images
    assert first == (
        "a & b_µ.tif", 3, 3, 2, 3, 2, 7, 5, 4, -1350.0, 1350.0, -13.0, "2025-03-03T13:17:03.250+01:00", "", "",
    )  # fmt: skip
    assert (second.processing, second.tile) == ("Maximum", "2")
    assert records.failures == [
        Failure("AF Error at F06 No. 5 (P1)", 6, 6, 5, 1, 1, -20.0, 25.0),
        Failure("AF Error at N09 No. 0 (P1)", 14, 9, None, 1, 1, -20.0, 25.0),
    ]


def test_another_prefix_and_encoding_read_the_same():
    other = DOCUMENT.replace("bts:", "b:").replace("xmlns:bts", "xmlns:b").replace("utf-8", "utf-16")
    assert parse_records(other.encode("utf-16"), "m.mlf") == parse_records(DOCUMENT.encode(), "m.mlf")


def test_documents_of_others_are_left_to_them():
    assert parse_records(b"<Other/>", "m.mlf") is None
    assert parse_tree(b"<Other/>", "m.wpi", "WellPlate") is None
    assert parse_protocol(b"<Other/>", "m.mes") is None


LINE = '<bts:MeasurementRecord bts:Type="IMG"{}>x.tif</bts:MeasurementRecord>'
PLACE = ' bts:Row="{}" bts:Column="{}" bts:FieldIndex="{}" bts:Ch="{}"'
HOSTILE = {
    "cut": (DOCUMENT[:-200].encode(), "line"),
    "in another encoding than it says": (DOCUMENT.encode("latin-1"), "invalid token"),
    "of an encoding nobody knows": (DOCUMENT.replace("utf-8", "klingon").encode(), "decoded|encoding"),
    "with entities": (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        f"<bts:MeasurementData {BTS}>&b;</bts:MeasurementData>".encode(),
        "document type",
    ),
    "nested without end": (f"<bts:MeasurementData {BTS}>".encode() + b"<a>" * 1000, "deeper"),
    "empty": (b"", "line 1"),
    "no document": (b"\x00\x01\x02", "line 1"),
    "without a row": (mlf([LINE.format(' bts:Column="1" bts:FieldIndex="1" bts:Ch="1"')]).encode(), "tell its Row"),
    "without a field": (mlf([LINE.format(' bts:Row="1" bts:Column="1" bts:Ch="1"')]).encode(), "tell its FieldIndex"),
    "with a word for a row": (mlf([LINE.format(PLACE.format("one", 1, 1, 1))]).encode(), "x.tif.*damaged.*one"),
    "with row 0": (mlf([LINE.format(PLACE.format(0, 1, 1, 1))]).encode(), "0 is not from 1"),
    "with row 10⁹": (mlf([LINE.format(PLACE.format(10**9, 1, 1, 1))]).encode(), "not from 1 to 702"),
    "with a huge field": (mlf([LINE.format(PLACE.format(1, 1, 10**30, 1))]).encode(), "is not from"),
    "with a long number": (mlf([LINE.format(PLACE.format(1, 1, "9" * 5000, 1))]).encode(), "damaged"),
    "at no place": (mlf([LINE.format(PLACE.format(1, 1, 1, 1) + ' bts:X="nan"')]).encode(), "X is nan"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_records_are_refused(name):
    data, told = HOSTILE[name]
    with pytest.raises(FormatError, match=told) as caught:
        parse_records(data, "/plate/MeasurementData.mlf")
    assert "/plate/MeasurementData.mlf" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_small_document_that_is_not_small_is_refused():
    data = f"<bts:WellPlate {BTS}>".encode() + b"<a/>" * MOST_ELEMENTS + b"</bts:WellPlate>"
    with pytest.raises(FormatError, match="more than 200000 elements"):
        parse_tree(data, "p.wpi", "WellPlate")


def test_a_setting_tells_channels_as_they_were_taken():
    protocol = parse_protocol(
        mes(
            [timeline(["A01"], [[1]])],
            [
                channel(1, "405"),
                channel(2, "Ch1_Confocal_405nm/100mW_BP447/60", "BP447/60", "488nm", Color="#00ffa1", Binning=1),
                channel(5, "Brightfield", "none", "Lamp", Kind="Brightfield", Color="red", ExposureTime=""),
            ],
        ).encode(),
        "p.mes",
    )
    one, two, five = (protocol.channels[number][0] for number in (1, 2, 5))
    assert (one.name, one.excitation_nm, one.emission_nm, one.exposure_ms) == ("405", 405.0, 445.0, 100.0)
    assert (one.color, one.binning, one.objective, one.magnification) == ("002FFF", (2, 2), "20x v2", 20.0)
    assert one.kind == "confocalfluorescence"
    assert (two.name, two.emission_nm, two.color) == ("Ch1_Confocal_405nm/100mW_BP447/60", 447.0, "00FFA1")
    assert (five.excitation_nm, five.emission_nm, five.color, five.exposure_ms) == (None, None, None, None)
    assert five.kind == "brightfield"


def test_two_light_sources_are_no_excitation():
    both = channel(1, "all").replace("</bts:Channel>", "<bts:LightSourceName>488nm</bts:LightSourceName></bts:Channel>")
    protocol = parse_protocol(mes([], [both]).encode(), "p.mes")
    assert protocol.channels[1][0].excitation_nm is None


def test_channels_with_one_name_are_told_with_filter_and_number():
    told = {
        "same": [channel(1, "Microscope Image"), channel(2, "Microscope Image", "BP525/50"), channel(3, "BF")],
        "alike": [channel(1, "GFP"), channel(2, "GFP"), channel(3, "RFP")],
    }
    names = {}
    for key, channels in told.items():
        protocol = parse_protocol(mes([], channels).encode(), "p.mes")
        names[key] = [one.name for one in named(protocol.channels, [1, 2, 3, 9])]
    assert names["same"] == ["Microscope Image BP445/45", "Microscope Image BP525/50", "BF", "9"]
    assert names["alike"] == ["GFP 1", "GFP 2", "RFP", "9"]
    protocol = parse_protocol(mes([], told["alike"]).encode(), "p.mes")
    assert [one.name for one in named(protocol.channels, [2, 3])] == ["GFP", "RFP"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            mes([timeline(["A01"], [[1]])]).replace('bts:SliceLength="2"', 'bts:SliceLength="1e-320"'),
            "takes inf planes",
        ),
        (mes([timeline(["A01"], [[1]], slices=10**6)]), "takes 999999 planes"),
        (mes([timeline(["A01"], [[1]])]).replace('bts:TopDistance="0"', 'bts:TopDistance="high"'), "TopDistance"),
        (mes([timeline(["A01"], [[1]])]).replace('bts:Row="1"', 'bts:Row="9999"'), "Row of TargetWell is 9999"),
        (mes([timeline(["A01"], [[1]])]).replace('bts:Row="1"', 'bts:Row="1.5"'), "whole number"),
        (mes([timeline(["A01"], [[1]], points=10_001)]), "10001 points"),
        (mes([], [channel(1, "x", ExposureTime="inf")]), "ExposureTime of Channel is no number"),
    ],
)
def test_a_setting_with_absurd_numbers_is_refused(text, told):
    with pytest.raises(FormatError, match=told):
        parse_protocol(text.replace('TopDistance="0"', 'TopDistance="2"').encode(), "p.mes")


def test_wells_and_timelines_that_are_not_selected_are_not_promised():
    text = mes([timeline(["A01", "B02"], [[1, 2], [3]], points=3, slices=4)])
    line = parse_protocol(text.encode(), "p.mes").timelines[0]
    assert line.wells == {(1, 1), (2, 2)}
    assert line.points == ((100.0, 50.0), (200.0, 50.0), (300.0, 50.0))
    assert [(action.channels, action.slices) for action in line.actions] == [((1, 2), 4), ((3,), 4)]
    off = parse_protocol(text.replace(">true<", ">false<").encode(), "p.mes").timelines[0]
    assert off.wells == frozenset()
    off = parse_protocol(text.replace('IsSelected="true"', 'IsSelected="false"').encode(), "p.mes").timelines[0]
    assert off.wells == frozenset()
