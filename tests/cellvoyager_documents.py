"""CellVoyager's documents, made up record by record: every kind of gap, error and oddity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from openhcs.core.wells import parse_well
from openhcs.microscopes.yokogawa.names import CvName, format_cv
from openhcs.testing.scene import encode_tiff

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

BTS = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
MLF = "MeasurementData.mlf"


def facts(**told: Any) -> str:
    return "".join(f" bts:{key}={quoteattr(str(value))}" for key, value in told.items() if value is not None)


def image(
    well: str = "A01",
    field: int = 1,
    ch: int = 1,
    z: int = 1,
    time: int = 1,
    timeline: int = 1,
    action: int = 1,
    *,
    file: str | None = None,
    **more: Any,
) -> tuple[str, str]:
    """Return a record of an image, and the name of its file."""
    row, column = parse_well(well)
    name = CvName(
        plate="P1",
        row=row,
        column=column,
        time=time,
        field=field,
        timeline=timeline,
        action=action,
        z=z,
        channel=ch,
    )
    told = {
        "Type": "IMG",
        "Time": f"2025-03-03T13:17:{time:02d}.250+01:00",
        "Column": column + 1,
        "Row": row + 1,
        "TimePoint": time,
        "FieldIndex": field,
        "ZIndex": z,
        "TimelineIndex": timeline,
        "ActionIndex": action,
        "Action": "3D",
        "X": 100.0 * field,
        "Y": 50.0,
        "Z": 2.0 * (z - 1),
        "Ch": ch,
    } | more
    file = format_cv(name) if file is None else file
    return f"<bts:MeasurementRecord{facts(**told)}>{escape(file)}</bts:MeasurementRecord>", file


def error(well: str, why: str, *, field: int | None = None, time: int = 1, timeline: int = 1, **more: Any) -> str:
    """Return a record of a failure."""
    row, column = parse_well(well)
    told = facts(
        Type="ERR",
        Time="2025-03-03T13:18:00.000+01:00",
        Column=column + 1,
        Row=row + 1,
        TimePoint=time,
        FieldIndex=field,
        TimelineIndex=timeline,
        X="-20.0",
        Y="25.0",
        **more,
    )
    return f"<bts:MeasurementRecord{told}>{escape(why)}</bts:MeasurementRecord>"


def mlf(records: Iterable[str]) -> str:
    inside = "\n".join(records)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<bts:MeasurementData bts:Version="1.0" {BTS}>\n{inside}\n</bts:MeasurementData>\n'
    )


def timeline(
    wells: Sequence[str],
    actions: Sequence[Sequence[int]],
    *,
    points: int = 1,
    slices: int = 1,
    processing: str | None = None,
) -> str:
    """Return a timeline of a setting; ``actions`` are the channels of each."""
    places = [parse_well(well) for well in wells]
    targets = "".join(f"<bts:TargetWell{facts(Column=c + 1, Row=r + 1)}>true</bts:TargetWell>" for r, c in places)
    spots = "".join(f"<bts:Point{facts(X=100.0 * field, Y=50.0)} />" for field in range(1, points + 1))
    stack = facts(TopDistance=2 * (slices - 1), BottomDistance=0, SliceLength=2, ImageProcessing=processing)
    taken = "".join(
        f"<bts:ActionAcquire3D{stack}>{''.join(f'<bts:Ch>{ch}</bts:Ch>' for ch in channels)}</bts:ActionAcquire3D>"
        for channels in actions
    )
    return (
        f'<bts:Timeline><bts:WellSequence bts:IsSelected="true">{targets}</bts:WellSequence>'
        f'<bts:PointSequence bts:Method="FixedPosition"><bts:FixedPosition>{spots}</bts:FixedPosition>'
        f"</bts:PointSequence><bts:ActionList>{taken}</bts:ActionList></bts:Timeline>"
    )


def channel(ch: int, target: str, band: str = "BP445/45", light: str = "405nm", **more: Any) -> str:
    told = {
        "Ch": ch,
        "Target": target,
        "Objective": "20x v2",
        "Magnification": 20,
        "Acquisition": band,
        "ExposureTime": 100,
        "Binning": 2,
        "Color": "#FF002FFF",
        "Kind": "ConfocalFluorescence",
    } | more
    lights = f"<bts:LightSourceName>{escape(light)}</bts:LightSourceName>"
    return f"<bts:Channel{facts(**told)}>{lights}</bts:Channel>"


def mes(timelines: Iterable[str], channels: Iterable[str] = ()) -> str:
    lights = "".join(
        f"<bts:LightSource{facts(Name=name, WaveLength=length)} />"
        for name, length in (("405nm", 405), ("488nm", 488), ("Lamp", 0))
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<bts:MeasurementSetting bts:Version="1.0" {BTS}>'
        f"<bts:Timelapse>{''.join(timelines)}</bts:Timelapse>"
        f"<bts:LightSourceList>{lights}</bts:LightSourceList>"
        f"<bts:ChannelList>{''.join(channels)}</bts:ChannelList></bts:MeasurementSetting>"
    )


def mrf(*, channels: str = "", label: str = "P1", **told: Any) -> str:
    head = {"Title": "P1", "BeginTime": "2025-03-03T13:17:00.0000000+01:00", "RowCount": 8, "ColumnCount": 12}
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<bts:MeasurementDetail{facts(**(head | told))} {BTS}>'
        f"<bts:MeasurementSamplePlate{facts(Name=label)} />{channels}</bts:MeasurementDetail>"
    )


def write(
    folder: Path, records: Iterable[tuple[str, str] | str], *, files: bool = True, **documents: str | bytes
) -> Path:
    """Write records, the images they name and documents by suffix; every image is of 4 × 6 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for one in records:
        if isinstance(one, tuple):
            line, file = one
            if files and file:
                put(folder / file.replace("\\", "/"))
        else:
            line = one
        lines.append(line)
    (folder / MLF).write_text(mlf(lines), "utf-8")
    names = {"mrf": "MeasurementDetail.mrf"}
    for suffix, text in documents.items():
        data = text if isinstance(text, bytes) else b"\xef\xbb\xbf" + text.encode()
        (folder / names.get(suffix, f"P1.{suffix}")).write_bytes(data)
    return folder


def put(path: Path) -> None:
    """Write a TIFF whose pixels depend on its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.name.encode())
    pixels = np.random.default_rng(seed).integers(0, 4096, (4, 6), np.uint16)
    path.write_bytes(encode_tiff(pixels))
