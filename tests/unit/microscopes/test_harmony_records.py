"""Records read by pattern: the same answer as element by element, for whatever a document holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harmony import small
from openhcs.errors import FormatError
from openhcs.microscopes.harmony import records as harmony_records
from openhcs.microscopes.harmony.index_xml import parse_harmony
from openhcs.microscopes.harmony.model import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN = (
    "<Image><id>{n}</id><State>Ok</State><URL>{n}.tiff</URL><Row>1</Row><Col>{n}</Col><FieldID>1</FieldID>"
    "<ChannelID>1</ChannelID><ChannelName>A &amp; B</ChannelName><PositionX Unit='m'>-{n}E-06</PositionX></Image>\n"
)


def document(*records: str, declared: str = "") -> bytes:
    return f"{declared}<EvaluationInputData><Images>{''.join(records)}</Images></EvaluationInputData>".encode()


def plain(number: int, old: str = "", new: str = "") -> str:
    record = PLAIN.format(n=number)
    assert old in record
    return record.replace(old, new)


ODD = {
    "an element more": plain(3, "<State>", "<Extra a='1'>x</Extra><State>"),
    "an element fewer": plain(3, "<State>Ok</State>"),
    "another order": plain(3, "<Row>1</Row>").replace("<FieldID>", "<Row>2</Row><FieldID>"),
    "a child twice": plain(3, "<Row>1</Row>", "<Row>1</Row><Row>2</Row>"),
    "an entity": plain(3, "3.tiff", "a&amp;b.tiff"),
    "a number as an entity": plain(3, "<Row>1<", "<Row>&#50;<"),
    "CDATA": plain(3, "3.tiff", "<![CDATA[<b>.tiff]]>"),
    "a comment with a record": plain(3, "<Row>", "<!-- " + plain(9) + " --><Row>"),
    "a comment within a number": plain(3, "<Row>1<", "<Row>1<!-- 0 -->2<"),
    "an instruction": plain(3, "<Row>", "<?go <Image></Image> ?><Row>"),
    "an empty element": plain(3, "<URL>3.tiff</URL>", "<URL />"),
    "an empty text": plain(3, "<URL>3.tiff<", "<URL><"),
    "a child that nests": plain(3, "<State>Ok</State>", "<State><Row>7</Row>Ok</State>"),
    "an image within": plain(3, "<State>Ok</State>", "<State><Image><Row>7</Row></Image></State>"),
    "spaces": plain(3, "<Row>1<", "<Row>\n\t 1 <"),
    "zeros in front": plain(3, "<Row>1<", "<Row>01<"),
    "not finite": plain(3, "-3E-06", "INF"),
    "many digits": plain(3, "-3E-06", "0." + "1" * 60),
    "no number": plain(3, "-3E-06", ""),
    "a new channel": plain(3, "<ChannelID>1<", "<ChannelID>2<"),
    "line ends": plain(3, "3.tiff", "3\r\n.tiff").replace("><", ">\r\n<"),
    "an attribute": plain(3, "<Image>", "<Image Version='2' State=\"a > b\">"),
    "a prefix": plain(3, "<Image>", "<Image xmlns:h='x'>").replace("Row>", "h:Row>"),
    "letters": plain(3, "3.tiff", "µ ü 細胞.tiff"),
    "the list ends and goes on": "</Images><Wells><Well><Image id='1'></Image></Well></Wells><Images>" + plain(3),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_record_that_is_odd_changes_nothing(odd: str) -> None:
    data = document(plain(1), plain(2), odd, plain(4), plain(5), odd, plain(6))
    whole = parse_harmony(data, "Index.xml", by_pattern=False)
    assert parse_harmony(data, "Index.xml") == whole
    assert whole is not None
    assert len(whole.images) == 7


DAMAGE = {
    "a number out of range": plain(3, "<Row>1<", "<Row>100<"),
    "another unit": plain(3, "Unit='m'", "Unit='mm'"),
    "no well": plain(3, "<Row>1</Row>"),
    "a mark that is none": plain(3, "3.tiff", "3]]>.tiff"),
    "a character that is none": plain(3, "3.tiff", "\x01"),
    "an entity that is none": plain(3, "A &amp; B", "&bad;"),
    "a tag that does not close": plain(3, "</URL>"),
    "letters that are none": "\udcff",
    "letters that are none in an address": plain(3, "3.tiff", "\udcff.tiff"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_told_alike_with_its_place(damage: str) -> None:
    data = document(plain(1), plain(2), "LETTERS", plain(4)).replace(
        b"LETTERS", damage.encode("utf-8", "surrogateescape")
    )
    said = []
    for by_pattern in (True, False):
        with pytest.raises(FormatError) as caught:
            parse_harmony(data, "Index.xml", by_pattern=by_pattern)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8", "cp1252"])
def test_other_encodings_are_read_alike(encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'
    data = document(plain(1), plain(2, "2.tiff", "µ.tiff"), plain(3), declared=declared).decode().encode(encoding)
    found = parse_harmony(data, "Index.xml")
    assert found == parse_harmony(data, "Index.xml", by_pattern=False)
    assert found is not None
    assert found.images[1].url == "µ.tiff"


@pytest.mark.parametrize("name", ["opera*", "operetta*"])
def test_real_indexes_read_alike(data: Callable[[str], Path], name: str) -> None:
    folders = list(data(".").glob(name))
    for path in (path for folder in folders for path in folder.rglob("Index*.xml")):
        whole = path.read_bytes()
        assert parse_harmony(whole, "Index.xml") == parse_harmony(whole, "Index.xml", by_pattern=False)


@pytest.mark.parametrize("layout", ["opera_phenix", "opera_phenix_v7"])
def test_one_record_of_each_channel_is_read_element_by_element(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    plate = small(tmp_path / "P1", layout=layout, wells=24, sites=3, channels=("A", "B", "C"), t=2)
    (path,) = plate.rglob("Index*.xml")
    read = []
    image = Record.image
    monkeypatch.setattr(Record, "image", lambda self: read.append(self) or image(self))
    index = parse_harmony(path.read_bytes(), "Index.xml")
    assert index is not None
    assert len(index.images) == 24 * 3 * 3 * 2
    assert len(read) == 3


def test_entities_in_what_is_not_kept_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    image = Record.image
    monkeypatch.setattr(Record, "image", lambda self: read.append(self) or image(self))
    assert "&amp;" in PLAIN
    parse_harmony(document(*map(plain, range(1, 99))), "Index.xml")
    assert len(read) == 1


def test_records_of_many_forms_are_read_and_patterns_stay_few() -> None:
    records = [plain(number, "<State>", f"<Extra{number}>x</Extra{number}><State>") for number in range(1, 90)]
    data = document(*records, *records)
    found = parse_harmony(data, "Index.xml")
    assert found == parse_harmony(data, "Index.xml", by_pattern=False)
    patterns = harmony_records.Patterns()
    for record in map(str.encode, records):
        patterns.read(record, 0, len(record.rstrip()), {1})
    assert len(patterns._known) == harmony_records.MOST_PATTERNS
