"""The descriptor and the log of a ScanR plate."""

from __future__ import annotations

import re

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.olympus.documents import Descriptor, Stop, parse_descriptor, parse_log


def item(name: str, value: object) -> str:
    return f"<String><Name>{name}</Name><Val>{value}</Val></String>"


def document(*parts: str, head: str = '<?xml version="1.0"?>') -> bytes:
    return f"{head}<LVData><Cluster><Name>x</Name>{''.join(parts)}</Cluster></LVData>".encode("latin-1")


def channel(name: str, idle: int, exposure: object = 100) -> str:
    return item("name", name) + item("AF exposure time [ms]", 1) + item("exposure time", exposure) + item("idle", idle)


PLATE = item("format typedef", "") + item("Rows", 16) + item("Columns", 24)
TABLE = "<Array><Name>well selection table + cDNA</Name><Dimsize>2</Dimsize>"


def test_what_a_descriptor_tells():
    found = parse_descriptor(
        document(
            item("plate name", "screen 7"),
            item("Rows", 3),
            PLATE,
            item("conversion factor um/pixel", "0.6450"),
            item("slices distance", 2),
            channel("DAPI", 0, "200.00000"),
            channel("GFP", 1),
            channel("Autofocus", 0),
            channel("cy3", 0, 5),
            TABLE,
            *(item("", value) for value in (13, "B1", "gene A1", 14, "no well", 15)),
            "</Array>",
        ),
        "e.xml",
    )
    assert found == Descriptor(
        name="screen 7",
        rows=16,
        columns=24,
        pixel_um=0.645,
        z_step_um=2.0,
        channels=["DAPI", "cy3"],
        exposures_ms={"DAPI": 200.0, "cy3": 5.0},
        wells={13: "B01", 14: None, 15: None},
    )
    assert found.shape == (16, 24)


def test_a_plate_without_rows_is_of_no_told_shape():
    assert parse_descriptor(document(PLATE.replace("16", "0")), "e.xml").shape is None
    assert parse_descriptor(document(), "e.xml") == Descriptor()


@pytest.mark.parametrize(
    "head",
    [
        "",
        '<?xml version="1.0"?>',
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
    ],
)
def test_texts_that_are_no_utf_8_are_read_as_latin_1(head):
    assert parse_descriptor(document(item("plate name", "10 µm"), head=head), "e.xml").name == "10 µm"


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (PLATE.replace("16", "5000000"), "Rows is '5000000', not a number from 0 to 99"),
        (item("conversion factor um/pixel", "wide"), "conversion factor um/pixel is 'wide', not a number"),
        ("<String>", "line 1"),
    ],
)
def test_what_is_wrong_is_told(part, told):
    with pytest.raises(FormatError, match=re.escape(told)):
        parse_descriptor(document(part), "e.xml")


def test_document_types_are_refused():
    with pytest.raises(FormatError, match="document type"):
        parse_descriptor(b"<!DOCTYPE a [<!ENTITY b 'c'>]><LVData/>", "e.xml")


def test_stops_of_a_log_are_read_and_other_lines_stepped_over():
    log = (
        "STARTACQUISITION\r\nLOG\tevent\r\n"
        "IMAGEPOS\tW=13\tP=1\tT=0\tZ=0\tIMAGEX=-100.5\tIMAGEY=7,25\tIMAGEZ=3\tTIME=1.5\r\n"
        "IMAGEPOS\tW=13\tP=1\tT=0\tZ=0\tIMAGEX=0\tIMAGEY=0\tIMAGEZ=0\tTIME=0\r\n"
        "IMAGEPOS\tW=13\tP=2\tT=1\tIMAGEX=nan\tIMAGEY=5\n"
        "IMAGEPOS\tW=x\tP=2\n"
        "ENDACQUISITION"
    )
    assert parse_log(log.encode()) == {
        (13, 1, 0, 0): Stop(-100.5, 7.25, 3.0, 1.5),
        (13, 2, 1, 0): Stop(None, 5.0, None, None),
    }
    assert parse_log(b"\xff\xfe\0IMAGEPOS") == {}
