"""What an OME-XML document tells: plates, images, and which page of which file each plane is.

Indices count from 0, as in the documents. Lengths are in µm, wavelengths in nm, times in s; None is
not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


TYPES = {
    "bit": "bool", "int8": "int8", "int16": "int16", "int32": "int32", "uint8": "uint8", "uint16": "uint16",
    "uint32": "uint32", "float": "float32", "double": "float64", "complex": "complex64",
    "double-complex": "complex128",
}  # fmt: skip
"""numpy's names of the pixel types of the OME schema."""


@dataclass(frozen=True, slots=True)
class OmeBlock:
    """One ``TiffData``: pages of a file from ``ifd`` on, which are planes from (z, c, t) on, all from 0.

    ``ifd`` and ``count`` are None where not written; ``file`` and ``uuid`` are empty where the document's
    own file is meant.
    """

    ifd: int | None
    count: int | None
    z: int
    c: int
    t: int
    file: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class OmePlane:
    """What is told of one plane: seconds, and µm on the stage."""

    z: int
    c: int
    t: int
    delta_s: float | None = None
    exposure_s: float | None = None
    x: float | None = None
    y: float | None = None
    height: float | None = None


@dataclass(slots=True)
class OmeChannel:
    """One channel of an image; ``color`` is six hexadecimal digits, ``binning`` (y, x)."""

    name: str = ""
    samples: int = 1
    excitation_nm: float | None = None
    emission_nm: float | None = None
    color: str | None = None
    kind: str | None = None
    binning: tuple[int, int] | None = None


@dataclass(slots=True, kw_only=True)
class OmeImage:
    """One image: its sizes, what is told of its channels and planes, and where its pages are.

    ``sizes`` are those of z, c and t; ``pixel_um`` is (y, x), ``stage_um`` the (x, y) of its stage label.
    """

    id: str
    name: str = ""
    acquired: str | None = None
    stage: str = ""
    stage_um: tuple[float, float] | None = None
    objective: str = ""
    order: str = "XYCZT"
    type: str = ""
    shape: tuple[int, int] = (0, 0)
    sizes: tuple[int, int, int] = (1, 1, 1)
    pixel_um: tuple[float, float] | None = None
    z_um: float | None = None
    inline: bool = False
    channels: list[OmeChannel] = field(default_factory=list)
    blocks: list[OmeBlock] = field(default_factory=list)
    planes: list[OmePlane] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OmeSample:
    """One well sample: the image it refers to, or an empty text, and its (x, y) in µm."""

    id: str
    row: int
    column: int
    index: int | None
    image: str
    position_um: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class OmeRun:
    """One plate acquisition and the samples it refers to."""

    id: str
    name: str
    start_time: str | None
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OmePlate:
    """One plate; ``rows`` and ``columns`` are None where not told."""

    id: str
    name: str
    barcode: str | None
    rows: int | None
    columns: int | None
    naming: tuple[str, str]
    samples: tuple[OmeSample, ...]
    runs: tuple[OmeRun, ...]


@dataclass(frozen=True, slots=True)
class OmeObjective:
    """One objective: its model, nominal magnification and numerical aperture."""

    model: str | None
    magnification: float | None
    aperture: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OmeDocument:
    """A whole document. ``points_to`` is the file that holds the metadata where this one has none."""

    uuid: str
    points_to: str
    instrument: str | None
    plates: tuple[OmePlate, ...]
    images: tuple[OmeImage, ...]
    objectives: Mapping[str, OmeObjective]
    unitless: int
    """Positions told without a unit, which are taken as µm."""
