"""OME-Zarr plates of other tools, and what is wrong with some: each plate is a few small documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from openhcs.core.plate import Acquisition, Channel, PlaneState, PlateIndex, ZarrSource
from openhcs.errors import FormatError, InputError
from openhcs.io.folder import FolderFiles
from openhcs.microscopes import detect
from openhcs.microscopes.ome_zarr import OmeZarr
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openhcs.core.plate import FileSource

CZYX = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


class Counting(FolderFiles):
    """Refuses to list, and counts what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []

    def list(self) -> tuple[FileSource, ...]:
        raise AssertionError("the whole store is listed")

    def read_bytes(self, path: str, *, limit: int = 2**20) -> bytes:
        data = super().read_bytes(path, limit=limit)
        self.read.append(path)
        return data


def write(folder: Path, name: str, told: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(told if isinstance(told, str) else json.dumps(told))


def group(folder: Path, attributes: dict[str, Any], version: str) -> None:
    if version == "0.4":
        write(folder, ".zgroup", {"zarr_format": 2})
        write(folder, ".zattrs", attributes)
    else:
        ome = {"ome": {"version": version, **attributes}}
        write(folder, "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": ome})


def array(folder: Path, shape: tuple[int, ...], version: str, dtype: tuple[str, str] = (">u2", "uint16")) -> None:
    if version == "0.4":
        write(folder, ".zarray", {"zarr_format": 2, "shape": shape, "chunks": shape, "dtype": dtype[0]})
    else:
        write(folder, "zarr.json", {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype[1]})


def image(
    folder: Path,
    shape: tuple[int, ...] = (2, 3, 8, 9),
    *,
    version: str = "0.4",
    axes: Any = None,
    level: str = "0",
    labels: tuple[str, ...] | None = ("DAPI", "FITC"),
    steps: list[Any] | None = None,
    dtype: tuple[str, str] = (">u2", "uint16"),
) -> None:
    steps = steps or [{"type": "scale", "scale": [1.0] * (len(shape) - 2) + [0.5, 0.25]}]
    told: dict[str, Any] = {
        "multiscales": [{"axes": axes or CZYX, "datasets": [{"path": level, "coordinateTransformations": steps}]}]
    }
    if labels is not None:
        told["omero"] = {"channels": [{"label": label, "color": "00ff00"} for label in labels]}
    group(folder, told, version)
    array(folder / level, shape, version, dtype)


def plate(root: Path, *wells: str, version: str = "0.4", images: Any = ({"path": "0"},), **more: Any) -> None:
    rows = more.pop("rows", "ABC")
    columns = more.pop("columns", ["1", "2", "3"])
    told = {
        "rows": [{"name": name} for name in rows],
        "columns": [{"name": name} for name in columns],
        "wells": [
            {"path": well, "rowIndex": list(rows).index(row), "columnIndex": list(columns).index(column)}
            for well in wells
            for row, column in [well.split("/")]
        ],
        **({"version": version} if version == "0.4" else {}),
        **more,
    }
    group(root, {"plate": told}, version)
    for well in wells:
        group(root / well, {"well": {"images": list(images)}}, version)


def index(root: Path, *, counting: bool = True) -> PlateIndex:
    found = OmeZarr().index(Counting(root) if counting else FolderFiles(root))
    assert isinstance(found, PlateIndex)
    return found


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_foreign_plate_counts_from_one_and_keeps_names_as_written(tmp_path: Path, version: str) -> None:
    plate(tmp_path / "p.zarr", "C/3", "A/2", version=version, images=[{"path": "b"}, {"path": "a"}], name="mine")
    for well in ("C/3", "A/2"):
        for name in "ab":
            image(tmp_path / "p.zarr" / well / name, version=version)
    found = index(tmp_path / "p.zarr")
    assert (found.name, found.wells) == ("mine", ("A02", "C03"))
    assert (found.rows, found.columns) == (("A", "B", "C"), ("1", "2", "3"))
    assert found.well_place("C03") == ("C", "3")
    first = found.planes[0]
    assert (first.well, first.key, first.source) == ("A02", (0, 1, 1, 1, 1), ZarrSource("A/2/b/0", (0, 0)))
    assert [(plane.site, plane.channel, plane.z) for plane in found.by_well["C03"]] == [
        (site, channel, z) for site in (1, 2) for channel in (1, 2) for z in (1, 2, 3)
    ]
    assert found.channels == (
        Channel(number=1, name="DAPI", color="00ff00"),
        Channel(number=2, name="FITC", color="00ff00"),
    )
    assert (found.pixel_size_um, found.z_step_um) == ((0.5, 0.25), 1.0)
    assert (found.dtype, found.plane_shape) == ("uint16", (8, 9))
    assert f"of version {version}" in found.why


def test_a_plate_is_detected_without_listing_its_chunks(tmp_path: Path) -> None:
    plate(tmp_path, "A/1")
    image(tmp_path / "A/1/0")
    files = Counting(tmp_path)
    assert detect(files).microscope == "ome_zarr"
    assert set(files.read) == {".zattrs", "A/1/.zattrs", "A/1/0/.zattrs", "A/1/0/0/.zarray"}


def test_collapsed_rows_and_columns_are_filled_in_so_that_a_well_keeps_its_name(tmp_path: Path) -> None:
    plate(tmp_path, "B/03", rows="B", columns=["03"])
    image(tmp_path / "B/03/0")
    found = index(tmp_path)
    assert found.wells == ("B03",)
    assert (found.rows, found.columns) == (("A", "B"), ("01", "02", "03"))


def test_names_that_are_no_letters_or_numbers_count_by_their_order(tmp_path: Path) -> None:
    plate(tmp_path, "top/left", rows=["bottom", "top"], columns=["left", "right"])
    image(tmp_path / "top/left/0")
    found = index(tmp_path)
    assert found.wells == ("B01",)
    assert found.well_place("B01") == ("top", "left")


def test_odd_axes_and_level_paths_are_read(tmp_path: Path) -> None:
    plate(tmp_path, "A/1", images=[{"path": "0"}, {"path": "1"}, {"path": "2"}])
    image(tmp_path / "A/1/0", (8, 9), axes=["Y", "X"], level="scale0/image", labels=None)
    image(tmp_path / "A/1/1", (2, 8, 9), axes=["T", "Y", "X"], labels=None)
    image(tmp_path / "A/1/2", (2, 8, 9), axes=["C", "Y", "X"], labels=None)
    found = index(tmp_path)
    assert [(plane.key, plane.source) for plane in found.planes] == [
        ((0, 1, 1, 1, 1), ZarrSource("A/1/0/scale0/image", ())),
        ((0, 2, 1, 1, 1), ZarrSource("A/1/1/0", (0,))),
        ((0, 2, 2, 1, 1), ZarrSource("A/1/1/0", (1,))),
        ((0, 3, 1, 1, 1), ZarrSource("A/1/2/0", (0,))),
        ((0, 3, 1, 2, 1), ZarrSource("A/1/2/0", (1,))),
    ]
    assert [channel.name for channel in found.channels] == ["1", "2"]
    assert found.pixel_size_um is None
    assert "no pixel size is known" in found.warnings[0]


def test_lengths_are_in_micrometres_and_positions_come_from_translations(tmp_path: Path) -> None:
    axes = [{"name": "y", "unit": "nanometer"}, {"name": "x", "unit": "nanometer"}]
    steps = [{"type": "scale", "scale": [500, 250]}, {"type": "translation", "translation": [2000, 3000]}]
    plate(tmp_path, "A/1")
    image(tmp_path / "A/1/0", (8, 9), axes=axes, steps=steps)
    found = index(tmp_path)
    assert found.pixel_size_um == (0.5, 0.25)
    assert found.positions == {("A01", 1): (3.0, 2.0)}


def test_a_scale_for_all_levels_counts_too(tmp_path: Path) -> None:
    plate(tmp_path, "A/1")
    axes = [{"name": "y", "unit": "micrometer"}, {"name": "x", "unit": "micrometer"}]
    image(tmp_path / "A/1/0", (8, 9), axes=axes, steps=[{"type": "scale", "scale": [1, 1]}])
    told = json.loads((tmp_path / "A/1/0/.zattrs").read_text())
    told["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [0.3, 0.4]}]
    write(tmp_path / "A/1/0", ".zattrs", told)
    assert index(tmp_path).pixel_size_um == (0.3, 0.4)


def test_our_numbers_come_back_and_planes_two_apart_have_half_the_distance(tmp_path: Path) -> None:
    plate(tmp_path, "A/1")
    image(tmp_path / "A/1/0", steps=[{"type": "scale", "scale": [1, 4.0, 0.5, 0.5]}])
    told = json.loads((tmp_path / "A/1/0/.zattrs").read_text())
    gaps = [{"t": 6, "c": 3, "z": 5, "state": "missing"}, {"t": 6, "c": 3, "z": 9, "state": "not_acquired"}]
    told["openhcs"] = {"site": 23, "acquisition": 1, "t": [6], "channels": [3, 8], "z": [5, 7, 9], "gaps": gaps}
    write(tmp_path / "A/1/0", ".zattrs", told)
    found = index(tmp_path)
    assert [(plane.key, plane.state.value) for plane in found.planes] == [
        ((1, 23, 6, 3, 5), "missing"),
        ((1, 23, 6, 3, 7), "present"),
        ((1, 23, 6, 8, 5), "present"),
        ((1, 23, 6, 8, 7), "present"),
        ((1, 23, 6, 8, 9), "present"),
    ]
    assert found.planes[1].source == ZarrSource("A/1/0/0", (0, 1))
    assert found.states[PlaneState.NOT_ACQUIRED] == 1
    assert found.z_step_um == 2.0


def test_sites_count_within_their_acquisition_and_a_label_keeps_its_number(tmp_path: Path) -> None:
    images = [{"path": str(n), "acquisition": n % 2} for n in range(4)]
    plate(tmp_path, "A/1", images=images, acquisitions=[{"id": 0, "name": "day 1", "starttime": 0}, {"id": 1}])
    for n in range(4):
        image(tmp_path / f"A/1/{n}", labels=("DAPI", "FITC") if n % 2 == 0 else ("FITC", "Cy5"))
    found = index(tmp_path)
    sites = {(plane.acquisition, plane.site) for plane in found.planes}
    assert sites == {(0, 1), (0, 2), (1, 1), (1, 2)}
    assert [(one.number, one.name) for one in found.channels] == [(1, "DAPI"), (2, "FITC"), (3, "Cy5")]
    assert found.axes(1)[1] == (2, 3)
    assert found.acquisitions == (
        Acquisition(number=0, name="day 1", start_time="1970-01-01T00:00:00+00:00"),
        Acquisition(number=1, name="1"),
    )


def test_what_is_listed_and_not_there_is_missing(tmp_path: Path) -> None:
    plate(tmp_path, "A/1", "A/2", "A/3", images=[{"path": "0"}, {"path": "1"}])
    image(tmp_path / "A/1/0")
    image(tmp_path / "A/1/1")
    image(tmp_path / "A/2/0")
    (tmp_path / "A/2/0/0/.zarray").unlink()
    (tmp_path / "A/3/.zattrs").unlink()
    found = index(tmp_path)
    assert found.wells == ("A01", "A02", "A03")
    for well, state in {"A01": PlaneState.PRESENT, "A02": PlaneState.MISSING, "A03": PlaneState.MISSING}.items():
        keys = [(plane.site, plane.channel, plane.z) for plane in found.by_well[well] if plane.state is state]
        assert len(keys) == 2 * 2 * 3
    assert all(plane.source is None for plane in found.by_well["A03"])
    assert any("well A03 is listed and not there: A/3" in text for text in found.warnings)


def test_images_of_another_size_are_missing_and_told_of(tmp_path: Path) -> None:
    plate(tmp_path, "A/1", "A/2", "A/3")
    for well, shape in {"A/1": (2, 3, 8, 9), "A/2": (2, 3, 8, 9), "A/3": (2, 3, 4, 4)}.items():
        image(tmp_path / well / "0", shape)
    found = index(tmp_path)
    assert {plane.state for plane in found.by_well["A03"]} == {PlaneState.MISSING}
    assert [one.path for one in found.unmatched] == ["A/3/0/0"]


def test_an_image_or_a_well_is_refused_with_the_place_of_its_plate(tmp_path: Path) -> None:
    store = tmp_path / "p.zarr"
    plate(store, "A/1")
    image(store / "A/1/0")
    with pytest.raises(InputError, match=r"is an OME-Zarr image, not a plate. Its plate may be .*p\.zarr: name that"):
        OmeZarr().index(FolderFiles(store / "A/1/0"))
    with pytest.raises(InputError, match=r"is an OME-Zarr well, not a plate. Its plate may be .*p\.zarr"):
        OmeZarr().index(FolderFiles(store / "A/1"))


def test_a_folder_around_one_plate_is_that_plate_and_around_two_is_refused(tmp_path: Path) -> None:
    plate(tmp_path / "a.zarr", "A/1")
    image(tmp_path / "a.zarr/A/1/0")
    assert index(tmp_path, counting=False).root == f"{tmp_path}/a.zarr"
    plate(tmp_path / "b.zarr", "A/1")
    with pytest.raises(InputError, match=r"2 OME-Zarr plates: a\.zarr, b\.zarr"):
        OmeZarr().index(FolderFiles(tmp_path))
    write(tmp_path, "A01_s1_w1.tif", "")
    assert isinstance(OmeZarr().index(FolderFiles(tmp_path)), NotMine)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (".zattrs", "{", ".zattrs is no JSON"),
        (".zattrs", "[]", "not a JSON object"),
        (".zattrs", '{"plate": 3}', ".zattrs: plate is 3"),
        ("A/1/.zattrs", '{"well": {"images": [{"path": "../../../x"}]}}', "leads out of it"),
        ("A/1/.zattrs", "{}", "A/1: well is missing"),
        ("A/1/0/.zattrs", '{"multiscales": []}', "A/1/0: multiscales is empty"),
        ("A/1/0/0/.zarray", '{"shape": "x"}', r"A/1/0/0/\.zarray: no array"),
        ("A/1/0/0/.zarray", '{"shape": [8, 9], "dtype": "<u2"}', "axes c, z, y, x of an array of shape"),
    ],
)
def test_a_damaged_document_is_named(tmp_path: Path, path: str, text: str, told: str) -> None:
    plate(tmp_path, "A/1")
    image(tmp_path / "A/1/0")
    (tmp_path / path).write_text(text)
    with pytest.raises(FormatError, match=told):
        OmeZarr().index(FolderFiles(tmp_path))


def test_two_wells_in_one_place_are_refused(tmp_path: Path) -> None:
    plate(tmp_path, "A/1", "A/01", columns=["1", "01"])
    image(tmp_path / "A/1/0")
    image(tmp_path / "A/01/0")
    assert index(tmp_path).wells == ("A01", "A02")
    plate(tmp_path, "A/1", "A/1")
    with pytest.raises(FormatError, match="wells A/1 and A/1 are both A01"):
        OmeZarr().index(FolderFiles(tmp_path))


def test_other_folders_are_none(tmp_path: Path) -> None:
    write(tmp_path, "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {}})
    assert isinstance(OmeZarr().index(FolderFiles(tmp_path)), NotMine)


def test_a_real_plate_without_z_and_with_unsorted_wells(data: Callable[[str], Path]) -> None:
    found = index(data("ome-zarr-hcs-v04-single-plane") / "single-plane-hcs.zarr")
    assert found.wells == ("E07", "E08")
    assert (len(found.rows), len(found.columns)) == (16, 24)
    assert (found.plane_shape, found.dtype) == ((256, 512), "uint16")
    assert [(plane.channel, plane.source) for plane in found.by_well["E08"]] == [
        (channel, ZarrSource("E/08/0/0", (channel - 1,))) for channel in (1, 2, 3)
    ]
    assert found.channel(2).name == "Best-Focus-Projection_FITC_05"
    assert found.pixel_size_um == (2.7336, 2.7336)
    assert found.states[PlaneState.PRESENT] == 6


def test_a_real_plate_of_documents_alone_is_lawful(data: Callable[[str], Path]) -> None:
    found = index(data("ome-zarr-hcs-example-metadata") / "hcs_example.ome.zarr")
    assert (found.name, found.wells, found.pixel_size_um) == ("hcs_example", ("B03",), (0.1625, 0.1625))
    assert found.acquisitions[0].name == "20200812-CardiomyocyteDifferentiation14-Cycle1"
    assert {plane.state for plane in found.planes} == {PlaneState.PRESENT}
    assert [plane.z for plane in found.planes] == [1, 2]
