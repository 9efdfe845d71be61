"""Micro-Manager's acquisitions in both ways of saving: positions, pages, what was stopped, filled up or lost."""

from __future__ import annotations

import json

import pytest

from ome_sets import Counting, block, document, image, save, states
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError, InputError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import NotMine, detect
from openhcs.microscopes.micro_manager import MicroManager
from openhcs.microscopes.micromanager.data import numbered, wanted
from openhcs.microscopes.micromanager.text import Frame
from openhcs.testing.layouts import micro_manager_files
from openhcs.testing.scene import Scene, Wanted
from openhcs.testing.synthetic import make_plate

SUMMARY = {"ChNames": ["DAPI", "GFP"], "PixelType": "GRAY16"}


def read(folder):
    return MicroManager().index(FolderFiles(folder))


def write_text(path, frames, summary=SUMMARY, end="\n}\n"):
    """Write records of (t, c, z, what more is told) as Micro-Manager does: keys may repeat."""
    members = [("Summary", summary), *[(f"FrameKey-{t}-{c}-{z}", more) for t, c, z, more in frames]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{" + ",\n".join(f"{json.dumps(key)}: {json.dumps(told)}" for key, told in members) + end)


def planes(index, state=PlaneState.PRESENT):
    """Return (well, site, t, c, z) → (file, page) of the planes of a state."""
    return {
        (one.well, one.site, one.t, one.channel, one.z): (one.source.path, one.source.page) if one.source else None
        for one in index.planes
        if one.state is state
    }


# Separate files.


@pytest.mark.parametrize("version", [1, 2])
def test_separate_files_of_both_versions_tell_the_same(tmp_path, version):
    plate = Wanted(
        name="p", wells=("B03", "AF48"), sites=2, channels=("DAPI", "GFP/x µ" if version == 2 else "GFP x"), z=2, t=2,
        size=(8, 9), seed=0, missing=1, empty=frozenset(),
    )  # fmt: skip
    micro_manager_files.write(plate, Scene(plate), tmp_path, version=version)
    index = detect(FolderFiles(tmp_path))
    assert index.microscope == "micro_manager"
    assert states(index) == {"present": 31, "missing": 1}
    assert index.wells == ("B03", "AF48")
    assert {(one.site, one.t, one.channel, one.z) for one in index.planes} == {
        (site, t, c, z) for site in (0, 1) for t in (0, 1) for c in (0, 1) for z in (0, 1)
    }
    for one in index.planes:
        number = 2 * (one.well == "AF48") + one.site
        folder = {"B03": "B3", "AF48": "AF48"}[one.well] + f"-Site_{one.site}"
        name = (
            f"img_{one.t:09d}_{plate.channels[one.channel]}_{one.z:03d}.tif"
            if version == 1
            else f"img_channel{one.channel:03d}_position{number:03d}_time{one.t:09d}_z{one.z:03d}.tif"
        )
        assert one.source.path == f"{folder}/{name}"
        assert (one.z_um, one.time_s) == (2.0 * (one.z + 1), round(60 * one.t + 0.0075, 3))
    assert [(one.name, one.exposure_ms, one.binning, one.objective) for one in index.channels] == [
        (name, 100.0, (2, 2), "10x/0.45") for name in plate.channels
    ]
    assert [one.color for one in index.channels] == ["0000FF", "00FF00"]
    assert (index.pixel_size_um, index.z_step_um, index.positions[("B03", 0)]) == ((0.65, 0.65), 2.0, (18000.0, 9000.0))
    assert index.acquisitions[0].start_time == "2024-07-09T13:13:03.000+02:00"
    assert len(index.metadata_files) == 4
    assert index.unmatched == ()


@pytest.mark.parametrize("folder", ["Pos0", "2-Pos_001_000", "."])
def test_names_alone_miss_nothing_and_positions_are_sites_of_one_well(tmp_path, folder):
    for z, t in ((0, 0), (1, 0), (0, 2)):
        for channel in ("GFP", "DAPI"):
            save(tmp_path / folder / f"img_{t:09d}_{channel}_{z:03d}.tif")
    index = detect(FolderFiles(tmp_path))
    assert (index.microscope, index.name) == ("micro_manager", tmp_path.name)
    assert [(one.number, one.name) for one in index.channels] == [(0, "DAPI"), (1, "GFP")]
    assert set(planes(index)) == {("A01", 0, t, c, z) for z, t in ((0, 0), (1, 0), (0, 2)) for c in (0, 1)}
    assert states(index)["present"] == 6
    assert "missing" not in states(index)


def test_names_that_leave_out_axes_are_read(tmp_path):
    for name in ("img_channel001", "img_channel001_z002", "img_time000000003", "img_z004"):
        save(tmp_path / "Default" / f"{name}.tif")
    assert set(planes(read(tmp_path))) == {
        ("A01", 0, 0, 1, 0),
        ("A01", 0, 0, 1, 2),
        ("A01", 0, 3, 0, 0),
        ("A01", 0, 0, 0, 4),
    }


def test_files_nobody_recorded_and_documents_beside_are_told(tmp_path):
    save(tmp_path / "Pos0" / "img_000000000_DAPI_000.tif")
    save(tmp_path / "Pos0" / "img_000000000_DAPI_001.tif")
    (tmp_path / "Pos0" / "display_and_comments.txt").write_text("{}")
    (tmp_path / "DisplaySettings.json").write_text("{}")
    write_text(tmp_path / "Pos0" / "metadata.txt", [(0, 0, 0, {"Channel": "DAPI", "PositionName": "Pos0"})])
    index = detect(FolderFiles(tmp_path))
    assert set(planes(index)) == {("A01", 0, 0, 0, 0)}
    assert {one.path: one.reason for one in index.unmatched} == {
        "Pos0/img_000000000_DAPI_001.tif": "Pos0/metadata.txt does not name it"
    }
    assert set(index.metadata_files) == {"Pos0/metadata.txt", "Pos0/display_and_comments.txt", "DisplaySettings.json"}


def test_an_acquisition_without_positions_lies_in_its_own_folder(tmp_path):
    for name in ("one", "two"):
        save(tmp_path / name / "img_000000000_DAPI_000.tif")
        write_text(tmp_path / name / "metadata.txt", [(0, 0, 0, {"Channel": "DAPI", "PositionName": None})])
    with pytest.raises(SeveralPlates) as caught:
        read(tmp_path)
    assert caught.value.places == ("one", "two")
    assert read(tmp_path / "one").name == "one"


def test_acquisitions_of_several_positions_are_told_apart(tmp_path):
    for name in ("run_1", "run_2"):
        make_plate(tmp_path / name, layout="micro_manager_files", wells=2, sites=1, size=(4, 4))
    with pytest.raises(SeveralPlates) as caught:
        read(tmp_path)
    assert caught.value.places == ("run_1", "run_2")


def test_one_folder_of_a_position_is_read_without_the_others(tmp_path):
    make_plate(tmp_path, layout="micro_manager_files", wells=["A01", "A02"], sites=1, size=(4, 4))
    index = read(tmp_path / "A2-Site_0")
    assert states(index) == {"present": 2}


def test_positions_that_users_named_are_known_by_their_records_or_their_neighbours(tmp_path):
    for name in ("left", "right"):
        save(tmp_path / "run" / name / "img_000000000_DAPI_000.tif")
    index = read(tmp_path)
    assert (index.name, {one.site for one in index.planes}) == ("run", {0, 1})
    for number, name in enumerate(("left", "right")):
        told = {"Channel": "DAPI", "PositionName": name, "PositionIndex": 7 - number}
        write_text(tmp_path / "run" / name / "metadata.txt", [(0, 0, 0, told)])
    index = read(tmp_path)
    assert {one.site: one.source.path.split("/")[1] for one in index.planes} == {7: "left", 6: "right"}


def test_positions_keep_their_numbers_where_each_has_one_of_its_own():
    assert [one.number for one in numbered([(5, "a", []), (2, "b", [])])] == [5, 2]
    assert [one.number for one in numbered([(5, "a", []), (None, "b", [])])] == [0, 1]
    assert [one.number for one in numbered([(5, "a", []), (5, "b", [])])] == [0, 1]


# Stacks.


def test_stacks_are_read_by_one_document_whatever_their_number(tmp_path):
    make_plate(tmp_path, layout="micro_manager", wells=["B03", "C04"], sites=2, z=2, t=2, size=(8, 8), name="p")
    files = Counting(tmp_path)
    index = detect(files)
    assert index.microscope == "micro_manager"
    assert (index.name, states(index)) == ("p", {"present": 32})
    assert len(files.opened) == 4
    assert {(one.well, one.site) for one in index.planes} == {(well, n) for well in ("B03", "C04") for n in (0, 1)}
    assert planes(index)["C04", 1, 1, 0, 1] == ("p_MMStack_C4-Site_1.ome.tif", 6)
    assert index.planes[0].time_s == 0.007
    assert index.unmatched == ()


def test_stacks_without_texts_are_read_by_their_ome_xml(tmp_path):
    make_plate(tmp_path, layout="micro_manager", wells=["B03", "C04"], sites=1, z=2, t=2, size=(8, 8), name="p")
    for path in tmp_path.glob("*_metadata.txt"):
        path.unlink()
    index = detect(FolderFiles(tmp_path))
    assert (index.microscope, states(index)) == ("micro_manager", {"present": 16})
    assert planes(index)["C04", 0, 1, 0, 1] == ("p_MMStack_C4-Site_0.ome.tif", 6)
    assert [one.name for one in index.channels] == ["DAPI", "FITC"]


def test_an_acquisition_that_was_killed_is_read_by_its_records(tmp_path):
    """Without its end a stack has no OME-XML yet, and its text no end: pages are in the order of the records."""
    make_plate(tmp_path, layout="micro_manager", wells=["B03"], sites=1, z=2, t=3, size=(8, 8), name="p")
    text = tmp_path / "p_MMStack_B3-Site_0_metadata.txt"
    whole = text.read_bytes()
    save(tmp_path / "p_MMStack_B3-Site_0.ome.tif", 5, description="not yet")
    text.write_bytes(whole[: whole.index(b'"FrameKey-1-1-1') - 200])
    index = detect(FolderFiles(tmp_path))
    assert planes(index) == {
        ("B03", 0, t, c, z): ("p_MMStack_B3-Site_0.ome.tif", 4 * t + 2 * z + c)
        for t, c, z in ((0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 0))
    }
    assert states(index) == {"present": 5, "missing": 1, "not_recorded": 6}
    assert any("ends in the midst: the acquisition was killed" in told for told in index.warnings)
    assert any("fewer pages than named: 1" in told for told in index.warnings)


def test_a_stopped_acquisition_has_planes_that_were_not_recorded_and_its_blank_pages_are_none(tmp_path):
    """Stopped in the second of three times: its last time is filled up with blank pages in file and OME-XML."""
    blocks = "".join(
        block("x_MMStack_Pos0.ome.tif", "1", IFD=2 * t + c, FirstT=t, FirstC=c) for t in range(2) for c in range(2)
    )
    save(tmp_path / "x_MMStack_Pos0.ome.tif", 4, document(image(0, blocks, c=2, t=2, name="x_MMStack_Pos0"), uuid="1"))
    frames = [(0, 0, 0, {}), (0, 1, 0, {}), (1, 0, 0, {})]
    meant = {**SUMMARY, "Frames": 3, "Channels": 2, "Slices": 1, "Positions": 2}
    write_text(tmp_path / "x_MMStack_Pos0_metadata.txt", frames, meant)
    index = read(tmp_path)
    name = "x_MMStack_Pos0.ome.tif"
    assert planes(index) == {
        ("A01", 0, 0, 0, 0): (name, 0),
        ("A01", 0, 0, 1, 0): (name, 1),
        ("A01", 0, 1, 0, 0): (name, 2),
    }
    lost = planes(index, PlaneState.NOT_RECORDED)
    assert set(lost) == {("A01", 0, t, c, 0) for t, c in ((1, 1), (2, 0), (2, 1))} | {
        ("A01", 1, t, c, 0) for t in range(3) for c in range(2)
    }
    assert any("does not record: 9, of them 1 whole positions" in told for told in index.warnings)
    assert any("fill up an aborted acquisition: 1" in told for told in index.warnings)


def test_channels_without_stacks_and_with_skipped_frames_are_no_gaps(tmp_path):
    places = [(t, 0, z) for t in range(4) for z in range(3)] + [(t, 1, 1) for t in (0, 2)]
    for t, c, z in places:
        save(tmp_path / "Pos0" / f"img_channel{c:03d}_position000_time{t:09d}_z{z:03d}.tif")
    meant = {**SUMMARY, "Frames": 4, "Channels": 2, "Slices": 3, "Positions": 1}
    frames = [(*place, {"PositionName": "Pos0"}) for place in places]
    write_text(tmp_path / "Pos0" / "metadata.txt", frames, meant)
    assert states(read(tmp_path)) == {"present": 14, "not_acquired": 10}


def test_positions_of_one_stack_and_files_that_go_on_are_told_apart(tmp_path):
    names = ("x_MMStack.ome.tif", "x_MMStack_1.ome.tif")
    blocks = [block(names[n], str(n), IFD=0) + block(names[n], str(n), IFD=1, FirstT=1) for n in range(2)]
    images = [image(n, blocks[n], t=2, inner=f'<StageLabel Name="H{n + 1}-Site_7"/>') for n in range(2)]
    save(tmp_path / names[0], 2, document(*images, uuid="0"))
    save(tmp_path / names[1], 2, '<OME><BinaryOnly MetadataFile="x_MMStack.ome.tif"/></OME>', first=10)
    told = [
        {"PositionName": f"H{n + 1}-Site_7", "FileName": names[n], "XPositionUm": n, "YPositionUm": 1} for n in range(2)
    ]
    frames = [(t, 0, 0, told[n]) for t in range(2) for n in range(2)]
    write_text(tmp_path / "x_MMStack_metadata.txt", frames)
    files = Counting(tmp_path)
    index = MicroManager().index(files)
    expected = {(f"H0{n + 1}", 7, t, 0, 0): (names[n], t) for t in range(2) for n in range(2)}
    assert planes(index) == expected
    assert index.positions == {("H01", 7): (0.0, 1.0), ("H02", 7): (1.0, 1.0)}
    save(tmp_path / names[0], 2, description="lost")
    save(tmp_path / names[1], 2, description="lost")
    assert planes(read(tmp_path)) == expected


def test_pages_of_one_stack_are_counted_over_all_its_positions(tmp_path):
    save(tmp_path / "x_MMStack.ome.tif", 4, description="lost")
    write_text(
        tmp_path / "x_MMStack_metadata.txt", [(t, 0, 0, {"PositionIndex": p}) for t in range(2) for p in range(2)]
    )
    assert planes(read(tmp_path)) == {
        ("A01", p, t, 0, 0): ("x_MMStack.ome.tif", 2 * t + p) for t in range(2) for p in range(2)
    }


def test_a_page_that_fills_a_gap_of_a_channel_is_kept_once(tmp_path):
    blocks = "".join(f"<TiffData IFD='{z}' FirstZ='{z}'/>" for z in range(3)) + "".join(
        f"<TiffData IFD='3' FirstZ='{z}' FirstC='1'/>" for z in (1, 0, 2)
    )
    save(tmp_path / "MMStack_Pos0.ome.tif", 4, document(image(0, blocks, c=2, z=3)))
    index = detect(FolderFiles(tmp_path))
    assert (index.microscope, index.name) == ("micro_manager", tmp_path.name)
    assert set(planes(index)) == {("A01", 0, 0, 0, z) for z in range(3)} | {("A01", 0, 0, 1, 1)}
    assert states(index) == {"present": 4, "not_acquired": 2}


def test_a_master_that_is_lost_leaves_the_records(tmp_path):
    make_plate(tmp_path, layout="micro_manager", wells=["B03", "C04"], sites=1, size=(8, 8), name="p")
    (tmp_path / "p_MMStack_B3-Site_0.ome.tif").unlink()
    index = read(tmp_path)
    assert states(index) == {"present": 2, "missing": 2}
    assert any("points at p_MMStack_B3-Site_0.ome.tif, which is not there" in told for told in index.warnings)
    for path in tmp_path.glob("*.txt"):
        path.unlink()
    with pytest.raises(FormatError, match="Copy that file beside the images"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (["A1-Site_0", "B12-Site_3"], [("A01", 0), ("B12", 3)]),
        (["A1-Site_0", "somewhere"], [("A01", 0), ("A01", 1)]),
        (["C2", "C3"], [("C02", 0), ("C03", 0)]),
        (["C2", "C2"], [("C02", 0), ("C02", 1)]),
        (["A1-Site_0", "x_A1-Site_0"], [("A01", 0), ("A01", 1)]),
    ],
)
def test_a_label_that_names_a_well_places_its_position(tmp_path, labels, places):
    images = [
        image(n, f"<TiffData IFD='{n}'/>", inner=f'<StageLabel Name="{label}"/>') for n, label in enumerate(labels)
    ]
    save(tmp_path / "x_MMStack_1.ome.tif", 2, document(*images))
    index = read(tmp_path)
    assert [(one.well, one.site) for one in sorted(index.planes, key=lambda one: one.source.page)] == places
    assert any("tell a well" in told for told in index.warnings) is (labels[1] in {"somewhere", "x_A1-Site_0"})


# What is refused or left to others.


def test_colour_is_refused(tmp_path):
    save(tmp_path / "Pos0" / "img_000000000_DAPI_000.tif")
    frames = [(0, 0, 0, {"Channel": "DAPI", "PositionName": "Pos0"})]
    write_text(tmp_path / "Pos0" / "metadata.txt", frames, {"PixelType": "RGB32"})
    with pytest.raises(FormatError, match=r"images are RGB32 \(colour\)"):
        read(tmp_path)


def test_a_summary_that_promises_without_end_is_refused(tmp_path):
    save(tmp_path / "Pos0" / "img_000000000_DAPI_000.tif")
    meant = {**SUMMARY, "Frames": 10**5, "Channels": 10**5, "Slices": 10**5, "Positions": 10**5}
    write_text(tmp_path / "Pos0" / "metadata.txt", [(0, 0, 0, {"Channel": "DAPI", "PositionName": "Pos0"})], meant)
    with pytest.raises(FormatError, match=r"promises [0-9]+ planes and 1 are there"):
        read(tmp_path)


def test_several_acquisitions_of_stacks_are_refused(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / f"{name}_MMStack_Pos0.ome.tif", 1, document(image(0)))
    with pytest.raises(SeveralPlates, match="stacks of 2 acquisitions: a, b"):
        read(tmp_path)


def test_stacks_and_separate_files_together_are_refused(tmp_path):
    save(tmp_path / "a_MMStack_Pos0.ome.tif", 1, document(image(0)))
    save(tmp_path / "img_000000000_DAPI_000.tif")
    with pytest.raises(InputError, match="1 files of single planes and 1 stacks"):
        read(tmp_path)


def test_stacks_of_which_nothing_tells_are_left_to_others(tmp_path):
    save(tmp_path / "a_MMStack_Pos0.ome.tif", 2, "nothing")
    assert isinstance(read(tmp_path), NotMine)
    assert detect(FolderFiles(tmp_path)).microscope == "generic"


def test_a_folder_with_few_of_its_names_is_none_of_ours(tmp_path):
    save(tmp_path / "img_000000000_DAPI_000.tif")
    for number in range(3):
        save(tmp_path / f"P_A01_s{number + 1}_w1.TIF")
    assert "1 of 4 images" in read(tmp_path).why
    with pytest.raises(InputError, match="images are named as micro_manager"):
        detect(FolderFiles(tmp_path))


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ({0: [(0, 0)]}, {0: (3, 6), 1: (3, 6)}),
        ({0: [(0, 0), (0, 1)], 1: [(0, 0)]}, {0: (3, 6), 1: (3, 6)}),
        ({0: [(0, z) for z in range(3)], 1: [(0, 1)]}, {0: (3, 6), 1: (1, 6)}),
        ({0: [(t, 0) for t in range(2)], 1: [(0, 0)]}, {0: (3, 6), 1: (3, 6)}),
        ({0: [(t, 0) for t in range(3)], 1: [(0, 0)]}, {0: (3, 6), 1: (3, 1)}),
        ({0: [(t, 0) for t in range(5)], 1: [(0, 0), (2, 0), (4, 0)]}, {0: (3, 6), 1: (3, 3)}),
        ({0: [(t, 0) for t in range(3)], 1: [(0, 0), (2, 0)]}, {0: (3, 6), 1: (3, 3)}),
        ({0: [(t, 0) for t in range(6)], 1: [(0, 0), (3, 0)]}, {0: (3, 6), 1: (3, 2)}),
        ({0: [(t, 0) for t in (0, 2, 3, 5)], 1: [(t, 0) for t in range(6)]}, {0: (3, 6), 1: (3, 6)}),
    ],
)
def test_what_was_wanted_of_a_channel_is_seen_on_what_was_taken(taken, expected):
    frames = [Frame(t, c, z) for c, places in taken.items() for t, z in places]
    plan = wanted({"time": 6, "z": 3, "channel": 2}, frames)
    assert {c: (len(zs), len(ts)) for c, (zs, ts) in plan.items()} == expected
