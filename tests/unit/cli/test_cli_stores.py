"""What a folder in a store is: told from its documents, for stores that others wrote."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from openhcs.cli import main
from openhcs.cli.stores import look
from openhcs.errors import FormatError


@pytest.fixture(params=[2, 3])
def plate(request, tmp_path):
    """Return a plate with one image, written by zarr-python, and its Zarr format."""
    version = request.param
    root = tmp_path / "p.zarr"
    documents = {
        "": {"plate": {"wells": [{"path": "A/01"}], "version": "0.4"}},
        "A": {},
        "A/01": {"well": {"images": [{"path": "0"}], "version": "0.4"}},
        "A/01/0": {
            "multiscales": [
                {"axes": [{"name": "c"}, {"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}], "version": "0.4"}
            ]
        },
    }
    group = zarr.open_group(root, mode="w", zarr_format=version)
    for path, told in documents.items():
        node = group.require_group(path) if path else group
        node.attrs.update(told if version == 2 else {"ome": {**told, "version": "0.5"}})
    sharded = {"shards": (2, 40, 60)} if version == 3 else {}
    array = group["A/01/0"].create_array("0", shape=(2, 40, 60), chunks=(1, 40, 60), dtype="uint16", **sharded)
    array[...] = np.arange(2 * 40 * 60, dtype="uint16").reshape(2, 40, 60)
    return root, version


@pytest.mark.parametrize(
    ("path", "kind"), [("", "plate"), ("A", "group"), ("A/01", "well"), ("A/01/0", "image"), ("A/01/0/0", "array")]
)
def test_every_node_of_a_plate_is_what_it_is(plate, path: str, kind: str) -> None:
    root, version = plate
    store = look(str(root / path))
    assert store is not None
    assert (store.kind, store.zarr_format) == (kind, version)
    assert store.plate == (None if kind == "plate" else str(root))
    if kind != "group":
        assert (store.shape, store.dtype, store.chunks) == ((2, 40, 60), "uint16", (1, 40, 60))
        assert store.shards == ((2, 40, 60) if version == 3 else None)
        assert ("zstd" if version == 3 else "lz4") in store.codecs
    if kind not in {"group", "array"}:
        assert store.ngff == ("0.4" if version == 2 else "0.5")
        assert (store.axes, store.levels) == ("cyx", 1)


def test_info_says_that_an_image_is_no_plate_and_names_its_plate(plate, capsys) -> None:
    root, _ = plate
    assert main(["info", str(root / "A/01/0")]) == 0
    shown = capsys.readouterr().out
    assert "image in a Zarr store, not a plate" in shown
    assert "2 × 40 × 60 (c, y, x)" in shown
    assert f"next: openhcs info {root}" in shown
    assert main(["info", str(root / "A/01/0"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "image"


def test_a_folder_without_documents_is_no_store(tmp_path) -> None:
    assert look(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"node_type": "array"}', '{"node_type": "array", "shape": 3}'])
def test_a_damaged_document_names_its_file(tmp_path, text: str) -> None:
    (tmp_path / "zarr.json").write_text(text)
    with pytest.raises(FormatError, match=str(tmp_path)):
        look(str(tmp_path))


def test_real_stores_of_others_are_told(data) -> None:
    store = look(str(data("ome-zarr-hcs-v04-single-plane") / "single-plane-hcs.zarr"))
    assert store is not None
    assert (store.kind, store.ngff, store.shape, store.dtype) == ("plate", "0.4", (3, 256, 512), "uint16")
