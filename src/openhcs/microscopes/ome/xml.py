"""OME-XML, streamed: plates, images, and which page of which file each plane is.

Elements and attributes are matched by their local name, so every schema from 2011-06 to 2016-06 reads
the same. Lengths come in µm, wavelengths in nm, times in s, whatever unit they were written in.
Annotations, regions and pixels within the XML are passed over.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.microscopes.ome.model import (
    OmeBlock,
    OmeChannel,
    OmeDocument,
    OmeImage,
    OmeObjective,
    OmePlane,
    OmePlate,
    OmeRun,
    OmeSample,
)
from openhcs.microscopes.ome.units import MICROMETRES, SECONDS, converted
from openhcs.microscopes.xml_reader import parse_xml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "OME"
MOST_RECORDS = 1_000_000
"""Records of one document that are kept: planes, blocks, images, wells and their samples together."""
MAX_ROWS, MAX_COLUMNS, MAX_CHANNELS, MAX_SIZE, MAX_NUMBER = 99, 999, 10_000, 10**6, 2**31 - 1
ORDERS = ("XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC")
_PASSED = frozenset(("OME/Instrument",))
_DECLARATION = re.compile(rb"\s*<\?xml[^>]{0,200}\?>")
_BINNING = re.compile(r"([0-9]{1,2})\s?x\s?([0-9]{1,2})")


class _OtherDocument(Exception):
    """The document is XML and no OME-XML."""


def parse_ome(data: bytes, path: str) -> OmeDocument | None:
    """Return what a document says, or None when it is XML and none of OME's.

    Raises
    ------
    FormatError
        it is no XML, is cut short, nests too deep, declares entities, is too long, or a number is none.
    """
    reader = _Reader(path)
    # The description of a TIFF is UTF-8 whatever its declaration says, and often ends in zeros.
    plain = data.rstrip(b"\0 \r\n\t")
    try:
        parse_xml(plain, path, reader.start, reader.end, reader.text)
    except _OtherDocument:
        return None
    return reader.done()


def parse_description(text: str, path: str) -> OmeDocument | None:
    """Return what the description of a TIFF says, or None when it is no OME-XML; errors as `parse_ome`."""
    if not is_ome(text):
        return None
    return parse_ome(_DECLARATION.sub(b"", text.encode("utf-8", "replace"), count=1).lstrip(), path)


def is_ome(description: str) -> bool:
    """Return whether the description of a TIFF looks like OME-XML, whole or not.

    >>> is_ome('<?xml version="1.0"?><OME xmlns="x"/>'), is_ome("ImageJ=1.53")
    (True, False)
    """
    head = description[:4096].lstrip("\ufeff \r\n\t")
    return head.startswith("<") and re.search(r"<(?:[\w.-]{1,40}:)?OME[\s/>]", head) is not None


class _Reader:
    """Collects records while the document is walked."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.above: list[str] = []
        """Places of the open elements; empty for those of which nothing is kept."""
        self.parts: list[str] | None = None
        self.kept = self.unitless = 0
        self.uuid = self.points_to = ""
        self.instrument: str | None = None
        self.objectives: dict[str, OmeObjective] = {}
        self.images: list[OmeImage] = []
        self.plates: list[OmePlate] = []
        self.plate: dict[str, str] = {}
        self.samples: list[OmeSample] = []
        self.runs: list[OmeRun] = []
        self.run: tuple[dict[str, str], list[str]] = ({}, [])
        self.well = (0, 0)
        self.sample: dict[str, str] = {}
        self.image_ref = ""
        self.block: dict[str, str] = {}
        self.block_file = ""
        self.opened = {
            "OME/BinaryOnly": self._binary_only,
            "OME/Instrument/Microscope": self._microscope,
            "OME/Instrument/Objective": self._objective,
            "OME/Plate": self._plate,
            "OME/Plate/Well": self._well,
            "OME/Plate/Well/WellSample": self._sample,
            "OME/Plate/Well/WellSample/ImageRef": self._image_ref,
            "OME/Plate/PlateAcquisition": self._run,
            "OME/Plate/PlateAcquisition/WellSampleRef": self._sample_ref,
            "OME/Image": self._image,
            "OME/Image/AcquisitionDate": self._with_text,
            "OME/Image/AcquiredDate": self._with_text,
            "OME/Image/StageLabel": self._stage,
            "OME/Image/ObjectiveSettings": self._objective_ref,
            "OME/Image/Pixels": self._pixels,
            "OME/Image/Pixels/Channel": self._channel,
            "OME/Image/Pixels/Channel/DetectorSettings": self._detector,
            "OME/Image/Pixels/BinData": self._inline,
            "OME/Image/Pixels/TiffData": self._block,
            "OME/Image/Pixels/TiffData/UUID": self._block_uuid,
            "OME/Image/Pixels/Plane": self._plane,
        }
        self.closed = {
            "OME/Plate": self._plate_done,
            "OME/Plate/Well/WellSample": self._sample_done,
            "OME/Plate/PlateAcquisition": self._run_done,
            "OME/Image/AcquisitionDate": self._date_done,
            "OME/Image/AcquiredDate": self._date_done,
            "OME/Image/Pixels/TiffData": self._block_done,
            "OME/Image/Pixels/TiffData/UUID": self._uuid_done,
        }

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.above:
            if name != ROOT:
                raise _OtherDocument
            self.uuid = plain_uuid(attributes.get("UUID", ""))
            self.above.append(name)
            return
        here = f"{self.above[-1]}/{name}" if self.above[-1] else ""
        handler = self.opened.get(here)
        if handler is not None:
            handler(attributes)
        self.above.append(here if handler is not None or here in _PASSED else "")

    def end(self, _: str) -> None:
        handler = self.closed.get(self.above.pop())
        if handler is not None:
            handler()

    def text(self, text: str) -> None:
        if self.parts is not None:
            self.parts.append(text)

    def done(self) -> OmeDocument:
        return OmeDocument(
            uuid=self.uuid,
            points_to=self.points_to,
            instrument=self.instrument,
            plates=tuple(self.plates),
            images=tuple(self.images),
            objectives=self.objectives,
            unitless=self.unitless,
        )

    def _keep(self) -> None:
        self.kept += 1
        if self.kept > MOST_RECORDS:
            raise self._wrong(f"it holds more than {MOST_RECORDS} images, planes and wells, which no plate needs")

    def _wrong(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: {what}", path=self.path)

    def _with_text(self, _: dict[str, str]) -> None:
        self.parts = []

    def _read_text(self) -> str:
        text, self.parts = "".join(self.parts or ()).strip(), None
        return text

    def _binary_only(self, told: dict[str, str]) -> None:
        self.points_to = told.get("MetadataFile", "").strip()

    def _microscope(self, told: dict[str, str]) -> None:
        words = (told.get(name, "").strip() for name in ("Manufacturer", "Model"))
        self.instrument = self.instrument or " ".join(word for word in words if word) or None

    def _objective(self, told: dict[str, str]) -> None:
        self._keep()
        what = f"objective {told.get('ID', '')}"
        powers = [self._above_zero(told, name, what) for name in ("NominalMagnification", "CalibratedMagnification")]
        model = told.get("Model", "").strip() or None
        self.objectives[told.get("ID", "")] = OmeObjective(
            model, powers[0] or powers[1], self._above_zero(told, "LensNA", what)
        )

    def _plate(self, told: dict[str, str]) -> None:
        self._keep()
        self.plate, self.samples, self.runs = told, [], []

    def _plate_done(self) -> None:
        told = self.plate
        what = f"plate {told.get('ID', '')}"
        rows, columns = (
            self._whole(told, name, what, high=high) if told.get(name) else 0
            for name, high in (("Rows", MAX_ROWS), ("Columns", MAX_COLUMNS))
        )
        naming = (told.get("RowNamingConvention", "letter"), told.get("ColumnNamingConvention", "number"))
        self.plates.append(
            OmePlate(
                id=told.get("ID", ""),
                name=told.get("Name", "").strip(),
                barcode=told.get("ExternalIdentifier", "").strip() or None,
                rows=rows or None,
                columns=columns or None,
                naming=naming,
                samples=tuple(self.samples),
                runs=tuple(self.runs),
            )
        )

    def _well(self, told: dict[str, str]) -> None:
        self._keep()
        what = f"well {told.get('ID', '')}"
        self.well = (
            self._whole(told, "Row", what, high=MAX_ROWS - 1),
            self._whole(told, "Column", what, high=MAX_COLUMNS - 1),
        )

    def _sample(self, told: dict[str, str]) -> None:
        self._keep()
        self.sample, self.image_ref = told, ""

    def _image_ref(self, told: dict[str, str]) -> None:
        self.image_ref = told.get("ID", "")

    def _sample_done(self) -> None:
        told = self.sample
        what = f"well sample {told.get('ID', '')}"
        index = self._whole(told, "Index", what) if told.get("Index") else None
        x, y = (self._length(told, f"Position{axis}", what) for axis in "XY")
        position = None if x is None or y is None else (x, y)
        self.samples.append(OmeSample(told.get("ID", ""), *self.well, index, self.image_ref, position))

    def _run(self, told: dict[str, str]) -> None:
        self._keep()
        self.run = (told, [])

    def _sample_ref(self, told: dict[str, str]) -> None:
        self._keep()
        self.run[1].append(told.get("ID", ""))

    def _run_done(self) -> None:
        told, samples = self.run
        start = told.get("StartTime", "").strip() or None
        self.runs.append(OmeRun(told.get("ID", ""), told.get("Name", "").strip(), start, tuple(samples)))

    def _image(self, told: dict[str, str]) -> None:
        self._keep()
        self.images.append(OmeImage(id=told.get("ID", ""), name=told.get("Name", "").strip()))

    def _date_done(self) -> None:
        self.images[-1].acquired = self._read_text() or None

    def _stage(self, told: dict[str, str]) -> None:
        image = self.images[-1]
        image.stage = told.get("Name", "").strip()
        x, y = (self._length(told, axis, f"stage label of image {image.id}") for axis in "XY")
        image.stage_um = None if x is None or y is None else (x, y)

    def _objective_ref(self, told: dict[str, str]) -> None:
        self.images[-1].objective = told.get("ID", "")

    def _pixels(self, told: dict[str, str]) -> None:
        image = self.images[-1]
        what = f"image {image.id}"
        if image.shape != (0, 0):
            raise self._wrong(f"{what} has Pixels twice")
        order = told.get("DimensionOrder", image.order)
        if order not in ORDERS:
            raise self._wrong(f"{what}: DimensionOrder is {order[:40]!r}, none of {', '.join(ORDERS)}")
        image.order = order
        image.type = told.get("Type", told.get("PixelType", ""))
        image.shape = (self._size(told, "SizeY", what, MAX_NUMBER), self._size(told, "SizeX", what, MAX_NUMBER))
        z, t = (self._size(told, f"Size{axis}", what, MAX_SIZE) for axis in "ZT")
        image.sizes = (z, self._size(told, "SizeC", what, MAX_CHANNELS), t)
        height, width, deep = (self._length(told, f"PhysicalSize{axis}", what, position=False) for axis in "YXZ")
        if height and width and min(height, width) > 0:
            image.pixel_um = (height, width)
        image.z_um = deep if deep and deep > 0 else None

    def _channel(self, told: dict[str, str]) -> None:
        self._keep()
        image = self.images[-1]
        what = f"channel {told.get('ID', len(image.channels))} of image {image.id}"
        kind = (told.get("ContrastMethod") or told.get("IlluminationType") or "").strip().lower()
        excitation, emission = (
            self._length(told, f"{name}Wavelength", what, unit="nm", position=False)
            for name in ("Excitation", "Emission")
        )
        samples = self._size(told, "SamplesPerPixel", what, MAX_SIZE) if told.get("SamplesPerPixel") else 1
        image.channels.append(
            OmeChannel(
                name=told.get("Name", "").strip(),
                samples=samples,
                excitation_nm=excitation or None,
                emission_nm=emission or None,
                color=self._color(told, what),
                kind=kind if kind not in {"", "other"} else None,
            )
        )

    def _detector(self, told: dict[str, str]) -> None:
        match = _BINNING.fullmatch(told.get("Binning", "").strip())
        if match is not None and int(match[1]) and int(match[2]):
            self.images[-1].channels[-1].binning = (int(match[2]), int(match[1]))

    def _inline(self, _: dict[str, str]) -> None:
        self.images[-1].inline = True

    def _block(self, told: dict[str, str]) -> None:
        self._keep()
        self.block, self.block_file = told, ""

    def _block_uuid(self, told: dict[str, str]) -> None:
        self.block_file = told.get("FileName", "").strip()
        self._with_text(told)

    def _uuid_done(self) -> None:
        self.block["UUID"] = plain_uuid(self._read_text())

    def _block_done(self) -> None:
        told = self.block
        image = self.images[-1]
        what = f"TiffData {len(image.blocks) + 1} of image {image.id}"
        count = told.get("PlaneCount", told.get("NumPlanes", ""))
        z, c, t = (self._whole(told, f"First{axis}", what) if told.get(f"First{axis}") else 0 for axis in "ZCT")
        image.blocks.append(
            OmeBlock(
                self._whole(told, "IFD", what) if told.get("IFD") else None,
                self._whole({"PlaneCount": count}, "PlaneCount", what) if count else None,
                *(z, c, t),
                file=self.block_file,
                uuid=told.get("UUID", ""),
            )
        )

    def _plane(self, told: dict[str, str]) -> None:
        self._keep()
        image = self.images[-1]
        what = f"plane {len(image.planes) + 1} of image {image.id}"
        z, c, t = (self._whole(told, f"The{axis}", what) if told.get(f"The{axis}") else 0 for axis in "ZCT")
        delta, exposure = (self._seconds(told, name, what) for name in ("DeltaT", "ExposureTime"))
        x, y, height = (self._length(told, f"Position{axis}", what) for axis in "XYZ")
        image.planes.append(OmePlane(z, c, t, delta, exposure, x, y, height))

    def _color(self, told: Mapping[str, str], what: str) -> str | None:
        """Return the colour of a signed RGBA number; white and nothing are what no one chose."""
        text = told.get("Color", "").strip()
        if not text:
            return None
        if re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) is None:
            raise self._wrong(f"{what}: Color is {text[:40]!r}, not a whole number")
        value = int(text) & 0xFFFFFFFF
        return None if value in {0, 0xFFFFFFFF} else f"{value >> 8:06X}"

    def _size(self, told: Mapping[str, str], name: str, what: str, high: int) -> int:
        return self._whole(told, name, what, low=1, high=high)

    def _whole(self, told: Mapping[str, str], name: str, what: str, *, low: int = 0, high: int = MAX_NUMBER) -> int:
        text = told.get(name, "").strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 10) or not low <= int(text) <= high:
            said = f"is {text[:40]!r}, not a number from {low} to {high}" if text else "is not told"
            raise self._wrong(f"{what}: {name} {said}")
        return int(text)

    def _real(self, told: Mapping[str, str], name: str, what: str) -> float | None:
        text = told.get(name, "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self._wrong(f"{what}: {name} is {text[:40]!r}, not a number") from None
        return value if math.isfinite(value) else None

    def _above_zero(self, told: Mapping[str, str], name: str, what: str) -> float | None:
        value = self._real(told, name, what)
        return value if value and value > 0 else None

    def _length(
        self, told: Mapping[str, str], name: str, what: str, *, unit: str = "µm", position: bool = True
    ) -> float | None:
        value = self._real(told, name, what)
        if value is None:
            return None
        written = told.get(f"{name}Unit")
        self.unitless += position and written is None
        return converted(value, unit if written is None else written, MICROMETRES, to=unit)

    def _seconds(self, told: Mapping[str, str], name: str, what: str) -> float | None:
        value = self._real(told, name, what)
        return None if value is None else converted(value, told.get(f"{name}Unit", "s"), SECONDS, to="s")


def plain_uuid(text: str) -> str:
    """Return a UUID without what comes before it, in lower case."""
    return text.strip().lower().removeprefix("urn:uuid:")
