"""What OME-Zarr documents say about a whole plate: its wells, channels, acquisitions and lengths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.core.plate import Acquisition, Channel
from openhcs.core.wells import row_index, row_name, well_name
from openhcs.errors import FormatError
from openhcs.microscopes.zarr.documents import inside
from openhcs.ngff.facts import acquisitions_of, channels_of
from openhcs.ngff.keys import LARGEST
from openhcs.ngff.units import in_micrometers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from openhcs.ngff.model import ChannelView, ImageModel, PlateModel

T = TypeVar("T", Channel, Acquisition)
_LETTERS = re.compile(r"[A-Za-z]{1,2}")
_DIGITS = re.compile(r"[0-9]{1,3}")
_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows and columns from the first one on, names as written; well ``C03`` → its path."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    wells: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def grid(model: PlateModel) -> Grid:
    """Return the wells of a plate by their canonical names.

    Plates of other tools often list only the rows and columns in use; there the name says which one
    it is, and the rest is filled in.

    Raises
    ------
    FormatError
        two wells have one place, or a path leads out of the store.
    """
    row_places = _places(model.rows, _row_number)
    column_places = _places(model.columns, _column_number)
    wells: dict[str, str] = {}
    warnings = []
    for well in model.wells:
        row, _, column = well.path.partition("/")
        named = (row in model.rows, column in model.columns) == (True, True)
        place = (model.rows.index(row), model.columns.index(column)) if named else (well.row, well.column)
        if not (0 <= place[0] < len(model.rows) and 0 <= place[1] < len(model.columns)):
            raise FormatError(f"well {well.path} lies at row {well.row}, column {well.column}, which the plate lacks")
        if place != (well.row, well.column):
            warnings.append(f"well {well.path}: rowIndex and columnIndex name another well; its path is believed")
        name = well_name(row_places[place[0]], column_places[place[1]])
        if name in wells:
            raise FormatError(f"wells {wells[name]} and {well.path} are both {name}")
        wells[name] = inside("", well.path)
    width = 1 if any(len(name) == 1 for name in model.columns) else 2
    return Grid(
        rows=_filled(model.rows, row_places, row_name),
        columns=_filled(model.columns, column_places, lambda n: f"{n + 1:0{width}d}"),
        wells=wells,
        warnings=tuple(warnings),
    )


def _row_number(name: str) -> int | None:
    return row_index(name) if _LETTERS.fullmatch(name) else _column_number(name)


def _column_number(name: str) -> int | None:
    return int(name) - 1 if _DIGITS.fullmatch(name) and int(name) else None


def _places(names: Sequence[str], number: Callable[[str], int | None]) -> list[int]:
    """Return the place of each row or column: as its name says, else by order."""
    found = [number(name) for name in names]
    places = [place for place in found if place is not None]
    return places if len(set(places)) == len(names) else list(range(len(names)))


def _filled(names: Sequence[str], places: Sequence[int], name: Callable[[int], str]) -> tuple[str, ...]:
    written = dict(zip(places, names, strict=True))
    return tuple(written.get(place, name(place)) for place in range(max(places, default=-1) + 1))


class Channels:
    """The channels of a plate, numbered as we noted them, else by their place in the first image."""

    def __init__(self, own: Mapping[str, Any] | None) -> None:
        with_numbers = _ours(channels_of, own) if own is not None else ()
        self._known: dict[int, Channel] = {channel.number: channel for channel in with_numbers}

    def numbers(self, views: Sequence[ChannelView], size: int) -> list[int]:
        """Return a number for each of an image's channels: a label keeps its number in all images."""
        taken: list[int] = []
        for place in range(1, size + 1):
            view = views[place - 1] if place <= len(views) else None
            number = self._number(place, view.label if view else None, taken)
            taken.append(number)
            if number not in self._known:
                color = view.color.lstrip("#") if view and view.color else ""
                self._known[number] = Channel(
                    number=number,
                    name=(view.label if view else None) or str(number),
                    color=color if _COLOR.fullmatch(color) else None,
                )
        return taken

    def _number(self, place: int, label: str | None, taken: Collection[int]) -> int:
        free = place not in taken and place not in self._known
        if free or (not label and place not in taken):
            return place
        same = (one.number for one in self._known.values() if one.name == label and one.number not in taken)
        here = self._known.get(place)
        if here is not None and here.name == label and place not in taken:
            return place
        return next(same, max((*self._known, *taken), default=0) + 1)

    @property
    def known(self) -> tuple[Channel, ...]:
        """The channels told of so far, ascending."""
        return self.all(())

    @property
    def first(self) -> int:
        """The lowest number; 1 where no channel is known."""
        return min(self._known, default=1)

    def all(self, used: Collection[int]) -> tuple[Channel, ...]:
        """Return every channel, ascending; one that planes have and nobody told of by its number."""
        made = {number: Channel(number=number, name=str(number)) for number in used}
        return tuple(channel for _, channel in sorted((made | self._known).items()))


@dataclass(frozen=True, slots=True)
class Acquisitions:
    """The acquisitions that a plate lists."""

    known: Mapping[int, Acquisition]

    @property
    def first(self) -> int:
        """The one that images belong to which name none."""
        return min(self.known, default=0)

    @property
    def listed(self) -> tuple[Acquisition, ...]:
        """The acquisitions told of, ascending; one called 0 where none is."""
        return self.all(self.known)

    def all(self, used: Collection[int]) -> tuple[Acquisition, ...]:
        """Return every acquisition, ascending; one nobody told of by its number."""
        made = {number: Acquisition(number=number, name=str(number)) for number in used or (0,)}
        return tuple(one for _, one in sorted((made | dict(self.known)).items()))


def acquisitions_in(model: PlateModel) -> Acquisitions:
    """Return the acquisitions of a plate: as we noted them, else as it lists them."""
    ours = _ours(acquisitions_of, model.own) if isinstance(model.own, dict) else ()
    listed = (
        Acquisition(number=one.id, name=one.name or str(one.id), start_time=_iso(one.starttime))
        for one in model.acquisitions
    )
    return Acquisitions({one.number: one for one in (*listed, *ours)})


def _iso(seconds: int | None) -> str | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _ours(read: Callable[[Mapping[str, Any]], tuple[T, ...]], own: Mapping[str, Any]) -> tuple[T, ...]:
    try:
        found = read(own)
        if not all(type(one.number) is int and type(one.name) is str for one in found):
            raise TypeError("a number or a name is of another type")
        return found
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(f"the plate's facts are not as openhcs writes them: {error!r}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """In µm: pixel size (y, x), distance of z planes, stage position (x, y); None where unknown."""

    pixel_size: tuple[float, float] | None = None
    z_step: float | None = None
    position: tuple[float, float] | None = None


def lengths_in_um(model: ImageModel, own: Mapping[str, Any]) -> Lengths:
    """Return the lengths of an image's level 0."""
    scale, shift = _whole(model)
    y, x, z = (_length(model, axis, scale) for axis in "yxz")
    place = (_length(model, "x", shift), _length(model, "y", shift))
    numbers = own.get("z", [])
    if z is not None and isinstance(numbers, list) and len(numbers) > 1 and numbers[1] != numbers[0]:
        # Ours counts as the microscope did: planes 1, 3, 5 lie two steps apart.
        z /= numbers[1] - numbers[0]
    return Lengths(
        pixel_size=None if y is None or x is None or y <= 0 or x <= 0 else (y, x),
        z_step=z if z and z > 0 else None,
        position=None if place[0] is None or place[1] is None else (place[0], place[1]),
    )


def _whole(model: ImageModel) -> tuple[list[float] | None, list[float] | None]:
    """Return scale and translation of level 0, with those that hold for all levels applied after."""
    scale = list(model.levels[0].scale) if model.levels[0].scale else None
    shift = list(model.levels[0].translation) if model.levels[0].translation else None
    steps = model.multiscale.get("coordinateTransformations")
    for step in steps if isinstance(steps, list) else ():
        kind = step.get("type") if isinstance(step, dict) else None
        values: list[float] = step.get(kind) or [] if isinstance(kind, str) else []
        if not isinstance(values, list) or len(values) != len(model.axes):
            continue
        if not all(isinstance(one, (int, float)) and abs(one) < LARGEST for one in values):
            continue
        if step["type"] == "scale":
            scale = [a * b for a, b in zip(scale or [1.0] * len(values), values, strict=True)]
            shift = [a * b for a, b in zip(shift, values, strict=True)] if shift else None
        elif step["type"] == "translation":
            shift = [a + b for a, b in zip(shift or [0.0] * len(values), values, strict=True)]
    return scale, shift


def _length(model: ImageModel, axis: str, values: Sequence[float] | None) -> float | None:
    if values is None or axis not in model.axis_names:
        return None
    place = model.axis_names.index(axis)
    unit = model.axes[place].unit
    return None if unit is None else in_micrometers(float(values[place]), unit)


def name_of(model: PlateModel, own: Mapping[str, Any] | None, root: str) -> str:
    """Return the plate's name: as we noted it, as the document says, or that of the store."""
    noted = own.get("plate") if own is not None else None
    folder = root.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return str(noted or model.name or folder.removesuffix(".zarr").removesuffix(".ome") or "plate")
