"""Documents of the Matrix Screener: OME-XML of 2008-09 and the stitcher's tiles."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.leica.xml import FieldDocument, parse_field, parse_tiles

IMAGE = "image--L00--S00--U00--V00--J20--E00--O00--X00--Y01--T00--Z00--C01.ome.tif"
DOCUMENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2008-09"><Instrument>
<Microscope Manufacturer="Leica Microsystems" Model="DMI6000B-CS"/>
<Objective Model="HC PL APO CS"><LensNA>0.14E1</LensNA><NominalMagnification>2</NominalMagnification></Objective>
</Instrument><Image><CreationDate>2014-11-20T10:22:49.811</CreationDate>
<Pixels PhysicalSizeX="0.24E0" PhysicalSizeY="0.25E0" PhysicalSizeZ="2.0">
<TiffData FirstC="1" FirstZ="0"><UUID FileName="D:\\x\\{IMAGE}">urn:uuid:1</UUID></TiffData>
<Plane TheZ="0" TheC="1"><StagePosition PositionX="0.427E-1" PositionY="0.321E-1" PositionZ="0.15E-5"/></Plane>
</Pixels></Image><CustomAttributes>
<OriginalMetadata Name="Channels - ChannelDescription - LUTName" Value="Red"/>
<OriginalMetadata Name="Channels - ChannelDescription - LUTName" Value="Fire"/>
<OriginalMetadata Name="Attachment - ATLConfocalSettingDefinition - Magnification" Value="63"/>
<OriginalMetadata Name="Attachment - ATLConfocalSettingDefinition - ObjectiveName" Value="HC PL APO CS2    63x/1.40 "/>
<OriginalMetadata Name="Attachment - ATLConfocalSettingDefinition - NumericalAperture" Value="1.4"/>
<OriginalMetadata Name="Attachment - ATLConfocalSettingDefinition - Quantity - Value" Value="many"/>
</CustomAttributes></OME>"""


def test_what_a_document_tells_of_its_field():
    found = parse_field(DOCUMENT.encode(), "a.xml", settings=True)
    assert found == FieldDocument(
        created="2014-11-20T10:22:49.811",
        instrument="Leica Microsystems DMI6000B-CS",
        model="HC PL APO CS2 63x/1.40",
        aperture=1.4,
        magnification=63.0,
        pixel_um=(0.25, 0.24),
        z_step_um=2.0,
        place_um=(42700.0, 32100.0),
        heights={0: 1.5},
        files={IMAGE: (1, 0)},
        colors=["FF0000", None],
    )


def test_settings_are_not_walked_through_unless_they_are_asked_for():
    broken = DOCUMENT.partition("<CustomAttributes>")[0] + "<broken"
    found = parse_field(broken.encode(), "a.xml")
    assert found is not None
    assert (found.model, found.magnification, found.colors) == ("HC PL APO CS", 2.0, [])
    with pytest.raises(FormatError, match="line 9"):
        parse_field(broken.encode(), "a.xml", settings=True)


def test_other_documents_are_none():
    assert parse_field(b"<LDM_Block_Sequence/>", "t.xml") is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.24E0", "wide", "PhysicalSizeX is 'wide', not a number"),
        ('FirstC="1"', 'FirstC="-1"', "FirstC is '-1', not a number from 0"),
        ('TheZ="0"', 'TheZ="9999999999"', "TheZ is"),
        ("<Image>", "<Image", "line 5"),
        ("<OME", "<!DOCTYPE a><OME", "document type"),
    ],
)
def test_what_is_wrong_is_told(old, new, told):
    with pytest.raises(FormatError, match=re.escape(told)):
        parse_field(DOCUMENT.replace(old, new).encode(), "a.xml")


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "", "-1"])
def test_numbers_that_are_none_are_not_told(value):
    found = parse_field(DOCUMENT.replace("0.24E0", value).encode(), "a.xml")
    assert found is not None
    assert found.pixel_um is None


@pytest.mark.parametrize("field", ["X00--Y00", "X00--Y01"])
def test_the_real_documents_tell_what_a_plain_walk_finds(data, field):
    path = next(data("leica-matrix-screener").glob(f"slide--S00/*/field--{field}/metadata/*.xml"))
    found = parse_field(path.read_bytes(), str(path))
    assert found is not None
    root = ET.fromstring(path.read_bytes())
    space = {"o": "http://www.openmicroscopy.org/Schemas/OME/2008-09"}
    stage = root.find(".//o:StagePosition", space).attrib
    pixels = root.find(".//o:Pixels", space).attrib
    assert found.place_um == pytest.approx((float(stage["PositionX"]) * 1e6, float(stage["PositionY"]) * 1e6), abs=1e-3)
    assert found.pixel_um == (float(pixels["PhysicalSizeY"]), float(pixels["PhysicalSizeX"]))
    assert found.created == root.findtext(".//o:CreationDate", namespaces=space)
    assert set(found.files) == {one.attrib["FileName"] for one in root.iterfind(".//o:UUID", space)}
    assert found.z_step_um is None


def test_the_real_tiles_are_read(data):
    folder = data("leica-matrix-screener") / "slide--S00" / "chamber--U00--V00"
    tiles = parse_tiles((folder / "TileConfiguration.registered.txt").read_bytes())
    assert list(tiles.values()) == [(0.0, 0.0), (3.2326183, 936.7469)]
    assert next(iter(tiles)).endswith("--X00--Y00--T00--Z00--C01.ome.tif")


@pytest.mark.parametrize(
    "line",
    [
        b"a.tif; ; (1.0)",
        b"a.tif; ; (x, 2)",
        b"a.tif (1, 2)",
        b"a.tif; ; (nan, 2)",
        b"\xff\xfe;",
        b"a.tif; ; " + b" " * 10**6,
    ],
)
def test_lines_that_are_no_tiles_are_stepped_over(line):
    assert parse_tiles(line + b"\ndir/b.tif; 0; (1, 2, 3)\r\n") == {"b.tif": (1.0, 2.0)}
