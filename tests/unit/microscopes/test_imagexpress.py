"""ImageXpress plates: folders, HTDs that fit or do not, several plates, what large plates are read by."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from imagexpress_exports import htd, image, index_of, moment, present, put
from openhcs.core.plate import PlaneState
from openhcs.errors import FormatError, InputError, SeveralPlates
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import look
from openhcs.microscopes.forms import all_forms
from openhcs.microscopes.imagexpress import ImageXpress
from openhcs.microscopes.metaxpress import facts as imagexpress_facts
from openhcs.microscopes.protocol import NotMine
from openhcs.testing.scene import encode_tiff
from openhcs.testing.synthetic import make_plate

WELL_A01 = {"WellsSelection1": "TRUE"}


def test_planes_left_out_of_a_made_plate_are_not_recorded(tmp_path):
    index = index_of(make_plate(tmp_path / "P", wells=2, z=2, size=(32, 48), missing=3))
    assert index.states[PlaneState.NOT_RECORDED] == 3
    assert index.states[PlaneState.PRESENT] == 2 * 2 * 2 * 2 - 3
    assert (index.plane_shape, index.z_step_um) == ((32, 48), 2.0)
    assert index.warnings == ()


def test_a_plate_kept_by_the_database_has_projections_and_thumbnails(tmp_path):
    index = index_of(make_plate(tmp_path / "P", layout="imagexpress_database", wells=2, z=3, t=2, size=(32, 48)))
    assert index.name == "P"
    assert index.axes(0) == ((1, 2), (1, 2), (1, 2, 3))
    assert index.axes(1) == ((1, 2), (1, 2), (1,))
    assert "64 thumbnails are left out" in index.why
    assert {one.reason for one in index.unmatched} == {"a thumbnail"}
    assert (index.z_step_um, index.warnings) == (2.0, ())


def test_heights_and_times_are_told_from_the_first_image_on(tmp_path):
    index = index_of(make_plate(tmp_path / "P", wells=1, sites=2, z=2, t=2, channels=("DAPI",), size=(16, 16)))
    assert index.acquisitions[0].start_time == "2024-01-31T08:30:00.000"
    assert [(one.site, one.t, one.z, one.z_um, one.time_s) for one in index.planes] == [
        (site, t, z, 1000 + 2 * z, (site - 1) + 60 * (t - 1) + (z - 1) / 10)
        for site in (1, 2)
        for t in (1, 2)
        for z in (1, 2)
    ]


def test_of_a_large_plate_a_sample_of_headers_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(imagexpress_facts, "ALL_READ", 10)
    monkeypatch.setattr(imagexpress_facts, "STACK_READ", 5)
    index = index_of(make_plate(tmp_path / "P", wells=3, z=4, size=(16, 16)))
    assert index.positions.keys() == {(well, site) for well in index.wells for site in (1, 2)}
    assert [one.name for one in index.channels] == ["DAPI", "FITC"]
    assert (index.z_step_um, index.pixel_size_um) == (2.0, (0.65, 0.65))
    told = [(one.well, one.site) for one in index.planes if one.z_um is not None]
    assert len(told) == 5 + 5
    assert len(set(told)) == 6


def test_a_folder_without_such_names_is_not_its_own(tmp_path):
    put(tmp_path, "notes.txt", b"no plate")
    found = ImageXpress().index(FolderFiles(tmp_path))
    assert isinstance(found, NotMine)
    assert "Plate1_A01_s1_w1.TIF" in found.why


def test_thumbnails_alone_are_no_plate(tmp_path):
    put(tmp_path, "P_A01_thumbA6B0784C-19ED-4F35-9E6A-0A306794BB11.tif", image(1))
    assert isinstance(ImageXpress().index(FolderFiles(tmp_path)), NotMine)


def test_a_folder_in_which_most_tiffs_are_named_otherwise_is_not_its_own(tmp_path, data):
    found = ImageXpress().index(FolderFiles(data("cv8000-minimal-2c-3w-4s-4z")))
    assert isinstance(found, NotMine)
    plate = make_plate(tmp_path / "P", wells=1, sites=1, size=(16, 16))
    for number in range(5):
        put(plate, f"other{number}.tif", b"x")
    found = ImageXpress().index(FolderFiles(plate))
    assert isinstance(found, NotMine)
    assert "2 of 7 TIFFs" in found.why


@pytest.mark.parametrize(
    "places", [("P1", "P2"), ("9987_Plate_3434", "9987_Plate_3435"), ("2023-02-21/1334", "2023-02-21/1335")]
)
def test_several_plates_below_a_folder_are_refused_by_name(tmp_path, places):
    for place in places:
        put(tmp_path, f"{place}/TimePoint_1/P_A01_s1_w1.TIF", image(1))
    with pytest.raises(SeveralPlates, match=f"2 plates: {', '.join(places)}") as caught:
        index_of(tmp_path)
    assert caught.value.places == places


def test_images_of_two_plates_in_one_folder_are_refused_where_they_clash(tmp_path):
    put(tmp_path, "P1_A01_s1_w1.TIF", image(1))
    put(tmp_path, "P2_A02_s1_w1.TIF", image(2))
    assert "named after 2 plates, read as one: P1: 1, P2: 1" in index_of(tmp_path).warnings[0]
    put(tmp_path, "P2_A01_s1_w1.TIF", image(3))
    with pytest.raises(FormatError, match=r"Images of 2 plates lie in one folder \(P2: 2, P1: 1\)"):
        index_of(tmp_path)


def test_names_in_lower_case_are_of_any_folder(tmp_path):
    put(tmp_path, "my plate_b03_s12_w10.tif", image(1))
    assert isinstance(ImageXpress().index(FolderFiles(tmp_path)), NotMine)
    put(tmp_path, "P_B03_s12_w10.tif", image(1))
    reasons = {one.path: one.reason for one in index_of(tmp_path).unmatched}
    assert "nearest: imagexpress, <plate>_<well>_s<site>_w<wave>.tif" in reasons["my plate_b03_s12_w10.tif"]


def test_older_images_tell_in_the_tags_of_a_stack(tmp_path, data):
    put(tmp_path, "P_P24_s9_w3.TIF", (data("cellomics-c01-file") / "MetamorphImage.tif").read_bytes())
    index = index_of(tmp_path)
    assert index.positions == {("P24", 9): (115815.18, 242997.32)}
    assert (index.pixel_size_um, index.plane_shape) == ((0.645, 0.645), (520, 696))
    assert (index.barcode, index.instrument) == ("BR00021380", "ImageXpress Micro")
    assert index.acquisitions[0].start_time == "2010-03-05T12:08:52.203"
    (channel,) = index.channels
    assert (channel.number, channel.name, channel.emission_nm, channel.exposure_ms) == (3, "Cy5", 675, 300)
    assert (channel.objective, channel.numerical_aperture, channel.binning) == ("20x Plan Fluor ELWD", 0.45, (2, 2))
    assert [(one.z_um, one.time_s) for one in index.planes] == [(11702.6, 0)]


def test_steps_and_time_points_are_in_natural_order(tmp_path):
    for z in (1, 2, 10):
        put(tmp_path, f"TimePoint_{z}/ZStep_{z}/P_A01.TIF", image(z, taken=moment(z)))
    assert [(one.t, one.z) for one in index_of(tmp_path).planes] == [(1, 1), (2, 2), (10, 10)]


def test_an_htd_of_another_plate_is_told_and_promises_nothing(tmp_path):
    put(tmp_path, "P_A01_s1_w1.TIF", image(1))
    put(tmp_path, "Q.HTD", htd(WellsSelection1="FALSE, TRUE, TRUE"))
    index = index_of(tmp_path)
    assert index.states[PlaneState.NOT_RECORDED] == 0
    assert (len(index.rows), len(index.columns)) == (2, 3)
    assert "selects none of the 1 wells" in index.warnings[0]
    assert index.metadata_files == ("Q.HTD",)


def test_what_an_htd_does_not_know_is_told(tmp_path):
    for name in ("P_A01_s1_w1", "P_A01_s3_w1", "P_A02_s1_w1", "P_A01_s1_w5"):
        put(tmp_path, f"TimePoint_2/{name}.TIF", image(len(name)))
    put(tmp_path, "Q.HTD", htd(**WELL_A01, Sites="TRUE", XSites=2, YSites=1))
    told = index_of(tmp_path).warnings
    assert told[0] == "Q.HTD is named otherwise than the images, which are of P"
    assert [warning.removeprefix("images are of ").split(" that")[0] for warning in told[1:]] == [
        "wells", "sites", "waves", "time points",
    ]  # fmt: skip
    assert told[1].endswith("1, such as A02")


def test_sites_numbered_over_the_whole_grid_are_believed(tmp_path):
    put(tmp_path, "P_A01_s3_w1.TIF", image(1))
    put(
        tmp_path,
        "P.HTD",
        htd(**WELL_A01, Sites="TRUE", XSites=2, YSites=2, SiteSelection1="FALSE, TRUE", SiteSelection2="TRUE"),
    )
    index = index_of(tmp_path)
    assert {(one.site, one.state.value) for one in index.planes} == {(2, "not_recorded"), (3, "present")}
    assert index.warnings == ()


def test_of_several_htds_the_one_named_as_the_images_is_read(tmp_path):
    put(tmp_path, "TimePoint_1/P_A01.TIF", image(1))
    own = htd(**WELL_A01, TimePoints=2)
    for place in ("P.HTD", "TimePoint_1/P.HTD"):
        put(tmp_path, place, own)
    put(tmp_path, "A.HTD", htd(**WELL_A01, TimePoints=3))
    put(tmp_path, "elsewhere/P.HTD", own)
    index = index_of(tmp_path)
    assert index.states[PlaneState.NOT_RECORDED] == 1
    assert index.metadata_files == ("P.HTD", "A.HTD", "TimePoint_1/P.HTD")
    assert [one.path for one in index.unmatched if one.path.endswith("HTD")] == ["elsewhere/P.HTD"]
    assert "HTD files of other folders are not read: 1" in index.warnings[0]
    assert "HTD files differ: P.HTD is read, 1 others are not, such as A.HTD" in index.warnings[1]


def test_an_htd_that_is_cut_short_or_damaged_is_told(tmp_path):
    put(tmp_path, "P_A01.TIF", image(1))
    put(tmp_path, "P.HTD", htd(**WELL_A01)[:-12])
    assert "has no EndFile" in index_of(tmp_path).warnings[0]
    put(tmp_path, "P.HTD", htd(XWells="many"))
    with pytest.raises(FormatError, match=r"P\.HTD is a damaged HTD file"):
        index_of(tmp_path)


def test_an_htd_that_promises_absurdly_much_is_refused(tmp_path):
    put(tmp_path, "P_A01.TIF", image(1))
    put(tmp_path, "P.HTD", htd(**WELL_A01, TimePoints=100_000, Waves="TRUE", NWavelengths=2))
    with pytest.raises(FormatError, match=r"P\.HTD promises 100001 planes and 1 are there"):
        index_of(tmp_path)


def test_steps_that_nobody_recorded_are_promised_where_there_are_folders_of_steps(tmp_path):
    promise = htd(**WELL_A01, ZSeries="TRUE", ZSteps=3)
    put(tmp_path / "a", "ZStep_1/P_A01.TIF", image(1))
    put(tmp_path / "a", "P.HTD", promise)
    assert index_of(tmp_path / "a").axes(0)[2] == (1, 2, 3)
    put(tmp_path / "b", "P_A01.TIF", image(1))
    put(tmp_path / "b", "P.HTD", promise)
    assert index_of(tmp_path / "b").axes(0)[2] == (1,)


def test_channels_of_one_light_are_told_apart_by_their_images(tmp_path):
    for wave, name in ((1, "Copy of FITC"), (3, "Copy of FITC-3")):
        put(
            tmp_path,
            f"P_A01_w{wave}.TIF",
            image(wave, taken=moment(wave), **{"_IllumSetting_": "FITC", "image-name": name}),
        )
    assert [(one.number, one.name) for one in index_of(tmp_path).channels] == [(1, "FITC"), (3, "FITC-3")]


def test_pixel_sizes_that_differ_are_told(tmp_path):
    for well, size in (("A01", 0.5), ("A02", 0.5), ("A03", 0.25)):
        props = {f"spatial-calibration-{axis}": size for axis in "xy"} | {"spatial-calibration-units": "um"}
        put(tmp_path, f"P_{well}_w1.TIF", image(1, taken=moment(1), **props))
    index = index_of(tmp_path)
    assert index.pixel_size_um == (0.5, 0.5)
    assert "2 pixel sizes" in index.warnings[0]


def test_a_damaged_image_stays_a_plane_and_is_told(tmp_path):
    put(tmp_path, "P_A01_w1.TIF", image(1, taken=moment(1)))
    put(tmp_path, "P_A01_w2.TIF", b"no image")
    index = index_of(tmp_path)
    assert present(index) == {(0, 1, 1, 1), (0, 2, 1, 1)}
    assert "cannot be read: 1, such as P_A01_w2.TIF" in index.warnings[0]


def test_an_image_of_another_size_stays_a_plane_where_it_was_promised(tmp_path):
    for well in ("A01", "A02"):
        put(tmp_path, f"P_{well}.TIF", image(1))
    put(tmp_path, "P_A03.TIF", encode_tiff(np.zeros((4, 4), np.uint16)))
    index = index_of(tmp_path)
    assert index.wells == ("A01", "A02")
    assert "of another kind are left out: 1, such as P_A03.TIF" in index.warnings[0]
    put(tmp_path, "P.HTD", htd(WellsSelection1="TRUE, TRUE, TRUE"))
    index = index_of(tmp_path)
    assert index.wells == ("A01", "A02", "A03")
    assert "of another kind cannot be read: 1, such as P_A03.TIF" in index.warnings[0]
    assert index.plane_shape == (8, 8)


def test_two_vendors_in_one_folder_are_refused(tmp_path):
    plate = make_plate(tmp_path / "P", wells=1, sites=2, size=(16, 16))
    shutil.copy(plate / "TimePoint_1/P_A01_s1_w1.TIF", plate / "r01c01f01p01-ch1sk1fk1fl1.tiff")
    own = {name for name, form in all_forms() if form.matches("P_A01_s1_w1.TIF")}
    assert own == {"imagexpress"}
    with pytest.raises(InputError, match=r"4 images are named as imagexpress, such as TimePoint_1/P_A01_s1_w1\.TIF"):
        look(FolderFiles(plate))
    assert len(look(FolderFiles(plate), "imagexpress").index().planes) == 4
