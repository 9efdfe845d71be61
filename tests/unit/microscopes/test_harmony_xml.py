"""Harmony's index as XML: any namespace, facts where a version puts them, attacks and damage refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.harmony.index_xml import MAX_DEPTH, parse_harmony

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.microscopes.harmony.index_xml import HarmonyIndex

IMAGE = (
    "<Image><id>0101K1F1P1R1</id><URL>a.tiff</URL><Row>1</Row><Col>1</Col><FieldID>1</FieldID>"
    "<ChannelID>1</ChannelID></Image>"
)


def placed(unit: str) -> str:
    return IMAGE.replace("<Row>", f'<PositionX Unit="{unit}">1</PositionX><Row>')


def document(images: str = IMAGE, head: str = "") -> bytes:
    return f"<EvaluationInputData>{head}<Images>{images}</Images></EvaluationInputData>".encode()


def parse(data: bytes) -> HarmonyIndex:
    index = parse_harmony(data, "plate/Index.xml")
    assert index is not None
    return index


def test_the_least_an_image_must_tell_is_enough() -> None:
    index = parse(document())
    (image,) = index.images
    assert (image.url, image.row, image.column, image.field, image.plane, image.timepoint) == ("a.tiff", 1, 1, 1, 1, 0)
    assert (image.x, image.y, image.z) == (None, None, None)
    assert index.channels[1].name == "1"
    assert (index.rows, index.columns, index.plate) == (None, None, "")


def test_prefixes_and_a_later_list_of_images_change_nothing() -> None:
    text = document().decode() + "\n"
    prefixed = text.replace("</", "</h:").replace("<E", "<h:E").replace("<I", "<h:I").replace("<id", "<h:id")
    for tag in ("URL", "Row", "Col", "FieldID", "ChannelID"):
        prefixed = prefixed.replace(f"<{tag}", f"<h:{tag}")
    prefixed = prefixed.replace("<h:EvaluationInputData", '<h:EvaluationInputData xmlns:h="any"')
    assert parse(prefixed.encode()) == parse(text.encode())
    twice = f"<Images>{IMAGE}</Images><Maps/>"
    assert len(parse(document(head=twice)).images) == 2


def test_references_within_wells_are_no_images() -> None:
    wells = '<Wells><Well><id>0101</id><Row>1</Row><Col>1</Col><Image id="0101K1F1P1R1" /></Well></Wells>'
    assert parse(document(head=wells)) == parse(document())


def test_facts_in_maps_are_the_channels_and_those_on_an_image_go_before() -> None:
    maps = (
        '<Maps><Map><Entry ChannelID="1"><FlatfieldProfile>{Background: INF}</FlatfieldProfile></Entry></Map>'
        '<Map><Entry ChannelID="1"><ChannelName>405ex, 570-630-em)</ChannelName>'
        '<ExposureTime Unit="s">0.5</ExposureTime>'
        "<MainEmissionWavelength>0</MainEmissionWavelength></Entry></Map></Maps>"
    )
    channel = parse(document(head=maps)).channels[1]
    assert (channel.name, channel.exposure, channel.emission) == ("405ex, 570-630-em)", 0.5, None)
    named = IMAGE.replace("</Image>", "<ChannelName>A &amp; B&#x3bc;</ChannelName></Image>")
    assert parse(document(named, maps)).channels[1].name == "A & Bμ"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_and_wide_characters_are_read(encoding: str) -> None:
    head = "<Plates><Plate><Name>384 µClear</Name></Plate></Plates>"
    assert parse(document(head=head).decode().encode(encoding)).plate == "384 µClear"


def test_another_document_is_none_of_harmonys() -> None:
    assert parse_harmony(b"<html><body/></html>", "Index.xml") is None


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><EvaluationInputData>&j;</EvaluationInputData>"
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (LAUGHS, "document type"),
        (b'<!DOCTYPE E [<!ENTITY x SYSTEM "file:///etc/passwd">]><EvaluationInputData>&x;', "document type"),
        (b"<EvaluationInputData>" + b"<a>" * 100_000, f"deeper than {MAX_DEPTH}"),
        (document(IMAGE.replace("<id>", "<id>" + "<Row>" * 100)), f"deeper than {MAX_DEPTH}"),
        (document()[:-30], "no element found|unclosed token"),
        (document(IMAGE.replace("</URL>", "")), "mismatched tag"),
        (b"", "no element found"),
        (b"\x00\x01garbage", "not well-formed"),
        (b'<?xml version="1.0" encoding="klingon"?><EvaluationInputData/>', "klingon|encoding"),
        (document(IMAGE.replace("<Row>1", "<Row>0")), "image 0101K1F1P1R1: Row is '0'"),
        (document(IMAGE.replace("<Row>1", f"<Row>{'9' * 9999}")), "image 0101K1F1P1R1: Row is '999"),
        (document(IMAGE.replace("<FieldID>1</FieldID>", "")), "FieldID is not told"),
        (document(IMAGE.replace("<Row>", "<PositionX>far</PositionX><Row>")), "PositionX is 'far', not a number"),
        (document(placed("mm")), "PositionX is given in 'mm'"),
        (document(placed("m") + placed("mm")), "PositionX is given in 'mm'"),
        (document(head="<Plates><Plate><PlateRows>1000000000</PlateRows></Plate></Plates>"), "PlateRows is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_attacks_and_damage_end_in_an_error_that_names_the_file(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says) as caught:
        parse_harmony(data, "plate/Index.xml")
    assert str(caught.value).startswith("plate/Index.xml: ")


def test_every_cut_of_a_real_index_is_refused(data: Callable[[str], Path]) -> None:
    whole = (data("operetta-sonata-2-fields") / "operetta_plate/Images/Index.idx.xml").read_bytes()
    for length in range(0, len(whole.rstrip()), 97):
        with pytest.raises(FormatError, match=r"Index\.idx\.xml: "):
            parse_harmony(whole[:length], "Index.idx.xml")
