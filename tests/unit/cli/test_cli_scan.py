"""What scan says of a plate, to people and to programs."""

from __future__ import annotations

import json

import pytest

from openhcs.cli import main
from openhcs.testing.synthetic import make_plate
from unit.cli import cli_fakes as fakes

KEYS = (
    *("microscope", "why", "name", "path", "plate_type", "barcode", "instrument", "rows", "columns", "wells", "sites"),
    *("channels", "acquisitions", "z", "t", "planes", "absent", "dtype", "plane_shape", "pixel_size_um", "z_step_um"),
    *("bytes", "documents", "flat_fields", "warnings", "unmatched"),
)


@pytest.fixture
def scan(monkeypatch, tmp_path, capsys):
    def scanned(*words: str, missing: bool = False) -> str:
        fakes.install(monkeypatch, "openhcs.run.plates", index_plate=lambda *_, **__: fakes.plate(missing=missing))
        assert main(["scan", str(tmp_path), *words]) == 0
        return capsys.readouterr().out

    return scanned


def test_json_has_the_promised_keys(scan) -> None:
    told = json.loads(scan("--json", missing=True))
    assert tuple(told) == KEYS
    assert told["wells"] == ["A01", "A02", "B03"]
    assert (told["rows"], told["columns"], told["sites"], told["z"], told["t"]) == (8, 12, 2, 1, 1)
    assert told["channels"] == ["DAPI", "FITC"]
    assert told["planes"] == {"present": 11, "missing": 1, "not_recorded": 0, "not_acquired": 0}
    assert told["absent"] == [{"plane": "B03_s2_c2_z1_t1", "state": "missing"}]
    assert told["plane_shape"] == [100, 200]
    assert told["bytes"] == 11 * 100 * 200 * 2
    assert told["unmatched"] == [{"path": "notes.txt", "reason": "no image"}]


def test_several_plates_give_one_object_a_line(scan, tmp_path) -> None:
    lines = scan(str(tmp_path), "--json").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["P1", "P1"]


def test_people_read_the_plate_its_map_and_what_to_type_next(scan) -> None:
    shown = scan()
    assert "imagexpress: an HTD file" in shown
    assert "3 of 8 × 12" in shown
    assert "uint16, 100 × 200 (y × x), 0.65 µm per pixel" in shown
    assert "A  ●  ●  ·" in shown
    assert "next: openhcs convert" in shown
    assert "--missing" not in shown


def test_missing_planes_are_counted_and_the_flag_is_named(scan) -> None:
    shown = scan(missing=True)
    assert "11 present, 1 missing" in shown
    assert "B  ·  ·  ◐" in shown
    assert "--missing fill" in shown
    assert "missing: 1 plane in 1 well (a document names them and they are not there), such as B03_s2_c2_z1_t1" in shown


def test_files_that_are_no_plane_are_counted_by_reason(scan) -> None:
    assert "1 such as notes.txt: no image" in scan()


def test_each_of_several_plates_is_shown(tmp_path, capsys) -> None:
    for name in ("one", "two"):
        make_plate(tmp_path / name, wells=1, size=(16, 16))
    assert main(["scan", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "holds 2 plates: one, two" in shown
    assert f"openhcs convert {tmp_path}/one one.zarr" in shown
    assert f"openhcs convert {tmp_path}/two two.zarr" in shown
    assert main(["scan", str(tmp_path), "--json"]) == 0
    assert [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()] == ["one", "two"]


def test_explain_tells_of_every_file(scan) -> None:
    shown = scan("--explain", missing=True)
    assert "A01_s1_w1.tif  A01_s1_c1_z1_t1" in shown
    assert "B03_s2_c2_z1_t1  missing" in shown
    assert "notes.txt  no plane: no image" in shown


def test_a_filter_leaves_other_wells_out(scan) -> None:
    assert json.loads(scan("--json", "--wells", "row:A"))["wells"] == ["A01", "A02"]
    assert json.loads(scan("--json", "--wells", "row:A", "--exclude"))["wells"] == ["B03"]
