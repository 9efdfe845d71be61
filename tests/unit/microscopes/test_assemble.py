"""The builder all layouts share: one plane at each place, one kind of image, a reason for every other file."""

from __future__ import annotations

import pytest

from openhcs.core.plate import FileSource, ImageHeader, Plane, PlaneState, Unmatched
from openhcs.errors import FormatError, NotGrey, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes.assemble import assemble, refuse_several
from openhcs.microscopes.headers import LOOKED_AT
from openhcs.testing.scene import encode_tiff

np = pytest.importorskip("numpy")


class Held:
    """Files of a folder that was never made: a name, a size, a header; reads are counted."""

    root = "/plate"

    def __init__(self, headers):
        self.headers = headers
        self.looked_at = 0

    def list(self):
        return tuple(FileSource(path, size=len(path)) for path in self.headers)

    def header(self, path):
        self.looked_at += 1
        found = self.headers[path]
        if found is None:
            raise FormatError(f"{path} is damaged", path=path)
        if found == "colours":
            raise NotGrey(f"{path} holds colours", path=path)
        return ImageHeader(shape=found, dtype="uint16", pages=1, description="")


def planes_of(files, **more):
    return [
        Plane(well="A01", site=number, channel=1, source=source, **more)
        for number, source in enumerate(files.list(), start=1)
    ]


def built(files, planes, **more):
    return assemble(files, microscope="made_up", name="p", planes=planes, why="", **more)


def test_every_file_that_is_no_plane_has_a_reason():
    files = Held({"a.tif": (4, 4), "Plate_A01_s1_w1.TIF": (4, 4), "notes.txt": None, "known.xml": None, "x.tif": None})
    index = built(
        files,
        planes_of(files)[:1],
        documents=["known.xml"],
        left_out=[Unmatched(path="x.tif", reason="a correction image")],
    )
    reasons = {one.path: one.reason for one in index.unmatched}
    assert reasons.keys() == {"Plate_A01_s1_w1.TIF", "notes.txt", "x.tif"}
    assert reasons["notes.txt"] == "no image"
    assert reasons["x.tif"] == "a correction image"
    assert index.metadata_files == ("known.xml",)


def test_images_of_another_size_are_left_out_and_told():
    files = Held({"1.tif": (4, 4), "2.tif": (4, 6), "3.tif": (4, 4)})
    index = built(files, planes_of(files))
    assert [plane.site for plane in index.planes] == [1, 3]
    assert index.plane_shape == (4, 4)
    assert [(one.path, one.reason) for one in index.unmatched] == [
        ("2.tif", "uint16 of 4 × 6 pixels where most are uint16 of 4 × 4 pixels")
    ]
    told = "images of another kind are left out: 1, such as 2.tif: uint16 of 4 × 6 pixels where most are uint16 of"
    assert index.warnings == (f"{told} 4 × 4 pixels",)


def test_a_damaged_image_stays_a_plane_and_is_told():
    files = Held({"1.tif": (4, 4), "2.tif": None})
    index = built(files, planes_of(files))
    assert [plane.site for plane in index.planes] == [1, 2]
    assert index.warnings == ("images that cannot be read: 1, such as 2.tif: 2.tif is damaged",)


def test_images_of_colours_are_left_out_and_told_as_of_another_kind():
    files = Held({"a.tif": (4, 4), "b.jpg": "colours", "c.tif": (4, 4)})
    index = built(files, planes_of(files))
    assert [plane.source.path for plane in index.planes] == ["a.tif", "c.tif"]
    assert [(one.path, one.reason) for one in index.unmatched] == [
        ("b.jpg", "an image of colours, and a plane has one value per pixel")
    ]
    assert any("left out: 1, such as b.jpg: an image of colours" in one for one in index.warnings)


def test_a_plate_of_nothing_but_colours_is_refused_with_what_to_do():
    files = Held({"a.jpg": "colours", "b.jpg": "colours"})
    with pytest.raises(NotGrey, match=r"no image is grey: a\.jpg holds colours. Save planes with one value per pixel"):
        built(files, planes_of(files))


def test_of_many_files_a_sample_of_headers_is_read():
    files = Held({f"{number:05d}.tif": (4, 4) for number in range(10 * LOOKED_AT)})
    assert built(files, planes_of(files)).plane_shape == (4, 4)
    assert files.looked_at <= LOOKED_AT + 3


def test_where_the_sample_shows_two_sizes_every_header_is_read():
    headers = {f"{number:05d}.tif": (4, 4) for number in range(3 * LOOKED_AT)}
    files = Held(headers | {"an odd one with a longer name.tif": (8, 8)})
    assert len(built(files, planes_of(files)).planes) == 3 * LOOKED_AT
    assert files.looked_at == 3 * LOOKED_AT + 1


def test_a_document_that_tells_another_size_is_not_believed():
    files = Held({"1.tif": (4, 4)})
    index = built(files, planes_of(files), plane_shape=(9, 9), dtype="uint8")
    assert (index.plane_shape, index.dtype) == ((4, 4), "uint16")
    assert index.warnings == ("images are 4 × 4 pixels (y × x) and the documents say 9 × 9",)


def test_with_no_image_the_documents_count():
    index = built(
        Held({}),
        [Plane(well="P24", site=1, channel=1, state=PlaneState.MISSING)],
        shape=(8, 12),
        plane_shape=(9, 9),
        dtype="uint8",
    )
    assert (index.plane_shape, index.dtype) == ((9, 9), "uint8")
    assert (len(index.rows), len(index.columns)) == (16, 24)
    assert index.warnings == ("the documents tell of 8 × 12 wells, and images are of row 16, column 24",)


def write(folder, name, value):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(encode_tiff(np.full((4, 4), value, np.uint16)))


def test_copies_are_kept_once(tmp_path):
    for folder in ("ZStep_1", "ZStep_2"):
        write(tmp_path / folder, "a.tif", 7)
    files = FolderFiles(tmp_path)
    planes = [Plane(well="A01", site=1, channel=1, source=source) for source in files.list()]
    index = built(files, planes)
    assert [plane.source.path for plane in index.planes] == ["ZStep_1/a.tif"]
    assert [(one.path, one.reason) for one in index.unmatched] == [
        ("ZStep_2/a.tif", "the same bytes as ZStep_1/a.tif, which is A01_s1_c1_z1_t1")
    ]
    assert "copies of another file, kept once: 1" in index.warnings[0]


def test_two_planes_of_one_place_that_differ_are_refused(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"ZStep_{number}", "a.tif", number)
    files = FolderFiles(tmp_path)
    planes = [Plane(well="B02", site=3, channel=1, source=source) for source in files.list()]
    with pytest.raises(FormatError, match=r"1 planes are there twice.*ZStep_1/a.tif and ZStep_2/a.tif") as told:
        built(files, planes)
    assert (told.value.well, told.value.site) == ("B02", 3)


def test_a_file_that_is_there_goes_before_one_that_is_missing(tmp_path):
    write(tmp_path, "a.tif", 7)
    files = FolderFiles(tmp_path)
    place = {"well": "A01", "site": 1, "channel": 1}
    missing = Plane(**place, source=FileSource("gone.tif"), state=PlaneState.MISSING)
    index = built(files, [missing, Plane(**place, source=files.list()[0])])
    assert [plane.source.path for plane in index.planes] == ["a.tif"]


def test_names_that_differ_in_case_are_told():
    files = Held({"a.tif": (4, 4), "A.TIF": (4, 4)})
    assert built(files, planes_of(files)).warnings == (
        "names differ only in the case of letters: 1 pairs, such as A.TIF and a.tif",
    )


def test_several_plates_are_named():
    refuse_several(Held({}), ["one", "one"])
    with pytest.raises(SeveralPlates, match="holds 2 plates: one, two") as told:
        refuse_several(Held({}), ["two", "one"])
    assert told.value.places == ("one", "two")
