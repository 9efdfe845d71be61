"""OME-XML by property: what is written is read back, and any bytes are a document, none, or told."""

from __future__ import annotations

import contextlib
from xml.sax.saxutils import quoteattr

from hypothesis import example, given
from hypothesis import strategies as st

from openhcs.core.plate import PlaneState
from openhcs.core.wells import well_name
from openhcs.errors import FormatError
from openhcs.microscopes.ome.files import Finder, Told
from openhcs.microscopes.ome.model import OmeBlock, OmeDocument, OmeImage
from openhcs.microscopes.ome.planes import Locator
from openhcs.microscopes.ome.xml import ORDERS, parse_ome
from openhcs.microscopes.position_names import Named, format_position, parse_position

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
small = st.integers(0, 5)
blocks = st.builds(
    OmeBlock,
    st.none() | small,
    st.none() | small,
    small,
    small,
    small,
    texts.map(str.strip),
    st.uuids().map(str) | st.just(""),
)
images = st.builds(
    OmeImage,
    id=texts,
    name=texts.map(str.strip),
    order=st.sampled_from(ORDERS),
    type=st.sampled_from(["uint8", "uint16", "float"]),
    shape=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)),
    blocks=st.lists(blocks, max_size=6),
)


def write(image: OmeImage) -> str:
    z, c, t = image.sizes
    written = []
    for one in image.blocks:
        told = {"IFD": one.ifd, "PlaneCount": one.count, "FirstZ": one.z, "FirstC": one.c, "FirstT": one.t}
        inner = f"<UUID FileName={quoteattr(one.file)}>urn:uuid:{one.uuid}</UUID>" if one.file or one.uuid else ""
        numbers = " ".join(f'{key}="{value}"' for key, value in told.items() if value is not None)
        written.append(f"<TiffData {numbers}>{inner}</TiffData>")
    return (
        f"<Image ID={quoteattr(image.id)} Name={quoteattr(image.name)}><Pixels DimensionOrder='{image.order}' "
        f"Type='{image.type}' SizeY='{image.shape[0]}' SizeX='{image.shape[1]}' SizeZ='{z}' SizeC='{c}' SizeT='{t}'>"
        f"{''.join(written)}</Pixels></Image>"
    )


@given(st.lists(images, max_size=4), st.uuids())
def test_a_written_document_is_read_back(images, uuid):
    text = f"<OME UUID='urn:uuid:{uuid}'>{''.join(map(write, images))}</OME>"
    found = parse_ome(text.encode(), "a")
    assert found == OmeDocument(
        uuid=str(uuid), points_to="", instrument=None, plates=(), images=tuple(images), objectives={}, unitless=0
    )


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_document_none_or_told(data):
    for whole in (data, b"<OME>" + data + b"</OME>", b"<OME><Image><Pixels " + data + b"/></Image></OME>"):
        with contextlib.suppress(FormatError):
            parse_ome(whole, "a")


class Nothing:
    """A folder of no files."""

    root = "/nowhere"

    def list(self):
        return ()


@given(images)
@example(
    OmeImage(id="", name="", order="XYZCT", type="uint8", shape=(1, 1), blocks=[OmeBlock(0, None, 0, 0, 1, "", "")])
)
def test_planes_are_those_that_tiffdata_names_and_never_more_than_the_sizes(image):
    """Against the plainest reading of the specification: a counter over the axes for every block."""
    document = OmeDocument(
        uuid="", points_to="", instrument=None, plates=(), images=(image,), objectives={}, unitless=0
    )
    files = Nothing()
    sizes = dict(zip("ZCT", image.sizes, strict=True))
    expected = set()
    for block in image.blocks:
        place = {"Z": block.z, "C": block.c, "T": block.t}
        count = block.count if block.count is not None else (1 if block.ifd is not None else 10**6)
        if any(place[axis] >= sizes[axis] for axis in "ZCT"):
            if count > 1:
                return
            expected |= {(block.z, block.c, block.t)} if count else set()
            continue
        for _ in range(count):
            expected.add((place["Z"], place["C"], place["T"]))
            for axis in image.order[2:]:
                place[axis] += 1
                if place[axis] < sizes[axis]:
                    break
                place[axis] = 0
            else:
                break
    found = Locator(files, Finder(files)).planes(Told(document, "a.ome"), image)
    known = {one.place for one in found if one.state is not PlaneState.NOT_RECORDED}
    pages = [(block.file, block.ifd or 0, block.count) for block in image.blocks if block.file and block.count != 0]
    if len({file for file, _, _ in pages}) == len(pages):
        assert known == expected
    assert known <= expected
    z, c, t = image.sizes
    everything = {(k, j, i) for k in range(z) for j in range(c) for i in range(t)}
    places = {one.place for one in found} | expected
    # A plane named outside the sizes counts as one of those that they promise.
    assert places == everything | expected or (len(places) >= len(everything) and not expected <= everything)
    assert len({one.place for one in found}) == len(found)


@given(
    st.integers(0, 31), st.integers(0, 47), st.integers(0, 999_999), st.sampled_from(["", "plate_1_MMStack_", "a b "])
)
def test_the_label_of_a_position_is_read_back(row, column, site, before):
    well = well_name(row, column)
    assert parse_position(before + format_position(well, site)) == Named(well, site)


@given(st.text(max_size=300))
def test_any_text_is_a_position_or_none(text):
    parse_position(text)
    parse_position("A1-Site_" * 3000 + text)
