"""One group's attributes from any version of OME-Zarr to another, without loss.

Whatever is not of OME-Zarr stays as it is; unknown keys inside OME-Zarr objects move with them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openhcs.errors import InvalidValue
from openhcs.ngff import parse, render

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from openhcs.ngff.model import ImageModel

Json = dict[str, Any]


def translate(attributes: Mapping[str, Any], version: str, *, in_plate: bool = False) -> Json:
    """Return a group's attributes as another version says them.

    Parameters
    ----------
    version
        "0.4", "0.5" or "0.6".
    in_plate
        the group is a row of a plate, which has the version of the plate though it says nothing else.

    Raises
    ------
    FormatError
        the group says that it is part of OME-Zarr and is not.
    InvalidValue
        the version has no words for a transformation.

    Examples
    --------
    >>> translate({"labels": ["nuclei"], "note": 1}, "0.5")
    {'ome': {'version': '0.5', 'labels': ['nuclei'], 'note': 1}}
    """
    match parse.kind_of(dict(attributes)):
        case "plate":
            return render.plate_document(parse.plate(dict(attributes)), version)
        case "well":
            return render.well_document(parse.well(dict(attributes)), version)
        case "image":
            return render.image_document(parse.image(dict(attributes)), version)
        case "labels":
            return render.labels_document(parse.labels(dict(attributes)), version)
        case "collection" | "series":
            return render.collection_document(parse.collection(dict(attributes)), version)
        case _:
            return _plain(dict(attributes), version, in_plate=in_plate)


def _plain(attributes: Json, version: str, *, in_plate: bool) -> Json:
    inside = attributes.pop("ome", None)
    if inside is not None and not isinstance(inside, dict):
        return {"ome": inside, **attributes}
    said = {key: value for key, value in (inside or {}).items() if key != "version"}
    if version == "0.4":
        return {**said, **attributes}
    if inside is None and not in_plate:
        return attributes
    return {"ome": {"version": version, **said}, **attributes}


def with_scales(image: ImageModel, shapes: Sequence[Sequence[int]]) -> ImageModel:
    """Return an image in which every level has a scale, as 0.4 and later want.

    Where none is said, level 0 has ones and others the ratio of the shapes: how large a pixel is stays unknown.
    """
    levels = tuple(
        level
        if level.scale is not None or level.others
        else replace(level, scale=tuple(a / b if b else 1.0 for a, b in zip(shapes[0], shape, strict=True)))
        for level, shape in zip(image.levels, shapes, strict=True)
    )
    return replace(image, levels=levels)


def only_images(attributes: Mapping[str, Any], version: str, names: Collection[str]) -> Json:
    """Return a well's attributes with those images alone that are in ``names``."""
    well = parse.well(dict(attributes))
    return render.well_document(replace(well, images=tuple(one for one in well.images if one.path in names)), version)


def only_wells(attributes: Mapping[str, Any], version: str, paths: Collection[str]) -> Json:
    """Return a plate's attributes with those wells alone whose paths are in ``paths``.

    Raises
    ------
    InvalidValue
        no well is left: the format has no empty plate.
    """
    plate = parse.plate(dict(attributes))
    wells = tuple(one for one in plate.wells if one.path in paths)
    if not wells:
        raise InvalidValue("none of these wells is in the plate")
    return render.plate_document(replace(plate, wells=wells), version)
