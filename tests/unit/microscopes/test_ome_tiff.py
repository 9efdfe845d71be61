"""OME-TIFF plates: which files tell what, where images lie, what is missing, what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile

from ome_sets import Counting, block, document, image, pages, plate, read, save, states
from openhcs.errors import FormatError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import NotMine, detect
from openhcs.microscopes.ome_tiff import OmeTiff
from openhcs.testing.synthetic import make_plate

# What real documents tell, from their SOURCE.md and the documents themselves.


def test_a_companion_whose_files_are_absent_has_every_plane_missing(data):
    index = detect(FolderFiles(data("ome-tiff-companion-c3-z33")))
    assert (index.microscope, index.name, index.wells) == ("ome_tiff", "c3_z33", ("A01",))
    assert states(index) == {"missing": 99}
    assert {plane.source.path for plane in index.planes} == {
        f"c3_z33_w{n}Conf{wave}.ome.tif" for n, wave in ((1, 640), (2, 561), (3, 405))
    }
    assert [plane.source.page for plane in index.planes if plane.channel == 2] == list(range(33))
    assert [one.name for one in index.channels] == ["Conf640", "Conf561", "Conf405"]
    assert [(one.excitation_nm, one.emission_nm) for one in index.channels] == [(640, 650), (561, 580), (405, 460)]
    assert {(one.numerical_aperture, one.binning) for one in index.channels} == {(1.4, (1, 1))}
    assert index.pixel_size_um == (0.0649555549, 0.0649555549)
    assert (index.z_step_um, index.dtype, index.plane_shape) == (0.5, "uint16", (2048, 2048))
    assert index.positions == {("A01", 1): (-46038.9, 4781.1)}
    assert index.acquisitions[0].start_time == "2024-11-04T10:38:07.9475104+01:00"
    assert index.metadata_files == ("c3_z33.companion.ome",)


def test_documents_of_several_plates_in_one_folder_are_refused_by_name(data):
    with pytest.raises(SeveralPlates, match="tells of 2 plates: Control Plate, Plate:1"):
        detect(FolderFiles(data("ome-xml-plates")))


@pytest.fixture
def alone(data, tmp_path):
    def put(name):
        shutil.copyfile(data("ome-xml-plates") / name, tmp_path / name)
        return detect(FolderFiles(tmp_path))

    return put


def test_a_plate_of_several_acquisitions_keeps_them(alone):
    index = alone("one-screen-one-plate-four-wells.ome.xml")
    assert index.wells == ("B02", "B03", "C02", "C03")
    assert [one.start_time for one in index.acquisitions] == ["2010-02-23T12:49:30", "2010-02-23T12:50:30", None]
    assert [one.name for one in index.acquisitions[2:]] == ["none"]
    sites = sorted((plane.acquisition, plane.well, plane.site) for plane in index.planes)
    assert sites == [
        *[(number, well, 1) for number in (0, 1) for well in index.wells],
        *[(2, "C02", site) for site in (1, 2, 3)],
    ]
    assert states(index) == {"not_recorded": 11}
    assert any("within the XML, which is not read: 11, such as Image:0" in told for told in index.warnings)


def test_a_plate_of_one_well_has_its_size_and_other_names_are_told(alone):
    index = alone("hcs.ome.xml")
    assert (index.name, len(index.rows), len(index.columns), index.wells) == ("Control Plate", 8, 12, ("A01",))
    assert states(index) == {"not_recorded": 48}
    assert [one.kind for one in index.channels] == ["epifluorescence", "epifluorescence", "dic"]
    assert any("names its rows by number and its columns by letter" in told for told in index.warnings)


def test_positions_without_a_well_are_sites_of_one(alone):
    index = alone("MMStack.ome.xml")
    assert states(index) == {"missing": 60}
    assert {(plane.well, plane.site) for plane in index.planes} == {("A01", 1), ("A01", 2)}
    assert index.positions == {("A01", 1): (-256.0, -256.0), ("A01", 2): (256.0, -256.0)}
    assert (index.planes[0].z_um, index.planes[0].time_s) == (-4.0, 0.117)
    assert [(one.name, one.exposure_ms) for one in index.channels] == [("Cy5", 1.0), ("DAPI", 1.0), ("FITC", 1.0)]


# Which files are opened.


def test_one_document_speaks_for_every_file_that_it_names(tmp_path):
    make_plate(tmp_path, layout="ome_tiff", wells=["B03", "C04"], sites=2, z=2, size=(8, 8), name="p")
    files = Counting(tmp_path)
    index = detect(files)
    assert len(index.planes) == 16
    assert sorted(files.opened) == sorted({file.path for file in files.list() if file.path.endswith(".tif")})
    assert index.positions[("C04", 1)] == (27000.0, 18000.0)
    assert (index.plate_type, index.instrument) == (None, "made up")
    assert index.acquisitions[0].name == "first"
    assert {(one.objective, one.magnification, one.numerical_aperture, one.binning) for one in index.channels} == {
        ("Plan 10x", 10.0, 0.45, (2, 2))
    }
    assert index.pixel_size_um == (0.65, 0.65)


def test_a_set_of_files_is_read_by_its_first_and_files_nobody_names_are_told(tmp_path):
    names = [f"a_{number}.ome.tif" for number in range(3)]
    blocks = "".join(block(name, f"0{n}", FirstT=n, IFD=0) for n, name in enumerate(names))
    for number, name in enumerate(names):
        save(tmp_path / name, first=number, description=document(image(0, blocks, t=3), uuid=f"0{number}"))
    save(tmp_path / "b.ome.tif", description="no document")
    save(tmp_path / "c.tif")
    index = read(tmp_path)
    assert pages(index) == {("A01", 1, 1, 1, n + 1): (name, 0) for n, name in enumerate(names)}
    assert {one.path: one.reason for one in index.unmatched} == {
        "b.ome.tif": "its description is no OME-XML",
        "c.tif": "a_0.ome.tif does not name it",
    }


def test_files_that_were_renamed_are_known_by_their_uuid(tmp_path):
    blocks = block("old_0.ome.tif", "aa", FirstT=0, IFD=0) + block("old_1.ome.tif", "bb", FirstT=1, IFD=0)
    for number, uuid in enumerate(["aa", "bb"]):
        save(tmp_path / f"new_{number}.ome.tif", description=document(image(0, blocks, t=2), uuid=uuid))
    index = read(tmp_path)
    assert pages(index) == {("A01", 1, 1, 1, 1): ("new_0.ome.tif", 0), ("A01", 1, 1, 1, 2): ("new_1.ome.tif", 0)}
    assert any("found under another name than told: 2" in told for told in index.warnings)


def test_a_file_of_pointers_leads_to_the_one_that_tells(tmp_path):
    pointer = '<OME><BinaryOnly MetadataFile="z.ome.tif" UUID="urn:uuid:1"/></OME>'
    save(tmp_path / "a.ome.tif", description=pointer)
    blocks = block("a.ome.tif", IFD=0) + block("z.ome.tif", IFD=0, FirstZ=1)
    save(tmp_path / "z.ome.tif", description=document(image(0, blocks, z=2), uuid="1"))
    index = read(tmp_path)
    assert pages(index) == {("A01", 1, 1, 1, 1): ("a.ome.tif", 0), ("A01", 1, 1, 2, 1): ("z.ome.tif", 0)}
    assert index.unmatched == ()


def test_a_pointer_to_a_file_that_is_gone_is_told_with_what_to_do(tmp_path):
    save(tmp_path / "a.ome.tif", description='<OME><BinaryOnly MetadataFile="a.companion.ome"/></OME>')
    with pytest.raises(FormatError, match=r"points at a\.companion\.ome, which is not there\. Copy that file"):
        read(tmp_path)


def test_pointers_in_a_circle_come_to_an_end(tmp_path):
    save(tmp_path / "a.ome.tif", description='<OME><BinaryOnly MetadataFile="b.ome.tif"/></OME>')
    save(tmp_path / "b.ome.tif", description='<OME><BinaryOnly MetadataFile="a.ome.tif"/></OME>')
    with pytest.raises(FormatError, match="points at"):
        read(tmp_path)


def test_names_with_folders_and_backslashes_are_found_and_never_outside(tmp_path):
    save(tmp_path / "in" / "images" / "a.ome.tif", 2)
    save(tmp_path / "secret.ome.tif")
    blocks = block(r"images\a.ome.tif", IFD=1) + block("../secret.ome.tif", IFD=0, FirstZ=1)
    (tmp_path / "in" / "p.companion.ome").write_text(document(image(0, blocks, z=2)))
    index = read(tmp_path / "in")
    assert pages(index) == {("A01", 1, 1, 1, 1): ("images/a.ome.tif", 1)}
    assert states(index) == {"present": 1, "missing": 1}


# Where images lie.


def test_wells_and_sites_are_those_of_the_plate(tmp_path):
    for number in range(4):
        save(tmp_path / f"{number}.ome.tif", first=number)
    images = [image(number, block(f"{number}.ome.tif", IFD=0)) for number in range(4)]
    runs = '<PlateAcquisition ID="a" Name="day 1" StartTime="2024"><WellSampleRef ID="S:0"/></PlateAcquisition>'
    told = plate((1, 2, [3, 0]), (31, 47, [2]), runs=runs, more='Rows="32" Columns="48" ExternalIdentifier="BC7"')
    (tmp_path / "x.companion.ome").write_text(document(*images, plates=told))
    index = read(tmp_path)
    assert pages(index) == {
        ("B03", 1, 1, 1, 1): ("0.ome.tif", 0),
        ("B03", 2, 1, 1, 1): ("3.ome.tif", 0),
        ("AF48", 1, 1, 1, 1): ("2.ome.tif", 0),
    }
    assert (len(index.rows), len(index.columns), index.barcode, index.name) == (32, 48, "BC7", "p")
    assert [(one.name, one.start_time) for one in index.acquisitions] == [("day 1", "2024")]
    assert {one.path: one.reason for one in index.unmatched} == {"1.ome.tif": "it is of Image:1, an image of no well"}


def test_samples_without_an_image_or_of_one_that_is_not_told_are_counted(tmp_path):
    save(tmp_path / "0.ome.tif")
    told = plate((0, 0, [0, 5, 6])).replace(
        "</Well>", '<WellSample ID="S:9" Index="9"/><WellSample ID="S:8"><ImageRef ID="Image:0"/></WellSample></Well>'
    )
    (tmp_path / "x.companion.ome").write_text(document(image(0, block("0.ome.tif", IFD=0)), plates=told))
    index = read(tmp_path)
    assert index.warnings == (
        "well samples of an image that no document tells of: 2, such as S:5: Image:5",
        "well samples without an image: 1, such as S:9",
        "well samples of an image that another sample has: 1, such as S:8: Image:0",
    )


def test_several_plates_of_one_document_are_refused(tmp_path):
    save(tmp_path / "0.ome.tif")
    images = [image(number, block("0.ome.tif", IFD=0)) for number in range(2)]
    told = plate((0, 0, [0]), name="one") + plate((0, 0, [1]), name="two")
    (tmp_path / "x.companion.ome").write_text(document(*images, plates=told))
    with pytest.raises(SeveralPlates, match="2 plates: one, two"):
        read(tmp_path)


def test_plates_in_folders_of_their_own_are_told_by_folder(tmp_path):
    for name in ("one", "two"):
        make_plate(tmp_path / name, layout="ome_tiff", wells=1, sites=1, size=(4, 4))
    with pytest.raises(SeveralPlates) as caught:
        read(tmp_path)
    assert caught.value.places == ("one", "two")


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (["A1-Site_0", "A1-Site_1", "H12-Site_0"], [("A01", 0), ("A01", 1), ("H12", 0)]),
        (["x_MMStack_B3-Site_12", "x_MMStack_B3-Site_3", "C4"], [("B03", 1), ("B03", 2), ("C04", 1)]),
        (["B3", "B3", "B3"], [("B03", 1), ("B03", 2), ("B03", 3)]),
        (["Pos0", "Pos1", "A1-Site_0"], [("A01", 1), ("A01", 2), ("A01", 3)]),
    ],
)
@pytest.mark.parametrize("stage", [True, False])
def test_without_a_plate_names_of_positions_tell_the_well(tmp_path, labels, places, stage):
    images = [
        image(n, f"<TiffData IFD='{n}'/>", name="" if stage else label, inner=f'<StageLabel Name="{label}"/>' * stage)
        for n, label in enumerate(labels)
    ]
    save(tmp_path / "a.ome.tif", 3, document(*images))
    index = read(tmp_path)
    assert {(p.well, p.site): p.source.page for p in index.planes} == {place: n for n, place in enumerate(places)}
    assert any("so each is a site of well A01" in told for told in index.warnings) is (labels[0] == "Pos0")


def test_files_that_know_nothing_of_each_other_are_sites(tmp_path):
    for number, name in enumerate(["one", "two"]):
        save(tmp_path / f"{name}.ome.tif", 2, document(image(0, c=2)), first=10 * number)
    index = detect(FolderFiles(tmp_path))
    assert index.microscope == "ome_tiff"
    assert {(p.site, p.channel, p.z): (p.source.path, p.source.page) for p in index.planes} == {
        (site, c, 1): (f"{name}.ome.tif", c - 1) for site, name in ((1, "one"), (2, "two")) for c in (1, 2)
    }


def test_files_named_after_wells_are_of_these_wells(tmp_path):
    for name in ("B02", "C03"):
        save(tmp_path / f"{name}.ome.tif", 2, document(image(0, c=2)))
    index = detect(FolderFiles(tmp_path))
    assert (index.microscope, index.wells, [one.number for one in index.channels]) == (
        "ome_tiff",
        ("B02", "C03"),
        [1, 2],
    )


def test_files_of_one_plane_whose_names_tell_all_are_left_to_their_names(tmp_path):
    for name in ("A01_s1_c1", "A01_s1_c2", "B01_s1_c1", "B01_s1_c2"):
        save(tmp_path / f"{name}.ome.tif", 1, document(image(0)))
    files = Counting(tmp_path)
    assert isinstance(OmeTiff().index(files), NotMine)
    assert len(files.opened) == 1
    index = detect(FolderFiles(tmp_path))
    assert (index.microscope, index.wells) == ("generic", ("A01", "B01"))


def test_a_tiff_without_ome_in_its_name_may_begin_with_ome_xml(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((2, 3, 8, 8), np.uint8), ome=True, metadata={"axes": "CZYX"})
    index = detect(FolderFiles(tmp_path))
    assert (index.microscope, index.axes()) == ("ome_tiff", ((1,), (1, 2), (1, 2, 3)))


def test_a_channel_keeps_its_number_where_another_image_lists_it_elsewhere(tmp_path):
    channels = [
        "".join(f'<Channel ID="{name}" Name="{name}"/>' for name in names) for names in (("D", "G"), ("G", "R"))
    ]
    images = [
        image(n, f"{inner}<TiffData IFD='{2 * n}'/><TiffData IFD='{2 * n + 1}' FirstC='1'/>", c=2)
        for n, inner in enumerate(channels)
    ]
    save(tmp_path / "a.ome.tif", 4, document(*images))
    index = read(tmp_path)
    assert [(one.number, one.name) for one in index.channels] == [(1, "D"), (2, "G"), (3, "R")]
    assert {(p.site, p.channel): p.source.page for p in index.planes} == {(1, 1): 0, (1, 2): 1, (2, 2): 2, (2, 3): 3}


def test_channels_by_the_thousand_take_no_time_of_their_squares(tmp_path):
    names = [
        "".join(f'<Channel ID="c" Name="{name}"/>' for name in ("y", *"x" * 9998, "z")),
        '<Channel ID="c" Name="x"/>',
    ]
    images = [image(n, inner, c=10_000) for n, inner in enumerate([names[0], names[1] * 9999])]
    (tmp_path / "x.companion.ome").write_text(document(*images))
    index = read(tmp_path)
    assert len(index.channels) >= 10_000


# What is refused or left to others.


@pytest.mark.parametrize(
    "inner", ['<Channel ID="c" SamplesPerPixel="3"/><TiffData IFD="0"/>', '<Channel ID="c" SamplesPerPixel="3"/>']
)
def test_images_in_colour_are_refused(tmp_path, inner):
    (tmp_path / "x.companion.ome").write_text(document(image(0, inner, c=3)))
    with pytest.raises(FormatError, match=r"has 3 values per pixel \(RGB\); a plane has one"):
        read(tmp_path)


def test_a_file_in_colour_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "x.ome.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(FormatError, match=r"x\.ome\.tif holds \(8, 9, 3\) values per page; a plane has one value"):
        detect(FolderFiles(tmp_path))


def test_a_damaged_document_is_told_and_other_folders_are_none_of_ours(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert "no *.companion.ome" in read(tmp_path).why
    save(tmp_path / "plain.tif")
    assert "no TIFF begins with OME-XML" in read(tmp_path).why
    save(tmp_path / "a.ome.tif", description="plain")
    assert read(tmp_path) == NotMine("a.ome.tif: its description is no OME-XML")
    (tmp_path / "x.companion.ome").write_text(document(image(0))[:-30])
    with pytest.raises(FormatError, match=r"x\.companion\.ome: line 1, column \d+"):
        read(tmp_path)


def test_an_image_of_our_own_output_is_not_taken(tmp_path):
    from openhcs import GlobalPipelineConfig, VFSConfig, convert
    from openhcs.constants.constants import MaterializationBackend

    make_plate(tmp_path / "p", layout="ome_tiff", wells=1, sites=1, size=(8, 8))
    config = GlobalPipelineConfig(num_workers=1, vfs=VFSConfig(materialization_backend=MaterializationBackend.DISK))
    assert convert(tmp_path / "p", tmp_path / "out", config=config).ok
    assert detect(FolderFiles(tmp_path / "out")).microscope == "openhcs_tiff"
