"""One image file of another program's format, opened by a plugin of bioio: its scenes and their planes.

What plugins raise is theirs to choose: whatever it is, it is a `FormatError` that names the file. bioio keeps
one scene at a time, so a file answers one thread after another.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from openhcs.core.wells import parse_well, well_name
from openhcs.errors import FormatError, InputError, InvalidValue, NotGrey, OpenHCSError, from_oserror

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = {
    ".nd2": "bioio-nd2", ".lif": "bioio-lif", ".lsm": "bioio-tifffile", ".dv": "bioio-dv", ".r3d": "bioio-dv",
    ".czi": "bioio-czi", ".sldy": "bioio-sldy",
}  # fmt: skip
"""Suffixes of formats, and the plugin that reads each; the last two are not in the extra."""
INSTALL = 'pip install "openhcs[formats]"'
FACTS = ("row", "column", "objective", "imaging_datetime", "stage_position_x", "stage_position_y")
"""What the readers of bioio may tell of a scene."""
LOGGERS = ("bioio", "bioio_base", *{plugin.replace("-", "_"): None for plugin in PLUGINS.values()})
IN_EXTRA = frozenset({"bioio-nd2", "bioio-lif", "bioio-tifffile", "bioio-dv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a file says of one of its scenes.

    Parameters
    ----------
    name
        as the file has it.
    well
        the well that the file names for it, if it does.
    shape
        (t, c, z, y, x).
    pixel_size_um, z_step_um, position_um
        (y, x), distance of planes, stage (x, y), where recorded.
    """

    name: str
    well: str | None
    shape: tuple[int, int, int, int, int]
    dtype: str
    channels: tuple[str, ...]
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    position_um: tuple[float, float] | None = None
    start_time: str | None = None
    objective: str | None = None


def suffix_of(path: str) -> str:
    """Return the suffix of a format that a plugin reads, empty if it is none."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix if suffix in PLUGINS else ""


def how_to_install(path: str) -> str:
    """Return what to install to read a file."""
    plugin = PLUGINS.get(suffix_of(path), "")
    return INSTALL if plugin in IN_EXTRA or not plugin else f"{INSTALL} {plugin}"


class OtherImage:
    """An open file; safe in many threads at once.

    Raises
    ------
    InputError
        bioio, or the plugin for this format, is not installed; the message says what to install.
    FormatError
        the file is damaged.
    NotFound, StorageError
        it is not there, or cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        with _told(path):
            self._image = _open(path)
            self.scenes: tuple[str, ...] = tuple(str(name) for name in self._image.scenes)

    def scene(self, number: int) -> Scene:
        """Return what the file says of a scene; no pixels are read.

        Raises
        ------
        NotGrey
            its pixels have several values.
        FormatError
            the scene is damaged.
        """
        with self._lock, _told(self.path):
            image = self._image
            image.set_scene(number)
            sizes = dict(zip(image.dims.order, image.dims.shape, strict=True))
            if sizes.get("S", 1) > 1:
                raise NotGrey(f"{self.path}: scene {self.scenes[number]} holds colours", path=self.path)
            shape = tuple(int(sizes.get(axis, 1)) for axis in "TCZYX")
            return Scene(
                name=self.scenes[number],
                shape=shape,  # type: ignore[arg-type]
                dtype=image.dtype.name,
                channels=tuple(str(name) for name in image.channel_names or ()),
                **_recorded(image),
            )

    def read_into(self, scene: int, index: tuple[int, ...], out: Any) -> None:
        """Decode the plane at (t, c, z) of a scene into ``out`` (y, x).

        Raises
        ------
        FormatError
            another shape or dtype than ``out``, or the file is damaged.
        """
        with self._lock, _told(self.path):
            if scene >= len(self.scenes) or len(index) != 3:
                raise FormatError(f"{self.path} has {len(self.scenes)} scenes, {scene} was asked for", path=self.path)
            if self._image.current_scene_index != scene:
                self._image.set_scene(scene)
            t, c, z = index
            plane = self._image.get_image_dask_data("YX", T=t, C=c, Z=z)
            if plane.shape != out.shape or plane.dtype.newbyteorder("=") != out.dtype:
                raise FormatError(
                    f"{self.path} is {plane.shape} {plane.dtype.name}, the plate's planes are {out.shape} {out.dtype}",
                    path=self.path,
                )
            out[...] = plane.compute(scheduler="synchronous")


def _open(path: str) -> Any:
    with open(path, "rb"):  # whether it is there and may be read is told by the system
        pass
    plugin = PLUGINS.get(suffix_of(path), "")
    try:
        from bioio import BioImage

        reader = import_module(plugin.replace("-", "_")).Reader if plugin else None
    except ImportError as error:
        raise InputError(
            f"{path} is read by {plugin or 'bioio'}, which is not installed ({error}): {how_to_install(path)}",
            path=path,
        ) from None
    with _quiet():
        if reader is None or "chunk_dims" not in inspect.signature(reader.__init__).parameters:
            return BioImage(path, reader=reader)
        # A piece that is read at once is a plane, not a stack.
        return BioImage(path, reader=reader, chunk_dims=["Y", "X"])


def _recorded(image: Any) -> dict[str, Any]:
    """Return what a scene tells beside its shape; what a plugin does not tell is left out."""
    size = image.physical_pixel_sizes
    with _quiet():
        row, column, objective, taken, x, y = (_asked(image.reader, name) for name in FACTS)
    x, y = _number(x), _number(y)
    return {
        "well": _well(row, column),
        "pixel_size_um": (float(size.Y), float(size.X)) if _positive(size.Y) and _positive(size.X) else None,
        "z_step_um": float(size.Z) if _positive(size.Z) else None,
        "position_um": None if x is None or y is None else (x, y),
        "start_time": taken.isoformat() if isinstance(taken, datetime) else None,
        "objective": objective if isinstance(objective, str) else None,
    }


def _asked(reader: Any, name: str) -> Any:
    """Return what a plugin tells of a scene; None where it fails at it: pixels can be read all the same."""
    try:
        return getattr(reader, name, None)
    except Exception:
        return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep plugins from writing of each fact that a file does not have: what is wrong is raised."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e12 else None


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 < value < 1e9


def _well(row: Any, column: Any) -> str | None:
    """Return the well of a row in letters and a column; a row that is a number is counted by nobody knows whom."""
    try:
        return well_name(*parse_well(f"{row}{column}"))
    except InvalidValue:
        return None


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OpenHCSError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise from_oserror(error, doing="read the image", path=path) from error
        why = f"{type(error).__name__}: {' '.join(str(error).split()):.300}"
        raise FormatError(f"{path} is damaged, or not as bioio expects it: {why}", path=path) from error
