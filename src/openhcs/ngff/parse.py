"""From the attributes of a Zarr group to the model, for OME-Zarr 0.4 and 0.5.

Reads what other tools write: axes in upper case or as plain names, no ``omero``, level paths such
as ``scale0/image``, wells in any order. What is not a document of its kind raises `FormatError` with
the place in it; what is not known is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from openhcs.errors import FormatError
from openhcs.ngff.model import (
    OWN,
    Axis,
    ChannelView,
    ImageModel,
    Level,
    PlateAcquisition,
    PlateModel,
    PlateWell,
    WellImage,
    WellModel,
)
from openhcs.ngff.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = Mapping[str, Any]

T = TypeVar("T")
LARGEST = 1e300
"""Numbers are smaller than this, so that arithmetic with them stays finite."""
MOST_LINES = 1000
"""Rows or columns of a plate."""
MOST_ENTRIES = 10_000
"""Wells of a plate, images of a well."""
_AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def kind_of(attributes: Json) -> str | None:
    """Return what a group is: "plate", "well", "image", "labels" or None.

    An image that also says ``image-label`` is still an image.
    """
    body = _body(attributes)
    kinds = {"plate": "plate", "well": "well", "multiscales": "image", "labels": "labels"}
    return next((kind for key, kind in kinds.items() if key in body), None)


def version_of(attributes: Json) -> str | None:
    """Return the OME-Zarr version that a group says it follows, None where it says none."""
    if isinstance(attributes.get("ome"), dict):
        found = attributes["ome"].get("version")
        return found if isinstance(found, str) else None
    for key in ("plate", "well", "multiscales"):
        told = attributes.get(key)
        told = told[0] if isinstance(told, list) and told else told
        if isinstance(told, dict) and isinstance(told.get("version"), str):
            return str(told["version"])
    return None


def plate(attributes: Json) -> PlateModel:
    """Return the plate that a root group's attributes describe.

    Raises
    ------
    FormatError
        it is no plate; the message says which key is wrong.
    """
    body, outer = _split(attributes)
    told = _take(body, "plate", dict, "plate")
    rows, row_extra = _names(_listed(told, "rows", "plate.rows", MOST_LINES), "plate.rows")
    columns, column_extra = _names(_listed(told, "columns", "plate.columns", MOST_LINES), "plate.columns")
    wells = _listed(told, "wells", "plate.wells", MOST_ENTRIES)
    acquisitions = _maybe(told, "acquisitions", list, "plate.acquisitions")
    told.pop("version", None)
    return PlateModel(
        name=_maybe(told, "name", str, "plate.name"),
        rows=rows,
        columns=columns,
        wells=tuple(_plate_well(one, f"plate.wells[{n}]", rows, columns) for n, one in enumerate(wells)),
        acquisitions=tuple(_acquisition(one, f"plate.acquisitions[{n}]") for n, one in enumerate(acquisitions or ())),
        field_count=_maybe(told, "field_count", int, "plate.field_count"),
        row_extra=row_extra,
        column_extra=column_extra,
        plate=told,
        extra=body,
        **outer,
    )


def well(attributes: Json) -> WellModel:
    """Return the well that a group's attributes describe; `FormatError` if it is none."""
    body, outer = _split(attributes)
    told = _take(body, "well", dict, "well")
    images = _listed(told, "images", "well.images", MOST_ENTRIES)
    told.pop("version", None)
    return WellModel(
        images=tuple(_well_image(one, f"well.images[{n}]") for n, one in enumerate(images)),
        well=told,
        extra=body,
        **outer,
    )


def image(attributes: Json) -> ImageModel:
    """Return the image that a group's attributes describe; `FormatError` if it is none."""
    body, outer = _split(attributes)
    entries = _take(body, "multiscales", list, "multiscales")
    if not entries:
        raise FormatError("multiscales is empty: no image is described")
    first = _object(entries[0], "multiscales[0]")
    first.pop("version", None)
    axes = _axes(first, entries[0])
    datasets = _take(first, "datasets", list, "multiscales[0].datasets")
    if not datasets:
        raise FormatError("multiscales[0].datasets is empty: the image has no level")
    omero = _maybe(body, "omero", dict, "omero")
    channels, omero_extra = _omero(omero)
    levels = (_level(one, f"multiscales[0].datasets[{n}]", len(axes)) for n, one in enumerate(datasets))
    return ImageModel(
        name=_maybe(first, "name", str, "multiscales[0].name"),
        axes=axes,
        levels=tuple(levels),
        type=_maybe(first, "type", str, "multiscales[0].type"),
        metadata=_maybe(first, "metadata", dict, "multiscales[0].metadata"),
        channels=channels,
        empty_omero=omero is not None and not channels,
        omero=omero_extra,
        multiscale=first,
        further=tuple(_object(one, f"multiscales[{n}]") for n, one in enumerate(entries[1:], start=1)),
        extra=body,
        **outer,
    )


def _body(attributes: Json) -> dict[str, Any]:
    ome = attributes.get("ome")
    return dict(ome) if isinstance(ome, dict) else dict(attributes)


def _split(attributes: Json) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (what OME-Zarr says, what else the group carries as fields of a model)."""
    if not isinstance(attributes, dict):
        raise FormatError(f"the attributes of a group are a JSON object, not {type(attributes).__name__}")
    wrapped = isinstance(attributes.get("ome"), dict)
    body = _body(attributes)
    if not wrapped:
        return body, {"own": body.pop(OWN, None)}
    body.pop("version", None)
    beside = {key: value for key, value in attributes.items() if key not in ("ome", OWN)}
    return body, {"own": attributes.get(OWN), "attributes": beside}


def _take(told: dict[str, Any], key: str, kind: type[T], where: str) -> T:
    found = _maybe(told, key, kind, where)
    if found is None:
        raise FormatError(f"{where} is missing from the OME-Zarr document")
    return found


def _maybe(told: dict[str, Any], key: str, kind: type[T], where: str) -> T | None:
    if told.get(key) is None:
        # A null stays with the unknown keys, so that it is written again.
        return None
    value = told.pop(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FormatError(f"{where} is {value!r:.80}, not a JSON {kind.__name__}")
    return kind(value) if kind in (dict, list) else value  # type: ignore[call-arg]


def _listed(told: dict[str, Any], key: str, where: str, most: int) -> list[Any]:
    """Return a list that is not longer than anyone could mean."""
    found = _take(told, key, list, where)
    if len(found) > most:
        raise FormatError(f"{where} has {len(found)} entries; no more than {most} are read")
    return found


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{where} is {value!r:.80}, not a JSON object")
    return dict(value)


def _names(entries: list[Any], where: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    names, extra = [], {}
    for number, one in enumerate(entries):
        told = _object(one, f"{where}[{number}]")
        name = told.pop("name", None)
        # Numbers where names belong are common; the text of a number is the name on disk.
        names.append(str(name) if isinstance(name, int) else _text(name, f"{where}[{number}].name"))
        if told:
            extra[names[-1]] = told
    return tuple(names), extra


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{where} is {value!r:.80}, not a text")
    return value


def _plate_well(value: Any, where: str, rows: tuple[str, ...], columns: tuple[str, ...]) -> PlateWell:
    told = _object(value, where)
    path = _take(told, "path", str, f"{where}.path").strip("/")
    row, _, column = path.partition("/")
    by_name = (_place(rows, row), _place(columns, column))
    row_index = _maybe(told, "rowIndex", int, f"{where}.rowIndex")
    column_index = _maybe(told, "columnIndex", int, f"{where}.columnIndex")
    # The path is where the pixels are, so it rules where an index is absent.
    places = (by_name[0] if row_index is None else row_index, by_name[1] if column_index is None else column_index)
    if places[0] is None or places[1] is None:
        raise FormatError(f"{where}: path {path!r} names no row and column of the plate")
    return PlateWell(path=path, row=places[0], column=places[1], extra=told)


def _place(names: tuple[str, ...], name: str) -> int | None:
    return names.index(name) if name in names else None


def _acquisition(value: Any, where: str) -> PlateAcquisition:
    told = _object(value, where)
    return PlateAcquisition(
        id=_take(told, "id", int, f"{where}.id"),
        name=_maybe(told, "name", str, f"{where}.name"),
        maximumfieldcount=_maybe(told, "maximumfieldcount", int, f"{where}.maximumfieldcount"),
        starttime=_maybe(told, "starttime", int, f"{where}.starttime"),
        endtime=_maybe(told, "endtime", int, f"{where}.endtime"),
        description=_maybe(told, "description", str, f"{where}.description"),
        extra=told,
    )


def _well_image(value: Any, where: str) -> WellImage:
    told = _object(value, where)
    path = _take(told, "path", str, f"{where}.path")
    acquisition = _maybe(told, "acquisition", int, f"{where}.acquisition")
    return WellImage(path=path, acquisition=acquisition, extra=told)


def _axes(first: dict[str, Any], entry: Json) -> tuple[Axis, ...]:
    if "axes" not in entry:
        raise FormatError("multiscales[0].axes is missing: OME-Zarr before 0.3 is not read")
    axes = []
    for number, one in enumerate(_take(first, "axes", list, "multiscales[0].axes")):
        where = f"multiscales[0].axes[{number}]"
        if isinstance(one, str):
            axes.append(Axis(name=one, type=_AXIS_TYPES.get(one.lower())))
            continue
        told = _object(one, where)
        name = _take(told, "name", str, f"{where}.name")
        kind = _maybe(told, "type", str, f"{where}.type")
        axes.append(Axis(name=name, type=kind, unit=_maybe(told, "unit", str, f"{where}.unit"), extra=told))
    return tuple(axes)


def _level(value: Any, where: str, axes: int) -> Level:
    told = _object(value, where)
    path = _take(told, "path", str, f"{where}.path")
    steps = _maybe(told, "coordinateTransformations", list, f"{where}.coordinateTransformations") or []
    scale = translation = None
    others = []
    for number, one in enumerate(steps):
        at = f"{where}.coordinateTransformations[{number}]"
        step = _object(one, at)
        kind = step.get("type")
        plain = isinstance(kind, str) and set(step) == {"type", kind}
        if plain and step["type"] == "scale" and scale is None:
            scale = _numbers(step["scale"], axes, f"{at}.scale")
        elif plain and step["type"] == "translation" and translation is None:
            translation = _numbers(step["translation"], axes, f"{at}.translation")
        else:
            others.append(step)
    return Level(path=path, scale=scale, translation=translation, others=tuple(others), extra=told)


def _numbers(value: Any, axes: int, where: str) -> tuple[float, ...]:
    good = isinstance(value, list) and all(_is_number(one) for one in value)
    if not good or len(value) != axes:
        raise FormatError(f"{where} is {value!r:.80}, not {axes} numbers, one per axis")
    return tuple(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def _omero(omero: dict[str, Any] | None) -> tuple[tuple[ChannelView, ...], dict[str, Any]]:
    if omero is None:
        return (), {}
    told = dict(omero)
    told.pop("version", None)
    channels = _maybe(told, "channels", list, "omero.channels") or []
    return tuple(_channel(one, f"omero.channels[{n}]") for n, one in enumerate(channels)), told


def _channel(value: Any, where: str) -> ChannelView:
    told = _object(value, where)
    label = _maybe(told, "label", str, f"{where}.label") if isinstance(told.get("label"), str) else None
    color = _maybe(told, "color", str, f"{where}.color") if isinstance(told.get("color"), str) else None
    active = _maybe(told, "active", bool, f"{where}.active") if isinstance(told.get("active"), bool) else None
    window, window_extra = _window(told)
    return ChannelView(label=label, color=color, window=window, active=active, window_extra=window_extra, extra=told)


def _window(told: dict[str, Any]) -> tuple[Window | None, dict[str, Any]]:
    """Return a channel's window where it is whole; otherwise it stays with the unknown keys."""
    found = told.get("window")
    names = ("min", "max", "start", "end")
    if not isinstance(found, dict) or not all(_is_number(found.get(name)) for name in names):
        return None, {}
    rest = {key: value for key, value in told.pop("window").items() if key not in names}
    return Window(min=found["min"], max=found["max"], start=found["start"], end=found["end"]), rest
