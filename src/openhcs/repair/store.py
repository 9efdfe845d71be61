"""What the documents of a store without records should be, from what lies on disk.

What a document says stays wherever it can be read and nothing speaks against it; unknown keys survive.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openhcs.check.findings import ERROR
from openhcs.core.documents import json_bytes
from openhcs.core.wells import natural_key, plate_shape, row_name, well_name
from openhcs.errors import InputError, OpenHCSError
from openhcs.io.tree import FolderTree
from openhcs.io.zarr_document import parse_document
from openhcs.microscopes.zarr.facts import grid
from openhcs.ngff import parse, render
from openhcs.ngff.model import LabelsModel, PlateModel, PlateWell, WellImage, WellModel
from openhcs.ngff.translate import translate
from openhcs.repair.arrays import mended_array, named
from openhcs.repair.disk import LABELS, Disk
from openhcs.repair.images import mended, model_of, shapes_of
from openhcs.repair.report import Change, Loss
from openhcs.run.survey import join

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from openhcs.check.findings import Report
    from openhcs.ngff.model import ImageModel, PlateAcquisition
    from openhcs.repair.disk import ImageSeen

    Json = dict[str, Any]

DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


def changes_by_disk(folder: Path, found: Report) -> tuple[list[Change], list[Loss]]:
    """Return the documents to put in place, the deepest first, and what is lost.

    Raises
    ------
    InputError
        nothing there looks like a plate.
    """
    if found.valid and not any(one.severity != "info" for one in found.findings):
        return [], []
    disk = Disk(FolderTree(folder))
    if not disk.wells:
        raise InputError(
            f"{folder} holds no wells, so no plate can be made of it. Repair is for plates: name the plate's store.",
            path=folder,
        )
    mender = _Mender(disk, found)
    changes = list(mender.changes())
    if changes and ".zmetadata" in disk.tree.list():
        told = "this file repeats documents as they were before"
        mender.losses.append(Loss(path=".zmetadata", message=told, remedy="Remove it, or consolidate anew."))
    return changes, mender.losses


class _Mender:
    def __init__(self, disk: Disk, found: Report) -> None:
        self.disk = disk
        self.losses: list[Loss] = []
        self.faulty = {_group_of(one.path) for one in found.findings if one.severity == ERROR}
        self.doubtful = {_group_of(one.path) for one in found.findings if one.severity != "info"}
        self._sound: dict[Any, ImageModel] = {}
        self._made: set[str] = set()
        """Arrays whose documents are made anew."""

    def changes(self) -> Iterator[Change]:
        yield from self._arrays()
        images = [image for one in self.disk.wells.values() for image in one]
        for seen in images:
            model = model_of(self.disk, seen.path)
            if model is not None and seen.path not in self.doubtful:
                self._sound.setdefault(shapes_of(seen), model)
        for seen in images:
            made = self._image(seen)
            if made != model_of(self.disk, seen.path):
                # Labels lie where their image does.
                self.doubtful |= {f"{seen.path}/{LABELS}/{name}" for name in seen.labels or ()}
            for name in seen.labels or () if made is not None else ():
                label = self.disk.image(f"{seen.path}/{LABELS}/{name}")
                yield from self._said(label, self._image(label, parent=made))
            yield from self._said(seen, made)
        for seen in images:
            if seen.labels is not None:
                yield from self._labels(seen)
        for path, inside in self.disk.wells.items():
            yield from self._well(path, inside)
        for row in {path.partition("/")[0]: None for path in self.disk.wells}:
            yield from self._put(row, translate(self._plain(row), self.disk.version, in_plate=True), "a row")
        yield from self._plate()

    def _arrays(self) -> Iterator[Change]:
        """Yield the documents of arrays that can be proven by the names of their objects."""
        images = [image for one in self.disk.wells.values() for image in one]
        images += [self.disk.image(f"{one.path}/{LABELS}/{name}") for one in images for name in one.labels or ()]
        for image in images:
            for name in image.levels:
                path = f"{image.path}/{name}"
                wrong = [one for one in self.faulty if f"{one}/".startswith(f"{path}/")]
                if image.levels[name] is not None and not wrong and image.path not in self.faulty:
                    continue
                siblings = [f"{one.path}/{name}" for one in images if one is not image and name in one.levels]
                data = mended_array(self.disk, path, siblings, doubted=path in self.faulty)
                if data is not None:
                    document = "zarr.json" if self.disk.zarr_format == 3 else ".zarray"
                    yield Change(path=f"{path}/{document}", data=data, why="the document of an array")
                    image.levels[name] = parse_document(data, path=path).spec
                    self._made.add(path)

    def _image(self, seen: ImageSeen, *, parent: ImageModel | None = None) -> ImageModel | None:
        """Return an image as it should be said; None where it is lost."""
        model = model_of(self.disk, seen.path)
        sound = None if parent is not None else self._sound.get(shapes_of(seen))
        helped = seen.path in self.doubtful and (sound is not None or parent is not None)
        if model is not None and seen.path not in self.faulty and not helped:
            return model
        made = mended(seen, model, sound, parent)
        if made is None:
            self._lost(seen.path, "none of its arrays can be read: the image is lost", "Restore it from a copy.")
            return None
        if model is None:
            size = "" if sound is not None or parent is not None else "pixel size, "
            told = f"its document is gone, and with it {size}stage position and names that stood there alone"
            self._lost(seen.path, told, "Look them up, or restore the document from a copy.")
        for name in [] if model is None else [one.path for one in model.levels if one.path not in seen.levels]:
            self._lost(f"{seen.path}/{name}", "this level is listed and not there", "Make the levels anew.")
        return made

    def _said(self, seen: ImageSeen, model: ImageModel | None) -> Iterator[Change]:
        if model is None:
            return
        if seen.path in self.doubtful or any(f"{seen.path}/{name}" in self.doubtful for name in seen.levels):
            names = [axis.name for axis in model.axes]
            for level in model.levels:
                data = named(self.disk, f"{seen.path}/{level.path}", names) if level.path in seen.levels else None
                if data is not None and f"{seen.path}/{level.path}" not in self._made:
                    yield Change(path=f"{seen.path}/{level.path}/zarr.json", data=data, why="the axes of an array")
        yield from self._put(seen.path, render.image_document(model, self.disk.version), "an image")

    def _labels(self, image: ImageSeen) -> Iterator[Change]:
        path = f"{image.path}/{LABELS}"
        listed = LabelsModel(names=())
        with suppress(OpenHCSError):
            listed = parse.labels(self.disk.attributes(path) or {})
        there = image.labels or []
        names = [name for name in dict.fromkeys(listed.names) if name in there]
        for name in dict.fromkeys(listed.names):
            if name not in there:
                self._lost(f"{path}/{name}", "this label is listed and not there", "Restore it from a copy.")
        names += [name for name in there if name not in names]
        made = replace(listed, names=tuple(names))
        yield from self._put(path, render.labels_document(made, self.disk.version), "a list of labels")

    def _well(self, path: str, images: list[ImageSeen]) -> Iterator[Change]:
        well = self._well_model(path)
        there = {image.path.rpartition("/")[2]: image for image in images}
        kept: dict[str, WellImage] = {}
        for one in well.images:
            if one.path.strip("/") in there:
                kept.setdefault(one.path.strip("/"), replace(one, path=one.path.strip("/")))
            else:
                self._lost(f"{path}/{one.path}", "this site is listed and not there", "Restore it from a copy.")
        for name in sorted(there, key=natural_key):
            kept.setdefault(name, WellImage(path=name))
        known = {one.id for one in self._acquisitions()}
        made = tuple(self._acquired(one, f"{path}/{one.path}", known) for one in kept.values())
        yield from self._put(path, render.well_document(replace(well, images=made), self.disk.version), "a well")

    def _well_model(self, path: str) -> WellModel:
        told = self.disk.attributes(path) or {}
        with suppress(OpenHCSError):
            return parse.well(told)
        return WellModel(images=())

    def _acquired(self, one: WellImage, path: str, known: set[int]) -> WellImage:
        """Return a site with an acquisition of the plate: its own, what the image says, the first."""
        if one.acquisition in known or (one.acquisition is None and len(known) < 2):
            return one
        model = model_of(self.disk, path)
        own = model.own if model is not None and isinstance(model.own, dict) else {}
        said = own.get("acquisition")
        return replace(one, acquisition=said if said in known else min(known) if known else None)

    def _acquisitions(self) -> tuple[PlateAcquisition, ...]:
        """Return the acquisitions of the plate, the first one of each number."""
        known: dict[int, PlateAcquisition] = {}
        for one in self._plate_model().acquisitions:
            if one.id >= 0:
                known.setdefault(one.id, one)
        return tuple(known.values())

    def _plate_model(self) -> PlateModel:
        """Return what the root says, without what cannot be true."""
        told = dict(self.disk.attributes("") or {})
        with suppress(OpenHCSError):
            return parse.plate(told)
        inside = told.get("ome") if isinstance(told.get("ome"), dict) else told
        plate = inside.get("plate") if isinstance(inside, dict) else None
        said = dict(plate) if isinstance(plate, dict) else {}
        while said:
            said = {**said, "wells": []}
            said.setdefault("rows", [])
            said.setdefault("columns", [])
            with suppress(OpenHCSError):
                body = {key: value for key, value in (inside or {}).items() if key != "plate"}
                wrapped = {**told, "ome": {**body, "plate": said}} if inside is not told else {**told, "plate": said}
                return parse.plate(wrapped)
            wrong = next(
                (key for key in ("field_count", "acquisitions", "name", "rows", "columns") if said.get(key)), None
            )
            if wrong is None:
                break
            said.pop(wrong)
        return PlateModel(rows=(), columns=(), wells=())

    def _plate(self) -> Iterator[Change]:
        plate = self._plate_model()
        for one in plate.wells:
            if one.path not in self.disk.wells:
                self._lost(one.path, "this well is listed and not there", "Restore it from a copy.")
        names = [path.split("/") for path in self.disk.wells]
        rows, columns = _lines(plate.rows, [row for row, _ in names]), _lines(plate.columns, [one for _, one in names])
        wells = self._wells(plate, rows, columns)
        with suppress(OpenHCSError):
            full = grid(replace(plate, rows=rows, columns=columns, wells=wells))
            if set(rows) <= set(full.rows) and set(columns) <= set(full.columns):
                rows, columns = _whole_plate(full.rows, full.columns, full.wells)
                wells = self._wells(plate, rows, columns)
        made = replace(
            plate,
            name=plate.name or os.path.basename(self.disk.tree.root).removesuffix(".zarr"),
            rows=rows,
            columns=columns,
            wells=wells,
            field_count=max(len(images) for images in self.disk.wells.values()),
            acquisitions=self._counted(),
            row_extra={name: extra for name, extra in plate.row_extra.items() if name in rows},
            column_extra={name: extra for name, extra in plate.column_extra.items() if name in columns},
        )
        count = plate.field_count
        if count is not None and self._field_count_fits(count):
            made = replace(made, field_count=count)
        yield from self._put("", render.plate_document(made, self.disk.version), "the plate")

    def _field_count_fits(self, count: int) -> bool:
        most = max(len(images) for images in self.disk.wells.values())
        return max(self._most().values(), default=1) <= count <= most

    def _wells(self, plate: PlateModel, rows: tuple[str, ...], columns: tuple[str, ...]) -> tuple[PlateWell, ...]:
        extra = {one.path: one.extra for one in plate.wells}
        listed = [one.path for one in plate.wells if one.path in self.disk.wells]
        order = dict.fromkeys([*listed, *sorted(self.disk.wells, key=natural_key)])
        return tuple(
            PlateWell(path=path, row=rows.index(row), column=columns.index(column), extra=extra.get(path, {}))
            for path in order
            for row, column in [path.split("/")]
        )

    def _most(self) -> Counter[int]:
        """Return, by acquisition, the most images of it that a well has."""
        most: Counter[int] = Counter()
        known = {one.id for one in self._acquisitions()}
        first = min(known, default=0)
        for path, images in self.disk.wells.items():
            listed = {one.path: one.acquisition for one in self._well_model(path).images}
            counts = Counter(
                found if (found := listed.get(image.path.rpartition("/")[2])) in known else first for image in images
            )
            for number, count in counts.items():
                most[number] = max(most[number], count)
        return most

    def _counted(self) -> tuple[PlateAcquisition, ...]:
        most = self._most()
        return tuple(
            replace(one, maximumfieldcount=most[one.id] or one.maximumfieldcount) for one in self._acquisitions()
        )

    def _plain(self, path: str) -> Json:
        told = self.disk.attributes(path) or {}
        return {} if parse.kind_of(told) is not None else dict(told)

    def _put(self, path: str, attributes: Json, what: str) -> Iterator[Change]:
        """Yield the files of a group that are not as they should be."""
        why = f"the document of {what}"
        if self.disk.zarr_format == 3:
            there = self.disk.json(join(path, "zarr.json")) or {}
            beside = {key: value for key, value in there.items() if key != "consolidated_metadata"}
            told = {**beside, "zarr_format": 3, "node_type": "group", "attributes": attributes}
            if beside != told:
                yield Change(path=join(path, "zarr.json"), data=json_bytes(told), why=why)
            return
        if self.disk.json(join(path, ".zattrs")) != attributes and (
            attributes or ".zattrs" in self.disk.tree.list(path)
        ):
            yield Change(path=join(path, ".zattrs"), data=json_bytes(attributes), why=why)
        if self.disk.json(join(path, ".zgroup")) != {"zarr_format": 2}:
            yield Change(path=join(path, ".zgroup"), data=json_bytes({"zarr_format": 2}), why=why)

    def _lost(self, path: str, message: str, remedy: str) -> None:
        self.losses.append(Loss(path=path, message=message, remedy=remedy))


def _whole_plate(
    rows: tuple[str, ...], columns: tuple[str, ...], wells: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all rows and columns of the smallest usual plate, where letters and numbers name them."""
    if not all(name == row_name(number) for number, name in enumerate(rows)):
        return rows, columns
    if not all(name.isdecimal() and int(name) == number for number, name in enumerate(columns, start=1)):
        return rows, columns
    height, width = plate_shape([*wells, well_name(len(rows) - 1, len(columns) - 1)])
    digits = min(len(name) for name in columns)
    more = tuple(f"{number:0{digits}d}" for number in range(len(columns) + 1, width + 1))
    return (*rows, *(row_name(number) for number in range(len(rows), height))), (*columns, *more)


def _group_of(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return folder if name in DOCUMENTS else path


def _lines(listed: tuple[str, ...], used: list[str]) -> tuple[str, ...]:
    """Return the rows or columns: those that are listed and lawful, and those in use, which rule over the case."""
    lawful = dict.fromkeys(name for name in listed if name.isascii() and name.isalnum())
    more = sorted({name for name in used if name not in lawful}, key=natural_key)
    if not more:
        return tuple(lawful)
    folded = {name.lower() for name in more}
    kept = [name for name in lawful if name in used or name.lower() not in folded]
    return tuple(sorted((*kept, *more), key=natural_key))
