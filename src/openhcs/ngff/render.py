"""From the model to the attributes of a Zarr group, for OME-Zarr 0.4, 0.5 and 0.6.

Each function returns JSON-able attributes: in 0.5 ``{"ome": {…}, "openhcs": {…}}`` for ``zarr.json``,
in 0.4 the content of ``.zattrs``. 0.6 says its version once per group, the older ones in each part too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openhcs.errors import InvalidValue
from openhcs.ngff.keys import given
from openhcs.ngff.levels import render_geometry
from openhcs.ngff.model import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openhcs.ngff.model import (
        ChannelView,
        CollectionModel,
        ImageLabel,
        ImageModel,
        LabelColor,
        LabelsModel,
        PlateAcquisition,
        PlateModel,
        WellImage,
        WellModel,
    )

    Model = CollectionModel | ImageModel | LabelsModel | PlateModel | WellModel

ZARR_FORMAT = {"0.4": 2, "0.5": 3, "0.6": 3}
"""Versions of OME-Zarr that are written, and the version of Zarr that each is built on."""

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
    body = _stamp(version) | given(name=plate.name)
    body |= {
        "rows": [{"name": name, **plate.row_extra.get(name, {})} for name in plate.rows],
        "columns": [{"name": name, **plate.column_extra.get(name, {})} for name in plate.columns],
        "wells": [
            {"path": well.path, "rowIndex": well.row, "columnIndex": well.column, **well.extra} for well in plate.wells
        ],
    }
    if plate.acquisitions:
        body["acquisitions"] = [_acquisition(one) for one in plate.acquisitions]
    body |= given(field_count=plate.field_count)
    return _group({"plate": {**body, **plate.plate}, **plate.extra}, plate, version)


def well_document(well: WellModel, version: str) -> Json:
    """Return the attributes of a well's group."""
    body = _stamp(version) | {"images": [_well_image(image) for image in well.images]}
    return _group({"well": {**body, **well.well}, **well.extra}, well, version)


def image_document(image: ImageModel, version: str) -> Json:
    """Return the attributes of an image's group: ``multiscales``, ``omero`` and ``image-label`` where it has them.

    Raises
    ------
    InvalidValue
        an unknown version, or a transformation that this version has no words for.
    """
    first: Json = {"version": version} if version == "0.4" else {}
    first |= given(name=image.name, type=image.type, metadata=image.metadata)
    geometry, rest = render_geometry(image, version)
    body: Json = {"multiscales": [{**first, **geometry, **rest}, *(dict(one) for one in image.further)]}
    if image.channels or image.empty_omero:
        body["omero"] = _omero(image, version)
    if image.label is not None:
        body["image-label"] = _image_label(image.label, version)
    return _group({**body, **image.extra}, image, version)


def labels_document(labels: LabelsModel, version: str) -> Json:
    """Return the attributes of the group that lists the label images of an image."""
    return _group({"labels": list(labels.names), **labels.extra}, labels, version)


def collection_document(collection: CollectionModel, version: str) -> Json:
    """Return the attributes of a collection's root, or of its group ``OME``."""
    told: Json = {} if collection.layout is None else {"bioformats2raw.layout": collection.layout}
    told |= {} if collection.series is None else {"series": list(collection.series)}
    return _group({**told, **collection.extra}, collection, version)


def plain_document(own: Mapping[str, Any] | None = None) -> Json:
    """Return the attributes of a group that is no part of OME-Zarr."""
    return {OWN: dict(own)} if own else {}


def group_document(version: str) -> Json:
    """Return the attributes of a group that only holds others, such as a row of a plate."""
    _check(version)
    return {} if version == "0.4" else {"ome": {"version": version}}


def _check(version: str) -> None:
    if version not in ZARR_FORMAT:
        raise InvalidValue(f"OME-Zarr {version!r} cannot be written; known: {', '.join(ZARR_FORMAT)}")


def _stamp(version: str) -> Json:
    return {} if version == "0.6" else {"version": version}


def _group(body: Json, model: Model, version: str) -> Json:
    _check(version)
    ours: Json = {} if model.own is None else {OWN: dict(model.own)}
    if version == "0.4":
        return {**body, **ours, **model.attributes}
    return {"ome": {"version": version, **body}, **ours, **model.attributes}


def _acquisition(one: PlateAcquisition) -> Json:
    told = given(
        id=one.id,
        name=one.name,
        maximumfieldcount=one.maximumfieldcount,
        starttime=one.starttime,
        endtime=one.endtime,
        description=one.description,
    )
    return {**told, **one.extra}


def _well_image(image: WellImage) -> Json:
    return {**given(path=image.path, acquisition=image.acquisition), **image.extra}


def _image_label(label: ImageLabel, version: str) -> Json:
    told = _stamp(version)
    if label.colors:
        told["colors"] = [_label_color(color) for color in label.colors]
    if label.properties:
        told["properties"] = [dict(one) for one in label.properties]
    return told | given(source=label.source and dict(label.source)) | dict(label.extra)


def _label_color(color: LabelColor) -> Json:
    rgba = {} if color.rgba is None else {"rgba": list(color.rgba)}
    return {"label-value": color.value, **rgba, **color.extra}


def _omero(image: ImageModel, version: str) -> Json:
    stamp = {"version": version} if version == "0.4" else {}
    return {**stamp, "channels": [_channel(channel) for channel in image.channels], **image.omero}


def _channel(channel: ChannelView) -> Json:
    told = given(label=channel.label, color=channel.color, active=channel.active)
    if channel.window is not None:
        window = channel.window
        told["window"] = {"min": window.min, "max": window.max, "start": window.start, "end": window.end}
        told["window"] |= channel.window_extra
    return {**told, **channel.extra}
