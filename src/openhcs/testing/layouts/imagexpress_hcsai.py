"""ImageXpress HCS.ai as MetaXpress Acquire writes it: a document, a table of images, all numbers from 0."""

from __future__ import annotations

import csv
import json
import uuid
from typing import TYPE_CHECKING, Any

from openhcs.core.wells import parse_well, plate_shape, row_name
from openhcs.testing.layouts.imagexpress import START, taken
from openhcs.testing.scene import PIXEL_UM, WAVELENGTHS, Z_STEP_UM

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.testing.scene import Place, Scene, Wanted

PROTOCOL = "scan"
COLUMNS = (
    "FovUuid", "Well", "Row", "Column", "Field", "Wavelength", "Timepoint", "ZIndex", "ImageStartXPx", "ImageStartYPx",
    "ImageSizeXPx", "ImageSizeYPx", "ImageSubFolderPath", "ImageFileName", "TimeStampSec", "ExposureTimeMs",
    "ExcitationEmissionFilter", "PositionXUm", "PositionYUm", "PositionZUm", "FieldOffsetPointX", "FieldOffsetPointY",
    "Annotations",
)  # fmt: skip


def write(plate: Wanted, scene: Scene, root: Path) -> None:
    """Write the plate's files: the table names also those that are left out."""
    unit = root / "experiment"
    unit.mkdir(parents=True, exist_ok=True)
    (root / f"{PROTOCOL}.mxprotocol").write_text("{}", encoding="utf-8")
    (root / "autofocus").mkdir(exist_ok=True)
    (unit / f"{plate.name}.jdce").write_text(
        json.dumps(_document(plate), ensure_ascii=False, indent=4), encoding="utf-8"
    )
    with open(unit / "image_metadata_1.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for place in plate.planes():
            row = _row(plate, place)
            scene.save(unit / row["ImageSubFolderPath"] / row["ImageFileName"], place)
            table.writerow(row)


def _row(plate: Wanted, place: Place) -> dict[str, Any]:
    well, site, channel, z, t = place
    row, column = parse_well(well)
    x, y = plate.position(well, site)
    centre_x, centre_y = plate.position(well, 1)
    height, width = plate.size
    numbers = f"t{t - 1}_{well}_s{site - 1}_w{channel - 1}_z{z - 1}"
    return {
        "FovUuid": uuid.uuid5(uuid.NAMESPACE_OID, f"{plate.seed} {well} {site}"),
        "Well": f"{row_name(row)} - {column + 1}",
        "Row": row + 1,
        "Column": column + 1,
        "Field": site - 1,
        "Wavelength": channel - 1,
        "Timepoint": t - 1,
        "ZIndex": z - 1,
        "ImageStartXPx": 0,
        "ImageStartYPx": 0,
        "ImageSizeXPx": width,
        "ImageSizeYPx": height,
        "ImageSubFolderPath": f"timepoint{t - 1}",
        "ImageFileName": f"{PROTOCOL}_{numbers}.tif",
        "TimeStampSec": taken(plate, place).timestamp(),
        "ExposureTimeMs": 100,
        "ExcitationEmissionFilter": plate.channels[channel - 1],
        "PositionXUm": x,
        "PositionYUm": y,
        "PositionZUm": 1000 + z * Z_STEP_UM,
        "FieldOffsetPointX": round(x - centre_x, 3),
        "FieldOffsetPointY": round(y - centre_y, 3),
        "Annotations": "",
    }


def _document(plate: Wanted) -> dict[str, Any]:
    rows, columns = plate_shape(plate.wells)
    height, width = plate.size
    stack = plate.z > 1
    protocol = {
        "Camera": {"Size": {"Width": width, "Height": height}, "Binning": "1 X 1"},
        "ObjectiveCalibration": {
            "Unit": "µm",
            "ObjectiveName": "10X Made Up",
            "PixelWidth": PIXEL_UM,
            "PixelHeight": PIXEL_UM,
        },
        "Plate": {"Name": "Made up µ-Plate", "Rows": rows, "Columns": columns},
        "Wavelengths": [_wavelength(plate, number, name) for number, name in enumerate(plate.channels)],
        "PlateMap": {
            "ZDimensionParameters": {
                "Enabled": stack,
                "Step": Z_STEP_UM if stack else 0.0,
                "NumberOfSlices": plate.z,
                "Variable": False,
            },
            "TimeSchedule": {
                "Enabled": plate.t > 1,
                "NumberOfTimepoints": plate.t,
                "Times": [{"Ms": number} for number in range(plate.t)],
                "Variable": False,
            },
        },
        "CollectionComplete": True,
    }
    return {
        "Version": "1.1",
        "ImageStack": {
            "PlateId": plate.name,
            "Uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{plate.seed} {plate.name}")),
            "Application": {"Name": "MetaXpress Acquire", "SoftwareLabel": "2025.2"},
            "Creation": {"Date": f"{START:%Y-%m-%d}", "Time": f"{START:%H:%M:%S}", "TimeZoneOffset": "0"},
            "ImageFormat": "TIFF",
            "AutoLeadAcquisitionProtocol": protocol,
            "SpecimenHolder": {"Type": "plate", "Label": "Made up µ-Plate", "Barcode": f"B{plate.seed}"},
            "ImageMetadataFiles": ["image_metadata_1.csv"],
        },
    }


def _wavelength(plate: Wanted, number: int, name: str) -> dict[str, Any]:
    excitation, emission = WAVELENGTHS.get(name, (0, 0))
    return {
        "Index": number,
        "ImagingMode": "3-D" if plate.z > 1 else "2-D",
        "ZSlice": plate.z,
        "ZStep": Z_STEP_UM if plate.z > 1 else 0.0,
        "EmissionFilter": {"Name": name, "Wavelength": emission, "Unit": "nm"},
        "ExcitationFilter": {"Name": name, "Wavelength": excitation, "Unit": "nm"},
    }
