"""The parser of OME-XML, against ElementTree on real documents, and on documents nobody should send."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET

import pytest

from openhcs.errors import FormatError
from openhcs.microscopes.ome import xml as ome_xml
from openhcs.microscopes.ome.units import MICROMETRES, SECONDS, converted
from openhcs.microscopes.ome.xml import is_ome, parse_description, parse_ome

DOCUMENTS = [
    "ome-tiff-companion-c3-z33/c3_z33.companion.ome",
    "ome-xml-plates/MMStack.ome.xml",
    "ome-xml-plates/hcs.ome.xml",
    "ome-xml-plates/one-screen-one-plate-four-wells.ome.xml",
]


def document(inner="", *, namespace="http://www.openmicroscopy.org/Schemas/OME/2016-06", more=""):
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{namespace}" {more}>{inner}</OME>'.encode()


def image(pixels="", *, sizes='SizeX="4" SizeY="3" SizeZ="1" SizeC="1" SizeT="1"', more="", inside=""):
    return (
        f'<Image ID="Image:0" {more}>{inside}<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" {sizes}>'
        f"{pixels}</Pixels></Image>"
    )


def parsed(inner, **more):
    found = parse_ome(document(inner, **more), "a.ome.xml")
    assert found is not None
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_real_document_is_read_as_a_plain_walk_reads_it(data, name):
    folder, _, file = name.partition("/")
    path = data(folder) / file
    found = parse_ome(path.read_bytes(), str(path))
    root = ET.parse(path).getroot()
    space = re.match(r"\{.*\}", root.tag)[0]

    def every(element, tag):
        return element.findall(f".//{space}{tag}")

    assert [one.id for one in found.images] == [one.get("ID") for one in root.findall(f"{space}Image")]
    for mine, theirs in zip(found.images, root.findall(f"{space}Image"), strict=True):
        pixels = theirs.find(f"{space}Pixels")
        assert mine.name == theirs.get("Name")
        assert mine.order == pixels.get("DimensionOrder")
        assert mine.type == pixels.get("Type")
        assert mine.shape == (int(pixels.get("SizeY")), int(pixels.get("SizeX")))
        assert mine.sizes == tuple(int(pixels.get(f"Size{axis}")) for axis in "ZCT")
        assert mine.pixel_um == (float(pixels.get("PhysicalSizeY")), float(pixels.get("PhysicalSizeX")))
        assert [one.name for one in mine.channels] == [one.get("Name", "") for one in every(pixels, "Channel")]
        waves = [one.get("ExcitationWavelength") for one in every(pixels, "Channel")]
        assert [one.excitation_nm for one in mine.channels] == [float(wave) if wave else None for wave in waves]
        blocks = every(pixels, "TiffData")
        assert len(mine.blocks) == len(blocks)
        for block, other in zip(mine.blocks, blocks, strict=True):
            uuid = other.find(f"{space}UUID")
            assert (block.z, block.c, block.t) == tuple(int(other.get(f"First{axis}", 0)) for axis in "ZCT")
            assert (block.ifd, block.count) == tuple(
                None if other.get(key) is None else int(other.get(key)) for key in ("IFD", "PlaneCount")
            )
            assert (block.file, f"urn:uuid:{block.uuid}") == (uuid.get("FileName"), uuid.text)
        planes = every(pixels, "Plane")
        assert [(one.z, one.c, one.t) for one in mine.planes] == [
            tuple(int(one.get(f"The{axis}")) for axis in "ZCT") for one in planes
        ]
        assert [(one.x, one.y, one.height) for one in mine.planes] == [
            tuple(float(one.get(f"Position{axis}")) for axis in "XYZ") for one in planes
        ]
        thousandth = [one.get("DeltaTUnit") == "ms" for one in planes]
        assert [one.delta_s for one in mine.planes] == [
            float(one.get("DeltaT")) / (1000 if small else 1) for one, small in zip(planes, thousandth, strict=True)
        ]
    samples = [(well, sample) for well in every(root, "Well") for sample in well.findall(f"{space}WellSample")]
    assert [sample for plate in found.plates for sample in plate.samples] == [
        ome_xml.OmeSample(
            sample.get("ID"),
            int(well.get("Row")),
            int(well.get("Column")),
            int(sample.get("Index")),
            sample.find(f"{space}ImageRef").get("ID"),
            None,
        )
        for well, sample in samples
    ]
    assert [run.samples for plate in found.plates for run in plate.runs] == [
        tuple(ref.get("ID") for ref in run.findall(f"{space}WellSampleRef")) for run in every(root, "PlateAcquisition")
    ]


@pytest.mark.parametrize("version", ["2011-06", "2012-06", "2013-06", "2015-01", "2016-06"])
def test_every_schema_reads_the_same_with_and_without_prefixes(version):
    inner = image("<TiffData IFD='2'/>")
    plain = parsed(inner, namespace=f"http://www.openmicroscopy.org/Schemas/OME/{version}")
    prefixed = re.sub(r"<(/?)(\w)", r"<\1ome:\2", inner)
    other = f'<ome:OME xmlns:ome="http://www.openmicroscopy.org/Schemas/OME/{version}">{prefixed}</ome:OME>'
    assert parse_ome(other.encode(), "b") == plain
    assert plain.images[0].blocks[0].ifd == 2


def test_units_are_converted_and_positions_without_one_are_counted():
    found = parsed(
        image(
            '<Channel ID="c" ExcitationWavelength="4880" ExcitationWavelengthUnit="Å" EmissionWavelength="0"/>'
            '<Plane TheZ="0" TheC="0" TheT="0" DeltaT="2" DeltaTUnit="min" ExposureTime="50" ExposureTimeUnit="ms"'
            ' PositionX="1.5" PositionXUnit="mm" PositionY="7" PositionYUnit="reference frame" PositionZ="3"/>',
            more='Name="a"',
            sizes='SizeX="4" SizeY="3" SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="325" PhysicalSizeXUnit="nm" '
            'PhysicalSizeY="0.000325" PhysicalSizeYUnit="mm" PhysicalSizeZ="NaN"',
            inside='<StageLabel Name=" B3-Site_12 " X="2" XUnit="m" Y="1e3" YUnit="pm"/>',
        )
    )
    one = found.images[0]
    assert one.pixel_um == (0.325, 0.325)
    assert one.z_um is None
    assert (one.stage, one.stage_um) == ("B3-Site_12", (2e6, 1e-3))
    assert (one.channels[0].excitation_nm, one.channels[0].emission_nm) == (488.0, None)
    plane = one.planes[0]
    assert (plane.delta_s, plane.exposure_s) == (120.0, 0.05)
    assert (plane.x, plane.y, plane.height) == (1500.0, None, 3.0)
    assert found.unitless == 1


@pytest.mark.parametrize(("unit", "metres"), [("Mm", 1e6), ("mm", 1e-3), ("Pm", 1e15), ("pm", 1e-12), ("dam", 10)])
def test_symbols_of_units_keep_their_case(unit, metres):
    assert converted(3, unit, MICROMETRES, to="µm") == pytest.approx(3 * metres * 1e6, rel=1e-12)
    assert converted(3, "pixel", MICROMETRES, to="µm") is None
    assert converted(1500, "µs", SECONDS, to="s") == 0.0015


@pytest.mark.parametrize(
    ("number", "color"), [("-2147483648", "800000"), ("16711935", "00FF00"), ("-1", None), ("0", None), ("", None)]
)
def test_colours_are_signed_rgba_numbers(number, color):
    assert parsed(image(f'<Channel ID="c" Color="{number}"/>')).images[0].channels[0].color == color


def test_a_document_that_points_at_another_says_so():
    found = parsed('<BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:1"/>', more='UUID="urn:uuid:ABC"')
    assert (found.points_to, found.uuid, found.images) == ("a.companion.ome", "abc", ())


def test_a_description_is_utf_8_whatever_it_declares_and_zeros_at_its_end_are_none_of_it():
    text = document(image(more='Name="µ"')).decode().replace("UTF-8", "UTF-16")
    found = parse_description(f"{text}\0\0 ", "a.tif")
    assert found.images[0].name == "µ"
    assert parse_description("ImageJ=1.53\nimages=2", "a.tif") is None
    assert is_ome('<?xml version="1.0"?><!-- Warning: an OME-XML block --><OME xmlns="x">')
    assert not is_ome("<OMEGA/>")


@pytest.mark.parametrize("inner", ["<MetaData/>", "<html><OME/></html>"])
def test_other_documents_are_none(inner):
    assert parse_ome(inner.encode(), "a.xml") is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "line 1, column 0: no element found"),
        (document(image())[:-8], "line 1"),
        (document(image()).replace(b"UTF-8", b"klingon"), "klingon|unknown encoding"),
        (b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><OME>&c;</OME>', "document type"),
        (document("<a>" * 1000 + "</a>" * 1000), "nest deeper"),
        (document(image(sizes='SizeX="0" SizeY="3" SizeZ="1" SizeC="1" SizeT="1"')), "SizeX is '0'"),
        (document(image(sizes='SizeY="3" SizeZ="1" SizeC="1" SizeT="1"')), "SizeX is not told"),
        (document(image(sizes=f'SizeX="4" SizeY="3" SizeZ="{"9" * 10**6}" SizeC="1" SizeT="1"')), "SizeZ is '9999"),
        (document(image(sizes='SizeX="4" SizeY="3" SizeZ="1" SizeC="-1" SizeT="1"')), "SizeC is '-1'"),
        (document(image(sizes='SizeX="4" SizeY="3" SizeZ="1" SizeC="²" SizeT="1"')), "SizeC is '²'"),
        (document(image("<TiffData FirstZ='x'/>")), "TiffData 1 of image Image:0: FirstZ is 'x'"),
        (document(image("<Plane TheZ='1' DeltaT='soon'/>")), "DeltaT is 'soon', not a number"),
        (document(image("<Channel ID='c' Color='red'/>")), "Color is 'red'"),
        (document(image().replace("XYZCT", "ZYXCT")), "DimensionOrder is 'ZYXCT'"),
        (document(image("</Pixels><Pixels SizeX='1' SizeY='1'>")), "has Pixels twice"),
        (document("<Plate ID='p'><Well Row='99' Column='0'/></Plate>"), "Row is '99', not a number from 0 to 98"),
        (document("<Plate ID='p'><Well Row='1000000000' Column='0'/></Plate>"), "Row is"),
        (document("<Plate ID='p' Rows='4000'/>"), "Rows is '4000'"),
    ],
)
def test_what_is_wrong_with_a_document_is_told(data, told):
    with pytest.raises(FormatError, match=told) as caught:
        parse_ome(data, "folder/a.companion.ome")
    assert "folder/a.companion.ome" in str(caught.value)


@pytest.mark.parametrize(
    "inner",
    [
        "<Pixels/><Plane/><TiffData/><UUID>x</UUID><Channel/><DetectorSettings Binning='2x2'/>",
        "<Foo><Image><Pixels><Plane/></Pixels></Image></Foo>",
        "<Image ID='1'/><Plate><Well Row='0' Column='0'/></Plate><WellSample/>",
        "<Image><Pixels SizeX='1' SizeY='1' SizeZ='1' SizeC='1' SizeT='1'><UUID>u</UUID></Pixels></Image>",
        "<StructuredAnnotations><XMLAnnotation><Value><OME><Image/></OME></Value></XMLAnnotation></StructuredAnnotations>",
    ],
)
def test_elements_out_of_their_place_are_passed_over(inner):
    found = parsed(inner)
    assert sum(len(one.planes) + len(one.blocks) for one in found.images) == 0


def test_a_document_of_too_many_records_is_refused(monkeypatch):
    monkeypatch.setattr(ome_xml, "MOST_RECORDS", 100)
    with pytest.raises(FormatError, match="more than 100 images"):
        parsed(image("<TiffData/>" * 101))


def test_long_names_of_elements_take_no_memory_of_their_squares():
    start = time.process_time()
    name = "a" * 10**6
    parse_ome(document(f"<{name}>" * 40 + f"</{name}>" * 40), "a")
    assert time.process_time() - start < 60
