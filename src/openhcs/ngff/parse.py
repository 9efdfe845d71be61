"""From the attributes of a Zarr group to the model, for OME-Zarr 0.4, 0.5 and 0.6.

Reads what other tools write: axes in upper case or as plain names, no ``omero``, level paths such
as ``scale0/image``, wells in any order. What is not a document of its kind raises `FormatError` with
the place in it; what is not known is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.errors import FormatError
from openhcs.ngff.keys import as_object, as_text, is_number, maybe, take
from openhcs.ngff.levels import parse_geometry
from openhcs.ngff.model import (
    OWN,
    ChannelView,
    CollectionModel,
    ImageLabel,
    ImageModel,
    LabelColor,
    LabelsModel,
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

LABEL = "image-label"
MOST_LINES = 1000
"""Rows or columns of a plate."""
MOST_ENTRIES = 10_000
"""Wells of a plate, images of a well."""
KINDS = {
    "plate": "plate",
    "well": "well",
    "multiscales": "image",
    "labels": "labels",
    "bioformats2raw.layout": "collection",
    "series": "series",
}
"""Keys of documents and what a group with that key is; the first one found rules."""


def kind_of(attributes: Json) -> str | None:
    """Return what a group is, a value of `KINDS`, or None.

    An image that also says ``image-label`` is still an image.
    """
    body = _body(attributes)
    return next((kind for key, kind in KINDS.items() if key in body), None)


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
    told = take(body, "plate", dict, "plate")
    rows, row_extra = _names(_listed(told, "rows", "plate.rows", MOST_LINES), "plate.rows")
    columns, column_extra = _names(_listed(told, "columns", "plate.columns", MOST_LINES), "plate.columns")
    wells = _listed(told, "wells", "plate.wells", MOST_ENTRIES)
    acquisitions = maybe(told, "acquisitions", list, "plate.acquisitions")
    told.pop("version", None)
    return PlateModel(
        name=maybe(told, "name", str, "plate.name"),
        rows=rows,
        columns=columns,
        wells=tuple(_plate_well(one, f"plate.wells[{n}]", rows, columns) for n, one in enumerate(wells)),
        acquisitions=tuple(_acquisition(one, f"plate.acquisitions[{n}]") for n, one in enumerate(acquisitions or ())),
        field_count=maybe(told, "field_count", int, "plate.field_count"),
        row_extra=row_extra,
        column_extra=column_extra,
        plate=told,
        extra=body,
        **outer,
    )


def well(attributes: Json) -> WellModel:
    """Return the well that a group's attributes describe; `FormatError` if it is none."""
    body, outer = _split(attributes)
    told = take(body, "well", dict, "well")
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
    entries = take(body, "multiscales", list, "multiscales")
    if not entries:
        raise FormatError("multiscales is empty: no image is described")
    first = as_object(entries[0], "multiscales[0]")
    first.pop("version", None)
    geometry = parse_geometry(first)
    omero = maybe(body, "omero", dict, "omero")
    channels, omero_extra = _omero(omero)
    return ImageModel(
        name=maybe(first, "name", str, "multiscales[0].name"),
        axes=geometry.axes,
        levels=geometry.levels,
        systems=geometry.systems,
        type=maybe(first, "type", str, "multiscales[0].type"),
        metadata=maybe(first, "metadata", dict, "multiscales[0].metadata"),
        channels=channels,
        empty_omero=omero is not None and not channels,
        omero=omero_extra,
        multiscale=first,
        further=tuple(as_object(one, f"multiscales[{n}]") for n, one in enumerate(entries[1:], start=1)),
        label=_image_label(maybe(body, LABEL, dict, LABEL)),
        extra=body,
        **outer,
    )


def labels(attributes: Json) -> LabelsModel:
    """Return the names that a group of label images lists; `FormatError` if it is none."""
    body, outer = _split(attributes)
    names = _listed(body, "labels", "labels", MOST_ENTRIES)
    return LabelsModel(names=tuple(as_text(one, f"labels[{n}]") for n, one in enumerate(names)), extra=body, **outer)


def collection(attributes: Json) -> CollectionModel:
    """Return what the root of a collection, or its group ``OME``, says; `FormatError` if it is neither."""
    body, outer = _split(attributes)
    layout = maybe(body, "bioformats2raw.layout", int, "bioformats2raw.layout")
    series = None if body.get("series") is None else _listed(body, "series", "series", MOST_ENTRIES)
    if layout is None and series is None:
        raise FormatError("neither bioformats2raw.layout nor series is there: no collection is described")
    paths = None if series is None else tuple(as_text(one, f"series[{n}]") for n, one in enumerate(series))
    return CollectionModel(layout=layout, series=paths, extra=body, **outer)


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


def _listed(told: dict[str, Any], key: str, where: str, most: int) -> list[Any]:
    """Return a list that is not longer than anyone could mean."""
    found = take(told, key, list, where)
    if len(found) > most:
        raise FormatError(f"{where} has {len(found)} entries; no more than {most} are read")
    return found


def _names(entries: list[Any], where: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    names, extra = [], {}
    for number, one in enumerate(entries):
        told = as_object(one, f"{where}[{number}]")
        name = told.pop("name", None)
        # Numbers where names belong are common; the text of a number is the name on disk.
        names.append(str(name) if isinstance(name, int) else as_text(name, f"{where}[{number}].name"))
        if told:
            extra[names[-1]] = told
    return tuple(names), extra


def _plate_well(value: Any, where: str, rows: tuple[str, ...], columns: tuple[str, ...]) -> PlateWell:
    told = as_object(value, where)
    path = take(told, "path", str, f"{where}.path").strip("/")
    row, _, column = path.partition("/")
    by_name = (_place(rows, row), _place(columns, column))
    row_index = maybe(told, "rowIndex", int, f"{where}.rowIndex")
    column_index = maybe(told, "columnIndex", int, f"{where}.columnIndex")
    # The path is where the pixels are, so it rules where an index is absent.
    places = (by_name[0] if row_index is None else row_index, by_name[1] if column_index is None else column_index)
    if places[0] is None or places[1] is None:
        raise FormatError(f"{where}: path {path!r} names no row and column of the plate")
    return PlateWell(path=path, row=places[0], column=places[1], extra=told)


def _place(names: tuple[str, ...], name: str) -> int | None:
    return names.index(name) if name in names else None


def _acquisition(value: Any, where: str) -> PlateAcquisition:
    told = as_object(value, where)
    return PlateAcquisition(
        id=take(told, "id", int, f"{where}.id"),
        name=maybe(told, "name", str, f"{where}.name"),
        maximumfieldcount=maybe(told, "maximumfieldcount", int, f"{where}.maximumfieldcount"),
        starttime=maybe(told, "starttime", int, f"{where}.starttime"),
        endtime=maybe(told, "endtime", int, f"{where}.endtime"),
        description=maybe(told, "description", str, f"{where}.description"),
        extra=told,
    )


def _well_image(value: Any, where: str) -> WellImage:
    told = as_object(value, where)
    path = take(told, "path", str, f"{where}.path")
    acquisition = maybe(told, "acquisition", int, f"{where}.acquisition")
    return WellImage(path=path, acquisition=acquisition, extra=told)


def _image_label(told: dict[str, Any] | None) -> ImageLabel | None:
    if told is None:
        return None
    told.pop("version", None)
    colors = maybe(told, "colors", list, f"{LABEL}.colors") or []
    properties = maybe(told, "properties", list, f"{LABEL}.properties") or []
    return ImageLabel(
        colors=tuple(_label_color(one, f"{LABEL}.colors[{n}]") for n, one in enumerate(colors)),
        properties=tuple(as_object(one, f"{LABEL}.properties[{n}]") for n, one in enumerate(properties)),
        source=maybe(told, "source", dict, f"{LABEL}.source"),
        extra=told,
    )


def _label_color(value: Any, where: str) -> LabelColor:
    told = as_object(value, where)
    number = told.pop("label-value", None)
    if not is_number(number):
        raise FormatError(f"{where}.label-value is {number!r:.80}, not a number")
    rgba = told.get("rgba")
    if isinstance(rgba, list) and len(rgba) == 4 and all(type(one) is int for one in rgba):
        del told["rgba"]
        return LabelColor(value=number, rgba=(rgba[0], rgba[1], rgba[2], rgba[3]), extra=told)
    return LabelColor(value=number, extra=told)


def _omero(omero: dict[str, Any] | None) -> tuple[tuple[ChannelView, ...], dict[str, Any]]:
    if omero is None:
        return (), {}
    told = dict(omero)
    told.pop("version", None)
    channels = maybe(told, "channels", list, "omero.channels") or []
    return tuple(_channel(one, f"omero.channels[{n}]") for n, one in enumerate(channels)), told


def _channel(value: Any, where: str) -> ChannelView:
    told = as_object(value, where)
    label = maybe(told, "label", str, f"{where}.label") if isinstance(told.get("label"), str) else None
    color = maybe(told, "color", str, f"{where}.color") if isinstance(told.get("color"), str) else None
    active = maybe(told, "active", bool, f"{where}.active") if isinstance(told.get("active"), bool) else None
    window, window_extra = _window(told)
    return ChannelView(label=label, color=color, window=window, active=active, window_extra=window_extra, extra=told)


def _window(told: dict[str, Any]) -> tuple[Window | None, dict[str, Any]]:
    """Return a channel's window where it is whole; otherwise it stays with the unknown keys."""
    found = told.get("window")
    names = ("min", "max", "start", "end")
    if not isinstance(found, dict) or not all(is_number(found.get(name)) for name in names):
        return None, {}
    rest = {key: value for key, value in told.pop("window").items() if key not in names}
    return Window(min=found["min"], max=found["max"], start=found["start"], end=found["end"]), rest
