"""OME-Zarr plates 0.4 and 0.5: our own and those of other tools.

Nothing is listed: the root document names the wells, a well's its images, an image's its arrays. In
our own plates the original numbers stand beside them; in others sites and channels count from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.errors import InputError
from openhcs.microscopes.forms import is_image
from openhcs.microscopes.protocol import NotMine
from openhcs.microscopes.zarr.documents import Store, join, placed
from openhcs.microscopes.zarr.outline import MICROSCOPE, ZarrOutline
from openhcs.ngff import parse

if TYPE_CHECKING:
    from openhcs.core.plate import Files, PlateIndex

OUR_STORE = "images.zarr"


class OmeZarr:
    """Reads a plate by its documents; an output folder of ours by the plate in it."""

    name = MICROSCOPE

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the whole plate, or why the folder is none; raises as `outline` does."""
        found = self.outline(files)
        return found if isinstance(found, NotMine) else found.index()

    def outline(self, files: Files) -> ZarrOutline | NotMine:
        """Return what the root document tells of the plate, or why the folder is none.

        Raises
        ------
        InputError
            the folder is an image or a well of a plate, or holds several plates.
        FormatError
            a document is damaged.
        """
        for place in ("", OUR_STORE):
            found = _plate_at(files, place)
            if found is not None:
                return found
        places = _stores_below(files)
        found_in = {place: plate for place in places if (plate := _plate_at(files, place, strict=False)) is not None}
        if len(found_in) > 1:
            raise InputError(
                f"{files.root} holds {len(found_in)} OME-Zarr plates: {', '.join(found_in)}. Name one of them.",
                path=files.root,
            )
        for plate in found_in.values():
            return plate
        return NotMine("neither zarr.json nor .zattrs describes an OME-Zarr plate")


def _plate_at(files: Files, place: str, *, strict: bool = True) -> ZarrOutline | None:
    """Return the plate at a place below the folder; `InputError` for another part of one if ``strict``."""
    store = Store(files, place)
    attributes = store.attributes()
    if attributes is None:
        return None
    kind = parse.kind_of(attributes)
    if kind == "plate":
        with placed(join(place, store.document)):
            model = parse.plate(attributes)
        root = join(files.root.rstrip("/"), place) if place else files.root
        return ZarrOutline(store, root, model, parse.version_of(attributes))
    if strict and kind is not None:
        raise InputError(_no_plate(join(files.root.rstrip("/"), place), kind), path=files.root)
    return None


def _no_plate(root: str, kind: str) -> str:
    above = {"image": 3, "well": 2, "labels": 4}[kind]
    parts = root.split("/")
    stores = [number for number, part in enumerate(parts[:-1], start=1) if part.endswith(".zarr")]
    plate = "/".join(parts[: stores[-1]] if stores else parts[:-above])
    article = "an" if kind == "image" else "a" if kind == "well" else "a group of"
    hint = f" Its plate may be {plate}: name that." if plate else " Name the folder of the whole plate."
    return f"{root} is {article} OME-Zarr {kind}, not a plate.{hint}".replace("a OME", "an OME")


def _stores_below(files: Files) -> list[str]:
    """Return the Zarr stores right in a folder that holds no other images."""
    stores: dict[str, None] = {}
    for file in files.list():
        top, slash, _ = file.path.partition("/")
        if slash and top.endswith(".zarr"):
            stores[top] = None
        elif is_image(file.path):
            return []
    return list(stores)
