"""Find out what a plate folder is, and index it.

Built-in layouts stand in a plain table, in the order they are tried: documents that name themselves
first, file names next, any folder of images last. Each is loaded when it is tried.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from openhcs.constants.constants import Microscope as Layout
from openhcs.core.plate import PlateIndex
from openhcs.core.plugins import plugins
from openhcs.errors import InputError, InvalidType, UnknownName, suggest
from openhcs.microscopes.assemble import refuse_several
from openhcs.microscopes.forms import all_forms, is_image, layout_of
from openhcs.microscopes.limits import check_size
from openhcs.microscopes.outline import Indexed, OpensLazily, Outline
from openhcs.microscopes.protocol import Microscope, NotMine

if TYPE_CHECKING:
    from openhcs.core.plate import Files

__all__ = ["TABLE", "Microscope", "NotMine", "Outline", "detect", "load", "look"]

TABLE = {
    "ome_zarr": "openhcs.microscopes.ome_zarr:OmeZarr",
    "openhcs_tiff": "openhcs.microscopes.openhcs_tiff:OpenHCSTiff",
    "opera_phenix": "openhcs.microscopes.opera_phenix:OperaPhenix",
    "cellvoyager": "openhcs.microscopes.cellvoyager:CellVoyager",
    "imagexpress_hcsai": "openhcs.microscopes.imagexpress_hcsai:ImageXpressHCSai",
    "imagexpress": "openhcs.microscopes.imagexpress:ImageXpress",
    "scanr": "openhcs.microscopes.scanr:ScanR",
    "cellomics": "openhcs.microscopes.cellomics:Cellomics",
    "sbs": "openhcs.microscopes.sbs:Sbs",
    "embl_almf": "openhcs.microscopes.embl_almf:EmblAlmf",
    "leica_matrix": "openhcs.microscopes.leica_matrix:LeicaMatrix",
    "micro_manager": "openhcs.microscopes.micro_manager:MicroManager",
    "ome_tiff": "openhcs.microscopes.ome_tiff:OmeTiff",
    "bioio": "openhcs.microscopes.bioio:Bioio",
    "generic": "openhcs.microscopes.generic:Generic",
}
"""Layout → ``module:Class``, in the order they are tried."""
ENTRY_POINTS = "openhcs.microscopes"
LOOKED_AT = 5
"""Images of each folder whose names are asked which layout they are of."""
OURS = ("ome_zarr", "openhcs_tiff")
"""Layouts of outputs: what lies beside them is not asked about."""
FIRST_OF_VENDORS = next(name for name in TABLE if name not in OURS)
"""From here on all files are listed; a plate of which a root document tells is opened without."""


def load(name: str) -> Microscope:
    """Return the reader of a layout by its name.

    Raises
    ------
    UnknownName
        neither built in nor installed; the nearest is named.
    """
    if name in TABLE:
        module, _, kind = TABLE[name].partition(":")
        return cast("Microscope", getattr(import_module(module), kind)())
    installed = {point.name: point for point in plugins(ENTRY_POINTS)}
    if name not in installed:
        raise UnknownName(f"no microscope is called {name!r}; {suggest(name, ['auto', *TABLE, *installed])}")
    return cast("Microscope", installed[name].load()())


def detect(files: Files, microscope: Layout | str = Layout.AUTO, *, pattern: str | None = None) -> PlateIndex:
    """Return all that a folder holds; parameters and errors are those of `look`."""
    return look(files, microscope, pattern=pattern).index()


def look(files: Files, microscope: Layout | str = Layout.AUTO, *, pattern: str | None = None) -> Outline:
    """Return what a folder is, read as a layout, or as the first that knows it.

    Parameters
    ----------
    pattern
        file names of a generic folder, such as ``{well}_s{site}_w{channel}.tif``; chooses "generic".

    Raises
    ------
    InputError
        no layout knows the folder; the message tells what each looked for.
    UnknownName
        no such layout.
    """
    name = microscope.value if isinstance(microscope, Layout) else microscope
    if pattern is not None:
        from openhcs.microscopes.generic import Generic

        return _sure(_asked(Generic(pattern=pattern), "generic", files), "generic", files)
    if name != Layout.AUTO.value:
        return _sure(_asked(load(name), name, files), name, files)
    reasons: dict[str, str] = {}
    for layout in [*(point.name for point in plugins(ENTRY_POINTS)), *TABLE]:
        if layout == FIRST_OF_VENDORS:
            refuse_several(files, _of_different_layouts(files))
        found = _asked(load(layout), layout, files)
        if not isinstance(found, NotMine):
            _refuse_mixed(found, layout, files)
            return found
        reasons[layout] = found.why
    _refuse_empty(files)
    raise InputError(_unknown(files, reasons), path=files.root)


def _asked(reader: Microscope, name: str, files: Files) -> Outline | NotMine:
    """Return a reader's answer if it is one."""
    if isinstance(reader, OpensLazily):
        return reader.outline(files)
    found: object = reader.index(files)
    if not isinstance(found, (PlateIndex, NotMine)):
        raise InvalidType(f"the microscope {name!r} must answer with a PlateIndex or NotMine(why), not {found!r}")
    return found if isinstance(found, NotMine) else Indexed(check_size(_in_words(found)))


def _in_words(index: PlateIndex) -> PlateIndex:
    """Return the index with names that are text: bytes of file names that are none are written out."""
    name = _text(index.name)
    channels = tuple(replace(one, name=_text(one.name)) for one in index.channels)
    return index if (name, channels) == (index.name, index.channels) else replace(index, name=name, channels=channels)


def _text(name: str) -> str:
    r"""Return a name whose bytes that are no text are written out.

    >>> _text("P\udcff1")
    'P\\xff1'
    """
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode()


def _sure(found: Outline | NotMine, name: str, files: Files) -> Outline:
    if isinstance(found, NotMine):
        raise InputError(f"{files.root} cannot be read as {name}: {found.why}.", path=files.root)
    return found


def _of_different_layouts(files: Files) -> list[str]:
    """Return the folders right in a folder that hold images, where these are named as different layouts name them."""
    named: dict[str, list[str]] = {}
    for file in files.list():
        top, slash, rest = file.path.partition("/")
        if not slash and is_image(top):
            return []
        if slash and is_image(rest) and ".zarr/" not in file.path:
            bases = named.setdefault(top, [])
            if len(bases) < LOOKED_AT:
                bases.append(rest.rpartition("/")[2])
    layouts = {name for bases in named.values() for base in bases for name in [layout_of(base)] if name is not None}
    return list(named) if len(layouts) > 1 else []


def _refuse_mixed(found: Outline, layout: str, files: Files) -> None:
    """Refuse a folder in which images that are no plane are named as another layout names its own."""
    if layout in OURS or not isinstance(found, Indexed):
        return
    others: dict[str, list[str]] = {}
    for one in found.index().unmatched:
        base = one.path.rpartition("/")[2]
        if is_image(base) and not any(form.matches(base) for name, form in all_forms() if name == layout):
            name = layout_of(base)
            if name is not None:
                others.setdefault(name, []).append(one.path)
    if others:
        told = "; ".join(
            f"{len(paths)} images are named as {name}, such as {paths[0]}" for name, paths in others.items()
        )
        here = sum(plane.source is not None for plane in found.index().planes)
        raise InputError(
            f"{files.root} holds images of different microscopes: {here} are of {layout}; {told}. Name the folder of "
            f"one, or say which is meant: --microscope {layout}.",
            path=files.root,
        )


def _refuse_empty(files: Files) -> None:
    listed = files.list()
    if not listed:
        raise InputError(
            f"the folder {files.root} holds no files. Name the folder that holds the plate's images.", path=files.root
        )


def _unknown(files: Files, reasons: dict[str, str]) -> str:
    listed = files.list()
    images = [file for file in listed if is_image(file.path)]
    held = f"{len(listed)} files, {len(images)} of them images" if images else f"{len(listed)} files and no image"
    example = (images or listed)[0].path
    told = "\n".join(f"  {name}: {why}" for name, why in reasons.items())
    return (
        f"{files.root} is no plate that openhcs knows: it holds {held}, such as {example}.\n{told}\n"
        "Name the plate's own folder, or tell how files are named, such as "
        "--pattern '{well}_s{site}_w{channel}.tif'."
    )
