"""From the model to the attributes of a Zarr group, for OME-Zarr 0.4 and 0.5.

Each function returns JSON-able attributes: in 0.5 ``{"ome": {…}, "openhcs": {…}}`` for ``zarr.json``,
in 0.4 the content of ``.zattrs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.errors import InvalidValue
from openhcs.ngff.model import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.model import (
        Axis,
        ChannelView,
        ImageModel,
        Level,
        PlateAcquisition,
        PlateModel,
        WellImage,
        WellModel,
    )

VERSIONS = ("0.4", "0.5")
ZARR_FORMAT = {"0.4": 2, "0.5": 3}

Json = dict[str, Any]


def plate_document(plate: PlateModel, version: str) -> Json:
    """Return the attributes of a plate's root group.

    Raises
    ------
    InvalidValue
        an unknown version, or a plate without wells: the format has no empty plate.
    """
    if not plate.wells:
        raise InvalidValue("an OME-Zarr plate lists at least one well; write the root once a well is there")
    body: Json = {"version": version}
    body |= _given(name=plate.name)
    body |= {
        "rows": [{"name": name, **plate.row_extra.get(name, {})} for name in plate.rows],
        "columns": [{"name": name, **plate.column_extra.get(name, {})} for name in plate.columns],
        "wells": [
            {"path": well.path, "rowIndex": well.row, "columnIndex": well.column, **well.extra} for well in plate.wells
        ],
    }
    if plate.acquisitions:
        body["acquisitions"] = [_acquisition(one) for one in plate.acquisitions]
    body |= _given(field_count=plate.field_count)
    return _group({"plate": {**body, **plate.plate}, **plate.extra}, plate, version)


def well_document(well: WellModel, version: str) -> Json:
    """Return the attributes of a well's group."""
    body: Json = {"version": version, "images": [_well_image(image) for image in well.images]}
    return _group({"well": {**body, **well.well}, **well.extra}, well, version)


def image_document(image: ImageModel, version: str) -> Json:
    """Return the attributes of an image's group: ``multiscales``, and ``omero`` where it has one."""
    first: Json = {"version": version} if version == "0.4" else {}
    first |= _given(name=image.name, type=image.type, metadata=image.metadata)
    first |= {
        "axes": [_axis(axis) for axis in image.axes],
        "datasets": [_level(level) for level in image.levels],
    }
    body: Json = {"multiscales": [{**first, **image.multiscale}, *(dict(one) for one in image.further)]}
    if image.channels or image.empty_omero:
        body["omero"] = _omero(image, version)
    return _group({**body, **image.extra}, image, version)


def plain_document(own: Mapping[str, Any] | None = None) -> Json:
    """Return the attributes of a group that is no part of OME-Zarr."""
    return {OWN: dict(own)} if own else {}


def group_document(version: str) -> Json:
    """Return the attributes of a group that only holds others, such as a row of a plate."""
    _check(version)
    return {"ome": {"version": version}} if version == "0.5" else {}


def _check(version: str) -> None:
    if version not in VERSIONS:
        raise InvalidValue(f"OME-Zarr {version!r} cannot be written; known: {', '.join(VERSIONS)}")


def _group(body: Json, model: ImageModel | WellModel | PlateModel, version: str) -> Json:
    _check(version)
    ours: Json = {} if model.own is None else {OWN: dict(model.own)}
    if version == "0.4":
        return {**body, **ours, **model.attributes}
    return {"ome": {"version": version, **body}, **ours, **model.attributes}


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _acquisition(one: PlateAcquisition) -> Json:
    told = _given(
        id=one.id,
        name=one.name,
        maximumfieldcount=one.maximumfieldcount,
        starttime=one.starttime,
        endtime=one.endtime,
        description=one.description,
    )
    return {**told, **one.extra}


def _well_image(image: WellImage) -> Json:
    return {**_given(path=image.path, acquisition=image.acquisition), **image.extra}


def _axis(axis: Axis) -> Json:
    return {**_given(name=axis.name, type=axis.type, unit=axis.unit), **axis.extra}


def _level(level: Level) -> Json:
    transformations: list[Json] = []
    if level.scale is not None:
        transformations.append({"type": "scale", "scale": list(level.scale)})
    if level.translation is not None:
        transformations.append({"type": "translation", "translation": list(level.translation)})
    transformations += [dict(other) for other in level.others]
    told = {"coordinateTransformations": transformations} if transformations else {}
    return {"path": level.path, **told, **level.extra}


def _omero(image: ImageModel, version: str) -> Json:
    stamp = {"version": version} if version == "0.4" else {}
    return {**stamp, "channels": [_channel(channel) for channel in image.channels], **image.omero}


def _channel(channel: ChannelView) -> Json:
    told = _given(label=channel.label, color=channel.color, active=channel.active)
    if channel.window is not None:
        window = channel.window
        told["window"] = {"min": window.min, "max": window.max, "start": window.start, "end": window.end}
        told["window"] |= channel.window_extra
    return {**told, **channel.extra}
