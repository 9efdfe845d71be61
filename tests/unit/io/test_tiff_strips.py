"""The quick way for TIFFs: what it takes is what tifffile reads, and ordinary files are taken."""

from __future__ import annotations

import io
import os
import struct
import threading
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from mutations import mutate
from openhcs import FileManager
from openhcs.errors import FormatError, OpenHCSError
from openhcs.io import tiff, tiff_strips, tiff_tags
from openhcs.io.tiff import read_header, read_plane_into
from openhcs.io.tiff_tags import Tiff
from openhcs.run.pixels import PlaneReader
from openhcs.run.plates import index_plate
from openhcs.testing.synthetic import make_plate

PLANE = np.random.default_rng(0).integers(0, 4000, (37, 53)).astype(np.uint16)
QUICK = (None, "lzw", "adobe_deflate", "deflate", "packbits")
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
OLD = (10**9, 10**9)


@contextmanager
def by_tifffile():
    """Let everything go the other way."""
    with (
        mock.patch.object(tiff_strips, "header", return_value=None),
        mock.patch.object(tiff_strips, "read_into", return_value=False),
    ):
        yield


@contextmanager
def without_tifffile():
    """Let nothing go the other way."""
    with mock.patch.object(tiff, "_opened", side_effect=AssertionError("not taken by the quick way")):
        yield


def outcome(path, page=0):
    """Return what reading a file comes to: its header, and a page's bytes, or the errors."""
    try:
        header = read_header(path)
    except OpenHCSError as error:
        return type(error), str(error)
    if np.dtype(header.dtype).itemsize * header.shape[0] * header.shape[1] > 2**24:
        return header
    out = np.full(header.shape, 7, header.dtype)
    try:
        read_plane_into(path, page, out)
    except OpenHCSError as error:
        return header, type(error), str(error)
    return header, out.tobytes()


def same_both_ways(path, page=0):
    found = outcome(path, page)
    with by_tifffile():
        assert found == outcome(path, page)
    return found


def described():
    raw = st.binary(max_size=40).filter(lambda raw: b"\0" not in raw)
    return st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(str.encode), raw)


@st.composite
def files(draw):
    """Return a TIFF's bytes, its pages, and whether the quick way is to take it."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.tuples(*[st.integers(1, n) for n in (3, 40, 40)]))
    seed = draw(st.integers(0, 9))
    pages = np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)
    kind = draw(st.sampled_from(["grey"] * 5 + ["palette", "rgb", "tiles"]))
    compression = draw(st.sampled_from([*QUICK, "zstd"]))
    predictor = compression not in {None, "packbits"} and dtype.name not in {"uint64", "int64"} and draw(st.booleans())
    settings = {
        "byteorder": draw(st.sampled_from("<>")),
        "bigtiff": draw(st.booleans()),
        "compression": compression,
        "predictor": predictor,
        "description": draw(described()),
        "metadata": None,
        "photometric": draw(st.sampled_from(["minisblack", "miniswhite"])),
    }
    if kind == "tiles":
        settings["tile"] = (16, 16)
    elif rows := draw(st.one_of(st.none(), st.integers(1, 45))):
        settings["rowsperstrip"] = rows
    if kind == "palette":
        pages, settings["photometric"] = pages.astype(np.uint8), "palette"
        settings["colormap"] = np.zeros((3, 256), np.uint16)
    elif kind == "rgb":
        pages, settings["photometric"] = np.repeat(pages[..., None], 3, axis=-1), "rgb"
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pages, **settings)
    usual = compression in QUICK and kind in {"grey", "palette"} and not (predictor and pages.dtype.kind == "f")
    return buffer.getvalue(), pages, usual


@settings(max_examples=200)
@given(case=files())
def test_the_quick_way_takes_what_is_usual_and_reads_it_as_tifffile_does(tmp_path_factory, case):
    data, pages, usual = case
    path = tmp_path_factory.mktemp("t") / "a.tif"
    path.write_bytes(data)
    quick = tiff_strips.header(path)
    assert (quick is not None) == usual
    for number, page in enumerate(pages):
        for given_bytes in (None, data):
            out = np.full(page.shape[:2], 7, page.dtype)
            assert tiff_strips.read_into(path, number, out, data=given_bytes) == usual
            assert not usual or np.array_equal(out, page)
        same_both_ways(path, number)
    assert not tiff_strips.read_into(path, len(pages), np.empty(pages.shape[1:3], pages.dtype))


@settings(max_examples=150)
@given(case=files(), seed=st.integers(0, 2**32), page=st.integers(0, 1))
def test_a_damaged_file_ends_both_ways_alike(tmp_path_factory, case, seed, page):
    path = tmp_path_factory.mktemp("t") / "a.tif"
    path.write_bytes(mutate(seed, [case[0]], "bytes"))
    same_both_ways(path, page)


@settings(max_examples=150)
@given(data=st.data(), compression=st.sampled_from(QUICK), byteorder=st.sampled_from("<>"))
def test_a_damaged_tag_ends_both_ways_alike(tmp_path_factory, data, compression, byteorder):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, PLANE, compression=compression, byteorder=byteorder, metadata=None, rowsperstrip=10)
    raw = bytearray(buffer.getvalue())
    at = 10 + 12 * data.draw(st.integers(0, 14)) + data.draw(st.integers(0, 11))
    raw[at] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 16, 255, raw[at] ^ 1, raw[at] ^ 128]))
    path = tmp_path_factory.mktemp("t") / "a.tif"
    path.write_bytes(raw)
    same_both_ways(path)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("layout", ["imagexpress", "cellvoyager", "ome_tiff"])
def test_plates_as_microscopes_write_them_are_read_without_tifffile(tmp_path, layout, compression):
    make_plate(tmp_path / "p", layout=layout, wells=1, sites=1, z=2, size=(60, 70), compression=compression)
    with without_tifffile():
        index = index_plate(tmp_path / "p")
        with PlaneReader(index) as reader:
            for plane in index.planes:
                reader.read_into(plane, np.empty((60, 70), np.uint16))


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("gap", [3, 9000])
def test_strips_that_lie_apart_and_in_any_order_are_read_one_by_one(tmp_path, compression, gap):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANE, compression=compression, rowsperstrip=10, metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        place = page.tags["StripOffsets"].valueoffset
        strips = list(enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)))
    for number, (offset, count) in reversed(strips):
        data += bytes(gap)
        data[place + 4 * number : place + 4 * number + 4] = struct.pack("<I", len(data))
        data += data[offset : offset + count]
        data[offset : offset + count] = bytes(count)
    path.write_bytes(data)
    out = np.empty_like(PLANE)
    with mock.patch.object(Tiff, "read", side_effect=Tiff.read, autospec=True) as reads:
        assert tiff_strips.read_into(path, 0, out)
    assert max(call.args[2] for call in reads.call_args_list) < 9000
    assert np.array_equal(out, PLANE)
    same_both_ways(path)


@pytest.mark.parametrize("out", [np.empty((53, 37), np.uint16).T, np.empty((37, 53), ">u2"), np.empty((37, 53), "u1")])
def test_a_place_that_is_not_a_plain_one_of_that_kind_is_left_to_the_other_way(tmp_path, out):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None)
    assert not tiff_strips.read_into(tmp_path / "a.tif", 0, out)


def test_strips_that_are_said_to_hold_the_whole_file_each_are_not_taken(tmp_path):
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 2**16, (200, 200)).astype(np.uint16)
    tifffile.imwrite(path, noise, compression="lzw", rowsperstrip=20, metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        starts, counts = tif.pages[0].tags["StripOffsets"].valueoffset, tif.pages[0].tags["StripByteCounts"].valueoffset
        first = tif.pages[0].dataoffsets[0]
    for number in range(10):
        data[starts + 4 * number : starts + 4 * number + 4] = struct.pack("<I", first)
        data[counts + 4 * number : counts + 4 * number + 4] = struct.pack("<I", len(data) - first)
    path.write_bytes(data)
    with mock.patch.object(Tiff, "read", side_effect=Tiff.read, autospec=True) as reads:
        assert not tiff_strips.read_into(path, 0, np.empty_like(noise))
    assert sum(call.args[2] for call in reads.call_args_list) < len(data)


@pytest.mark.parametrize(
    "said", [{"software": "SI.5"}, {"description": "state.x"}, {"description": "a scanimage.SI b"}]
)
def test_a_stack_of_scanimage_is_left_to_tifffile_and_one_plane_is_not(tmp_path, said):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([PLANE] * 6), metadata=None, **said)
    tifffile.imwrite(tmp_path / "b.tif", PLANE, metadata=None, **said)
    assert tiff_strips.header(tmp_path / "a.tif") is None
    assert tiff_strips.header(tmp_path / "b.tif") is not None
    same_both_ways(tmp_path / "a.tif", 1)
    same_both_ways(tmp_path / "b.tif")


def test_floats_that_only_their_software_tells_are_left_to_tifffile(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANE.astype(np.uint32), metadata=None, software="IndicaLabsImageWriter 1")
    assert tiff_strips.header(path) is None
    assert same_both_ways(path)[0].dtype == "float32"


def test_a_description_of_several_texts_is_left_to_tifffile(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None, description=b"one\0two")
    assert tiff_strips.header(tmp_path / "a.tif") is None
    same_both_ways(tmp_path / "a.tif")


def test_a_page_of_another_kind_than_the_first_is_read_by_its_own_tags(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(PLANE, metadata=None)
        tif.write(PLANE[:9].astype(np.float32), compression="lzw", metadata=None)
    out = np.empty((9, 53), np.float32)
    assert tiff_strips.read_into(tmp_path / "a.tif", 1, out)
    assert np.array_equal(out, PLANE[:9])
    assert tiff_strips.header(tmp_path / "a.tif").pages == 2


def patched(path, code, entry, into):
    """Change bytes of the first tag of that code: where in its entry, what."""
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[0].tags[code].offset + entry
    data[at : at + len(into)] = into
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("code", "becomes", "value"),
    [
        (265, 266, 2),
        (285, 284, 2),
        (277, 277, 2),
        (262, 262, 6),
        (259, 259, 50000),
        (335, 317, 2),
        (335, 322, 16),
        (335, 32997, 2),
    ],
)
def test_pixels_that_lie_or_mean_otherwise_are_left_to_tifffile(tmp_path, code, becomes, value):
    path = tmp_path / "a.tif"
    extra = [(number, 3, 1, 0, True) for number in (265, 285, 335)]
    tifffile.imwrite(path, PLANE, metadata=None, extratags=extra)
    assert tiff_strips.header(path) is not None
    patched(path, code, 0, struct.pack("<HHII", becomes, 3, 1, value))
    assert tiff_strips.header(path) is None
    assert not tiff_strips.read_into(path, 0, np.empty_like(PLANE))


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_differences_of_floats_are_undone_as_tifffile_does(tmp_path, byteorder):
    path = tmp_path / "a.tif"
    flat = PLANE.astype(np.float32)[:, :26]
    tifffile.imwrite(path, flat, metadata=None, compression="lzw", predictor=3, byteorder=byteorder)
    patched(path, 317, 8, struct.pack(byteorder + "H", 2))
    assert tiff_strips.read_into(path, 0, np.empty_like(flat))
    same_both_ways(path)


def test_a_later_page_behind_a_first_one_that_tifffile_cannot_take_is_left_to_it(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([PLANE, PLANE + 1]).astype(np.int16), metadata=None)
    assert tiff_strips.read_into(path, 1, np.empty(PLANE.shape, np.int16))
    patched(path, 339, 2, struct.pack("<H", 2))
    assert not tiff_strips.read_into(path, 1, np.empty(PLANE.shape, np.int16))
    same_both_ways(path, 1)


def a_stack(path, pages=30, first=0):
    planes = np.arange(first, first + pages, dtype=np.uint16)[:, None, None] + PLANE[None, :5, :6]
    tifffile.imwrite(path, planes, metadata=None)
    os.utime(path, OLD)
    return planes


@pytest.fixture
def walks():
    """Forget what was kept, and count the chains that are walked."""
    tiff_tags._kept.clear()
    with mock.patch.object(Tiff, "_chain", side_effect=Tiff._chain, autospec=True) as chain:
        yield lambda: chain.call_count
    tiff_tags._kept.clear()


def test_the_pages_of_a_stack_are_looked_up_once(tmp_path, walks):
    planes = a_stack(tmp_path / "a.tif")
    out = np.empty((5, 6), np.uint16)
    with without_tifffile():
        assert read_header(tmp_path / "a.tif").pages == 30
        for number in (29, 0, 7, 29):
            read_plane_into(tmp_path / "a.tif", number, out)
            assert np.array_equal(out, planes[number])
    assert walks() == 1


def test_a_stack_that_was_changed_is_looked_at_anew(tmp_path, walks):
    for first, when in ((0, OLD), (100, (10**9, 10**9 + 1))):
        planes = a_stack(tmp_path / "a.tif", first=first)
        os.utime(tmp_path / "a.tif", when)
        out = np.empty((5, 6), np.uint16)
        read_plane_into(tmp_path / "a.tif", 3, out)
        assert np.array_equal(out, planes[3])
    assert walks() == 2


def test_of_a_stack_still_young_nothing_is_kept_since_a_change_would_not_be_seen(tmp_path, walks):
    a_stack(tmp_path / "a.tif")
    os.utime(tmp_path / "a.tif")
    for _ in range(2):
        assert read_header(tmp_path / "a.tif").pages == 30
    assert walks() == 2
    assert not tiff_tags._kept


def test_only_the_last_few_stacks_are_kept_and_single_planes_never(tmp_path, walks):
    for number in range(tiff_tags.KEPT_FILES + 3):
        a_stack(tmp_path / f"{number}.tif", pages=2)
        read_header(tmp_path / f"{number}.tif")
    a_stack(tmp_path / "one.tif", pages=1)
    read_header(tmp_path / "one.tif")
    assert len(tiff_tags._kept) == tiff_tags.KEPT_FILES
    assert {os.path.basename(path) for path, *_ in tiff_tags._kept} == {
        f"{number}.tif" for number in range(3, tiff_tags.KEPT_FILES + 3)
    }
    assert walks() == tiff_tags.KEPT_FILES + 4


def test_stacks_are_read_from_many_threads_at_once(tmp_path, walks):
    stacks = [(tmp_path / f"{number}.tif", number * 1000) for number in range(tiff_tags.KEPT_FILES + 4)]
    planes = {path: a_stack(path, first=first) for path, first in stacks}
    wrong = []

    def work(shift):
        out = np.empty((5, 6), np.uint16)
        for turn in range(200):
            path, page = stacks[(turn + shift) % len(stacks)][0], (turn * 7) % 30
            read_plane_into(path, page, out)
            if not np.array_equal(out, planes[path][page]):
                wrong.append((path, page))

    threads = [threading.Thread(target=work, args=(shift,)) for shift in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert walks() >= len(stacks)


def a_circle(pages, back_to, big):
    """Return a TIFF of tiny pages, the last of which leads back to an earlier one."""
    head, count, form, offset = (16, 8, "HHQQ", "Q") if big else (8, 2, "HHII", "I")
    size = count + struct.calcsize("<" + form) + struct.calcsize("<" + offset)
    data = struct.pack("<2sHHHQ", b"II", 43, 8, 0, head) if big else struct.pack("<2sHI", b"II", 42, head)
    for number in range(pages):
        after = number + 1 if number + 1 < pages else back_to
        data += struct.pack("<" + ("Q" if big else "H") + form + offset, 1, 256, 4, 1, 5, head + size * after)
    return data


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("pages", "back_to"), [(100, 0), (150, 0), (150, 149), (150, 99), (5000, 4000)])
def test_pages_in_a_circle_which_tifffile_would_follow_for_good_are_refused(tmp_path, pages, back_to, big):
    path = tmp_path / "a.tif"
    path.write_bytes(a_circle(pages, back_to, big))
    calls = [
        lambda: read_header(path),
        lambda: read_plane_into(path, 0, np.empty((5, 5), np.uint8)),
        lambda: read_plane_into(path, 0, np.empty((5, 5), np.uint8), data=path.read_bytes()),
        lambda: read_plane_into(path, 0, np.empty((5, 10), np.uint8)[:, ::2]),
        lambda: FileManager(tmp_path).load("a.tif", backend="disk"),
        lambda: FileManager(tmp_path).open_array("a.tif", backend="disk"),
    ]
    for call in calls:
        with pytest.raises(FormatError, match=r"a\.tif is damaged: its pages lead in a circle"):
            call()


@pytest.mark.parametrize(("pages", "back_to"), [(1, 0), (2, 0), (99, 0), (99, 98), (60, 40)])
def test_a_small_circle_is_read_as_tifffile_reads_it(tmp_path, pages, back_to):
    (tmp_path / "a.tif").write_bytes(a_circle(pages, back_to, big=False))
    assert tiff_strips.header(tmp_path / "a.tif") is None
    same_both_ways(tmp_path / "a.tif")


@pytest.mark.parametrize("described", ["ours", "plain", "another shape", "ome", "two pages", "one row", "bool"])
def test_a_saved_plane_is_loaded_as_tifffile_loads_it(tmp_path, described, monkeypatch):
    """The disk backend takes the quick way for a page that tells no other shape."""
    from openhcs import FileManager
    from openhcs.io import formats_image

    plane = np.random.default_rng(1).integers(0, 4000, (12, 10), "uint16")
    how = {
        "ours": {},
        "plain": {"metadata": None},
        "another shape": {"metadata": {"shape": (1, 12, 10)}},
        "ome": {"ome": True},
        "two pages": {},
        "one row": {"metadata": None},
        "bool": {"metadata": None},
    }[described]
    told = {"two pages": np.stack([plane, plane + 1]), "one row": plane[:1], "bool": plane > 2000}.get(described, plane)
    if described == "ours":
        FileManager(tmp_path).save(told, "a.tif", "disk")
    else:
        tifffile.imwrite(tmp_path / "a.tif", told, photometric="minisblack", **how)
    slow = []
    opened = formats_image.open_tiff
    monkeypatch.setattr(formats_image, "open_tiff", lambda path: slow.append(path) or opened(path))
    loaded, meant = FileManager(tmp_path).load("a.tif", "disk"), tifffile.imread(tmp_path / "a.tif")
    assert (loaded.shape, loaded.dtype) == (meant.shape, meant.dtype)
    assert np.array_equal(loaded, meant)
    assert bool(slow) is (described not in {"ours", "plain"})
