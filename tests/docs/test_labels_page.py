"""The page on labels: its example runs, and its figures are those of the code."""

from __future__ import annotations

from pathlib import Path

import zarr

from openhcs import PipelineOrchestrator
from openhcs.run.labels import LISTED
from openhcs.testing.synthetic import make_plate
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "labels.md").read_text(encoding="utf-8")


def test_the_example_makes_labels_of_one_channel(tmp_path: Path) -> None:
    (block,) = markdown_blocks(PAGE, "python")
    scope: dict[str, object] = {"__name__": "pipeline"}
    exec(compile(block, "labels.md", "exec"), scope)
    plate = make_plate(tmp_path / "P1", wells=("A01",), sites=2, channels=("DAPI", "FITC"), size=(64, 64))
    assert PipelineOrchestrator(plate, output=tmp_path / "out").run(scope["steps"]).ok
    image = zarr.open_group(tmp_path / "out/images.zarr/A/01/0", mode="r")
    assert list(image["labels"].attrs["ome"]["labels"]) == ["nuclei"]
    assert set(image["labels/nuclei"].attrs["ome"]["image-label"]) == {"version", "source", "colors", "properties"}


def test_the_number_of_listed_objects_is_that_of_the_code() -> None:
    assert f"{LISTED:,} numbers" in PAGE
