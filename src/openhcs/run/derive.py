"""Documents that follow from commit records alone: root, rows, wells, images, ``plate.json``.

Nothing is read and nothing written here: who closes an output writes what comes back, any number of
times. Wells without a commit record are not told of; without any record there is no document.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openhcs.core.documents import json_bytes
from openhcs.core.special import TABLE
from openhcs.core.wells import well_key
from openhcs.errors import FormatError
from openhcs.ngff import render
from openhcs.ngff.describe import (
    LABELS,
    TargetFacts,
    image_model,
    label_model,
    labels_model,
    plate_model,
    well_model,
)
from openhcs.ngff.facts import PlateFacts
from openhcs.ngff.windows import merge, window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openhcs.core.plate import PlateIndex
    from openhcs.ngff.windows import Window
    from openhcs.plan.model import Recipe

    Record = Mapping[str, Any]
    Documents = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFacts:
    """All that documents need beside records.

    ``ome`` False makes plain groups; ``plate_metadata`` False leaves out ``plate`` and ``well``; ``tables``
    are the paths of merged tables by name.
    """

    plate: PlateFacts
    targets: tuple[TargetFacts, ...]
    ngff_version: str = "0.5"
    ome: bool = True
    plate_metadata: bool = True
    tables: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as a JSON object, for closing an output later."""
        return {
            "plate": self.plate.to_json(),
            "targets": [target.to_json() for target in self.targets],
            "ngff_version": self.ngff_version,
            "ome": self.ome,
            "plate_metadata": self.plate_metadata,
            "tables": dict(self.tables),
        }

    @classmethod
    def from_json(cls, told: Any) -> OutputFacts:
        """Return the facts that `to_json` wrote; `FormatError` if they are none."""
        try:
            return cls(
                plate=PlateFacts.from_json(told["plate"]),
                targets=tuple(TargetFacts.from_json(target) for target in told["targets"]),
                ngff_version=str(told["ngff_version"]),
                ome=bool(told["ome"]),
                plate_metadata=bool(told["plate_metadata"]),
                tables={str(name): str(path) for name, path in told.get("tables", {}).items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"the facts of an output are not as openhcs writes them: {error!r}") from None


def output_facts(index: PlateIndex, recipe: Recipe, *, vendor_files: Mapping[str, str] | None = None) -> OutputFacts:
    """Return the facts of a plan's output; ``vendor_files`` are digests by path."""
    config = recipe.config.zarr
    return OutputFacts(
        plate=PlateFacts.of(index, plan=recipe.plan_id, vendor_files=vendor_files),
        targets=tuple(
            TargetFacts(
                path=target.path,
                backend=target.backend,
                axes=target.layer.axes,
                dtype=target.layer.dtype,
                plane_shape=target.layer.plane_shape,
                levels=target.levels,
                same_pixels=target.layer.plane_shape == recipe.source.plane_shape,
            )
            for target in recipe.targets
        ),
        ngff_version=config.ngff_version,
        ome=config.ome_zarr_metadata,
        plate_metadata=config.write_plate_metadata,
        tables={value.name: value.path for value in recipe.values if value.kind == TABLE},
    )


def well_documents(facts: OutputFacts, record: Record) -> dict[str, bytes]:
    """Return the documents inside one well, with display windows from this well alone."""
    made: Documents = {}
    for number, target in enumerate(facts.targets):
        if target.backend != "disk":
            rows = _images([record], number)
            made |= _wells(facts, target, rows, _windows(target, [record], number))
    return made


def documents(facts: OutputFacts, records: Iterable[Record], *, final: bool = True) -> dict[str, bytes]:
    """Return every document of an output by its path in it, in the order in which they are to be written.

    A document comes after those it leads to, so that what can be seen of a plate is there.

    Parameters
    ----------
    records
        of all committed wells, in any order.
    final
        with the documents of wells and images, whose display windows are then the same for a channel
        across the plate; otherwise those of the root and of rows only.
    """
    found = sorted((one for one in records if one["images"]), key=lambda one: well_key(one.get("well", one["task"])))
    made: Documents = {}
    for number, target in enumerate(facts.targets):
        rows = _images(found, number)
        if not rows:
            continue
        if target.backend == "disk":
            made |= _plate_json(facts, target, rows)
            continue
        made |= _root_and_rows(facts, target, rows)
        if final:
            made |= _wells(facts, target, rows, _windows(target, found, number))
    return made


def _images(records: Iterable[Record], target: int) -> list[Mapping[str, Any]]:
    """Return the images of a target, those of a record by acquisition and site."""
    return [
        row
        for record in records
        for row in sorted(record["images"], key=lambda row: (row["acquisition"], row["site"]))
        if row["target"] == target
    ]


def _windows(target: TargetFacts, records: list[Record], number: int) -> dict[str, Window]:
    """Return the display window of each channel from its pixels in all records."""
    by_channel: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        for channel, histogram in record["histograms"][number].items():
            by_channel.setdefault(channel, []).append(histogram)
    return {channel: window(merge(found), target.dtype) for channel, found in by_channel.items()}


def _plate_json(facts: OutputFacts, target: TargetFacts, rows: list[Mapping[str, Any]]) -> Documents:
    wells = sorted({str(row["well"]) for row in rows}, key=well_key)
    told = facts.plate.including(wells).to_json()
    told |= {"dtype": target.dtype, "plane_shape": list(target.plane_shape), "wells": wells}
    if not target.same_pixels:
        told |= {"pixel_size_um": None, "positions_um": []}
    return {_join(target.path, "plate.json"): json_bytes(told)}


def _root_and_rows(facts: OutputFacts, target: TargetFacts, rows: list[Mapping[str, Any]]) -> Documents:
    plate = plate_model(facts.plate, target, rows)
    if facts.ome and facts.plate_metadata:
        root = render.plate_document(plate, facts.ngff_version)
    else:
        root = _plain(facts, facts.plate.own())
    made: Documents = {}
    for row in {well.path.partition("/")[0]: None for well in plate.wells}:
        made |= _group(facts, _join(target.path, row), _plain(facts, None))
    return made | _group(facts, target.path, root)


def _wells(
    facts: OutputFacts, target: TargetFacts, rows: list[Mapping[str, Any]], windows: Mapping[str, Window]
) -> Documents:
    made: Documents = {}
    by_well: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_well.setdefault(str(row["path"]).rpartition("/")[0], []).append(row)
        made |= _labels(facts, target, row)
        image = image_model(facts.plate, target, row, windows)
        own = image.own
        told = render.image_document(image, facts.ngff_version) if facts.ome else _plain(facts, own)
        made |= _group(facts, str(row["path"]), told)
    for path, images in by_well.items():
        well = well_model(images)
        listed = facts.ome and facts.plate_metadata
        told = render.well_document(well, facts.ngff_version) if listed else _plain(facts, well.own)
        made |= _group(facts, path, told)
    return made


def _labels(facts: OutputFacts, target: TargetFacts, row: Mapping[str, Any]) -> Documents:
    """Return the documents of an image's labels, and of the group that lists them."""
    found = row.get(LABELS, ())
    if not found:
        return {}
    made: Documents = {}
    folder = _join(str(row["path"]), LABELS)
    for label in found:
        image = label_model(facts.plate, target, row, label)
        told = render.image_document(image, facts.ngff_version) if facts.ome else _plain(facts, image.own)
        made |= _group(facts, _join(folder, str(label["name"])), told)
    listed = render.labels_document(labels_model(row), facts.ngff_version) if facts.ome else _plain(facts, None)
    return made | _group(facts, folder, listed)


def _plain(facts: OutputFacts, own: Mapping[str, Any] | None) -> dict[str, Any]:
    attributes = render.group_document(facts.ngff_version) if facts.ome else {}
    return attributes | render.plain_document(own)


def _group(facts: OutputFacts, path: str, attributes: dict[str, Any]) -> Documents:
    """Return the files of one group; the one that makes it visible comes last."""
    if render.ZARR_FORMAT[facts.ngff_version] == 3:
        told = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        return {_join(path, "zarr.json"): json_bytes(told)}
    return {_join(path, ".zattrs"): json_bytes(attributes), _join(path, ".zgroup"): json_bytes({"zarr_format": 2})}


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)
