"""What earlier stages of a plan left in the output: images to go on with, and special outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from openhcs.core.special import ARRAY, TABLE
from openhcs.errors import FormatError, NotFound
from openhcs.io.formats import format_of
from openhcs.io.formats_array import map_npy
from openhcs.ledger.commit import digest_of
from openhcs.ledger.ledger import Ledger
from openhcs.plan.layers import PLACE
from openhcs.plan.model import PLATE
from openhcs.plan.units import unit_of
from openhcs.plan.values import agree, place_of
from openhcs.run.calls import read_only
from openhcs.run.exchange import stem_of
from openhcs.run.pixels import PlaneReader
from openhcs.run.places import target_paths
from openhcs.run.tables import read_part
from openhcs.run.values import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from openhcs.core.plate import Key, Plane, PlateIndex
    from openhcs.plan.model import Given, Recipe, Stage
    from openhcs.plan.parts import Take, Target, Value
    from openhcs.plan.values import Place

    Array = np.ndarray[Any, np.dtype[Any]]


class Reader(Protocol):
    """Reads the planes that a stage begins with."""

    def read_into(self, plane: Plane, out: Array) -> None:
        """Fill ``out`` (y, x) with a plane's pixels."""

    def close(self) -> None:
        """Forget open files."""


def reader_for(index: PlateIndex, stage: Stage, recipe: Recipe, output: str) -> Reader:
    """Return what reads the planes of a stage: of the plate, or of images that the plan stored."""
    if stage.source is None:
        return PlaneReader(index)
    return StoredReader(index, recipe.targets[stage.source], output)


class StoredReader:
    """Reads planes of images (t?, c, z, y, x) that an earlier stage stored."""

    def __init__(self, index: PlateIndex, target: Target, output: str) -> None:
        self._index = index
        self._target = target
        self._output = Path(output)
        self._paths = target_paths(target)
        self._open: tuple[Path, Any] | None = None

    def read_into(self, plane: Plane, out: Array) -> None:
        """Fill ``out`` (y, x) with a plane's pixels.

        Raises
        ------
        FormatError, NotFound
            the image is damaged or gone.
        """
        unit = unit_of(self._target, self._index.well_place(plane.well))
        acquisition, site, t, channel, z = plane.key
        folder = self._output / unit / self._paths[acquisition, site] / "0"
        _, ts, channels, zs = self._target.layer.axes[acquisition]
        place = (channels.index(channel), zs.index(z))
        self._handle(folder).read((ts.index(t), *place) if len(ts) > 1 else place, out=out)

    def _handle(self, folder: Path) -> Any:
        from openhcs.io.zarr_array import open_handle

        known = self._open
        if known is None or known[0] != folder:
            self._open = known = (folder, open_handle(folder))
        return known[1]

    def close(self) -> None:
        """Forget the open array."""
        self._open = None


class Earlier:
    """Special outputs of earlier stages, as one well's calls take them."""

    def __init__(self, output: str, well: str) -> None:
        self._ledger = Ledger(output)
        self._well = well
        self._known: dict[str, list[Found]] = {}

    def of(self, given: Given, take: Take, key: Key) -> Any:
        """Return what a call whose first plane is ``key`` is handed.

        Raises
        ------
        NotFound
            no call made it there.
        """
        name = given.value.name
        if name not in self._known:
            self._known[name] = found_of(self._ledger, given, self._well)
        values = [one.value for one in self._known[name] if agree(one.place, place_of(key, take.match))]
        if not values:
            raise NotFound(
                f"no call made {name!r} for {key_text(key, take.match)} of well {self._well}",
                path=self._ledger.output / given.value.path,
                well=self._well,
            )
        return values if take.several else values[0]


@dataclass(frozen=True, slots=True)
class Found:
    """What one call made of a value, and the call's place."""

    place: Place
    value: Any


def found_of(ledger: Ledger, given: Given, well: str) -> list[Found]:
    """Return what the calls of a well, or of the one step over all wells, made of a value, in their order.

    Raises
    ------
    NotFound
        the earlier stage is not committed.
    FormatError
        a file is damaged.
    """
    task = given.task(well)
    record = next(iter(ledger.places.newest(task).values()), None)
    told = next((row for row in (record or {}).get("values", ()) if row["name"] == given.value.name), None)
    if record is None or told is None:
        raise NotFound(
            f"{given.value.name!r} of {task} is not in {ledger.output}; run the plan again from its beginning",
            path=ledger.output,
            well=well,
        )
    return list(_read(ledger, given.value, well, told, record))


def _read(
    ledger: Ledger, value: Value, well: str, told: Mapping[str, Any], record: Mapping[str, Any]
) -> Iterator[Found]:
    digests = {one["path"]: (one["bytes"], one["digest"]) for one in record["objects"]}

    def checked(path: str) -> Path:
        size, digest = digests.get(path, (0, ""))
        if digest_of(ledger.output / path, size) != digest:
            raise FormatError(
                f"{ledger.output / path} is not as it was written. Run with --exist replace to make it again.",
                path=ledger.output / path,
                well=well,
            )
        return ledger.output / path

    if value.kind == TABLE:
        columns, at = read_part(checked(told["path"])), 0
        for *place, rows in told["calls"]:
            yield Found(tuple(place), {name: column[at : at + rows] for name, column in columns.items()})
            at += rows
        return
    name = PLATE if value.over_wells else well
    for *place, _ in told["calls"]:
        key = tuple(0 if one is None else one for one in place)
        path = checked(f"{told['path']}/{stem_of(value, name, key)}{SUFFIX[value.kind]}")  # type: ignore[arg-type]
        # Arrays of a whole plate may be more than memory holds: their bytes stay in the file until looked at.
        loaded = map_npy(path).view(np.ndarray) if value.kind == ARRAY else format_of(path).decode(path)
        yield Found(tuple(place), read_only(loaded) if value.kind == ARRAY else loaded)


def key_text(key: Key, named: Iterable[str]) -> str:
    """Return the place of a plane in words."""
    return ", ".join(f"{name} {key[PLACE[name]]}" for name in named) or "the whole"
