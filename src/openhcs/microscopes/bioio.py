"""Files of other programs' formats (ND2, LIF, LSM, DeltaVision, CZI …), read by the plugins of bioio.

Each scene is a site. Its well is the one that the file or the scene's name tells, else the file's name, else A01.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from openhcs.core.plate import Acquisition, Channel, Plane, SceneSource, Unmatched
from openhcs.core.wells import parse_well, well_name
from openhcs.errors import FormatError, InputError, NotGrey
from openhcs.microscopes.assemble import assemble
from openhcs.microscopes.bioio_image import OtherImage, how_to_install, suffix_of
from openhcs.microscopes.forms import is_image
from openhcs.microscopes.headers import Headers, kind_text
from openhcs.microscopes.limits import MOST_PLANES, check_pixels
from openhcs.microscopes.protocol import NotMine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from openhcs.core.plate import Files, FileSource, PlateIndex
    from openhcs.microscopes.bioio_image import Scene
    from openhcs.microscopes.headers import Kind

ONLY_WELL = "A01"
MOST_SCENES = 100_000
_SAID = re.compile(r"well[ _:-]{0,2}([A-P]|A[A-F])[ _-]?([0-9]{1,2})(?![0-9])", re.IGNORECASE)
_ALONE = re.compile(r"(?<![A-Za-z0-9])(?:([A-P]|A[A-F])([0-9]{2})|([A-H])([1-9]))(?![A-Za-z0-9])")
_APART = re.compile(r"(?<![A-Za-z0-9])([A-P]|A[A-F])/([0-9]{1,2})(?![0-9])")
"""`Well A1`, `A01`, `B2`, `A/1`; not `P1` or `R1`, which are positions and regions."""


def well_in(text: str) -> str | None:
    """Return the well that a scene's or a file's name tells, None if it tells none, or two.

    >>> well_in("Plate 2, Well B03, Field 1"), well_in("P1-D4"), well_in("Series 7")
    ('B03', 'D04', None)
    """
    for form in (_SAID, _ALONE, _APART):
        found = {well_name(*parse_well("".join(filter(None, one.groups())))) for one in form.finditer(text)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


@dataclass(slots=True)
class _Found:
    """Scenes of the files of a folder, and what was left out."""

    scenes: list[tuple[FileSource, int, Scene]] = field(default_factory=list)
    left_out: list[Unmatched] = field(default_factory=list)
    damaged: list[FormatError] = field(default_factory=list)


class Bioio:
    """Reads one file of another program's format, or a folder of them."""

    name = "bioio"

    def index(self, files: Files) -> PlateIndex | NotMine:
        """Return the plate, or why the folder is none: most bytes in it are of images read without bioio.

        Raises
        ------
        InputError
            bioio or a plugin is not installed, or no file can be read.
        """
        listed = files.list()
        others = [file for file in listed if suffix_of(file.path)]
        if not others:
            return NotMine("no file is of a format that bioio reads")
        ours = sum(file.size for file in listed if is_image(file.path))
        if ours > sum(file.size for file in others):
            return NotMine(f"most bytes are of images, not of files such as {others[0].path}")
        if find_spec("bioio") is None:
            raise InputError(
                f"{files.root} holds files such as {others[0].path}, which are read by bioio: "
                f"{how_to_install(others[0].path)}",
                path=files.root,
            )
        return _build(files, _look(files, others))


def _look(files: Files, others: Iterable[FileSource]) -> _Found:
    found = _Found()
    for file in others:
        try:
            image = OtherImage(_path(files, file.path))
            if len(found.scenes) + len(image.scenes) > MOST_SCENES:
                raise FormatError(f"{image.path} tells of {len(image.scenes)} scenes", path=image.path)
            if not image.scenes:
                raise FormatError(f"{image.path} holds no image", path=image.path)
            for number, name in enumerate(image.scenes):
                try:
                    found.scenes.append((file, number, _checked(image.scene(number), image.path)))
                except NotGrey:
                    reason = f"scene {name} holds colours, and a plane has one value per pixel"
                    found.left_out.append(Unmatched(path=f"{file.path} scene {name}", reason=reason))
        except FormatError as error:
            found.damaged.append(error)
            found.left_out.append(Unmatched(path=file.path, reason=str(error)))
    if not found.scenes and found.damaged:
        raise found.damaged[0]
    if not found.scenes:
        raise NotGrey(f"{files.root}: every scene holds colours, and a plane has one value per pixel", path=files.root)
    return found


def _checked(scene: Scene, path: str) -> Scene:
    t, c, z, y, x = scene.shape
    if t * c * z > MOST_PLANES:
        raise FormatError(f"{path}: scene {scene.name} is said to have {t * c * z} planes", path=path)
    check_pixels((y, x), scene.dtype, path)
    return scene


def _path(files: Files, path: str) -> str:
    """Return where a file lies; a plate of one file is that file."""
    return files.root if os.path.isfile(files.root) else os.path.join(files.root, path)


def _build(files: Files, found: _Found) -> PlateIndex:
    usual = Counter(_kind(scene) for _, _, scene in found.scenes).most_common(1)[0][0]
    kept = [one for one in found.scenes if _kind(one[2]) == usual]
    told = [f"files that cannot be read: {len(found.damaged)}, such as {found.damaged[0]}"] if found.damaged else []
    for file, _, scene in found.scenes:
        if _kind(scene) != usual:
            reason = f"{kind_text(_kind(scene))} where most are {kind_text(usual)}"
            found.left_out.append(Unmatched(path=f"{file.path} scene {scene.name}", reason=reason))
    scenes_out = len(found.left_out) - len(found.damaged)
    if scenes_out:
        first = next(one for one in found.left_out if " scene " in one.path)
        told.append(f"scenes left out: {scenes_out}, such as {first.path}: {first.reason}")
    numbers = _channel_numbers(scene for _, _, scene in kept)
    places = _places(kept)
    first_scene = kept[0][2]
    sizes = {scene.pixel_size_um for _, _, scene in kept}
    if len(sizes) > 1:
        told.append(f"scenes tell {len(sizes)} pixel sizes; that of the first is kept: {first_scene.pixel_size_um}")
    name = os.path.basename(files.root.rstrip("/"))
    return assemble(
        files,
        microscope=Bioio.name,
        name=os.path.splitext(name)[0] if suffix_of(name) else name or "plate",
        planes=_planes(kept, places, numbers),
        why=f"{len(kept)} scenes of {', '.join(sorted({suffix_of(file.path) for file, _, _ in kept}))} read by bioio",
        channels=[
            Channel(number=number, name=text, objective=first_scene.objective) for text, number in numbers.items()
        ],
        acquisitions=(Acquisition(number=0, name="0", start_time=first_scene.start_time),),
        left_out=found.left_out,
        warnings=told,
        headers=Headers(files),
        dtype=usual[0],
        plane_shape=usual[1],
        pixel_size_um=first_scene.pixel_size_um,
        z_step_um=first_scene.z_step_um if any(scene.shape[2] > 1 for _, _, scene in kept) else None,
        positions={
            place: scene.position_um
            for place, (_, _, scene) in zip(places, kept, strict=True)
            if scene.position_um is not None
        },
    )


def _kind(scene: Scene) -> Kind:
    return scene.dtype, scene.shape[3:]


def _channel_numbers(scenes: Iterable[Scene]) -> dict[str, int]:
    """Return channels by name, numbered from 1 as they come."""
    names: dict[str, int] = {}
    for scene in scenes:
        for name in _channel_names(scene):
            names.setdefault(name, len(names) + 1)
    return names


def _channel_names(scene: Scene) -> tuple[str, ...]:
    """Return one name for each channel; numbers where the file names none, or two alike."""
    count = scene.shape[1]
    names = scene.channels
    return names if len(set(names)) == len(names) == count else tuple(str(number) for number in range(1, count + 1))


def _places(kept: Iterable[tuple[FileSource, int, Scene]]) -> list[tuple[str, int]]:
    """Return (well, site) of each scene; sites of a well count from 1 as they come."""
    scenes = list(kept)
    told = [scene.well or well_in(scene.name) for _, _, scene in scenes]
    if None in told:
        told = [well_in(os.path.basename(file.path)) for file, _, _ in scenes]
    sites: Counter[str] = Counter()
    places = []
    for well in (ONLY_WELL if None in told else one for one in told):
        sites[str(well)] += 1
        places.append((str(well), sites[str(well)]))
    return places


def _planes(
    kept: Iterable[tuple[FileSource, int, Scene]], places: Iterable[tuple[str, int]], numbers: dict[str, int]
) -> Iterator[Plane]:
    for (well, site), (file, number, scene) in zip(places, kept, strict=True):
        names = _channel_names(scene)
        for t in range(scene.shape[0]):
            for c, name in enumerate(names):
                for z in range(scene.shape[2]):
                    source = SceneSource(file.path, number, (t, c, z), file.size, file.mtime_ns)
                    yield Plane(well=well, site=site, channel=numbers[name], z=z + 1, t=t + 1, source=source)
