"""Say what a folder of images holds: wells, sites, channels, and which planes are missing.

Nothing is written and no pixels are read. Ends with 0 when the plate is recognised, however much of
it is missing.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.text import can_show, count, plate_map, size, table, visible
from openhcs.core.plate import PlaneState

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from openhcs.core.plate import Plane, PlateIndex

MARKS = {"whole": "●", "partly": "◐", "none": "✗", "empty": "·"}
PLAIN_MARKS = {"whole": "#", "partly": "+", "none": "x", "empty": "."}
BITS = {"bool": 8, "complex64": 64, "complex128": 128}


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs scan`` takes."""
    parser.add_argument("path", nargs="+", metavar="PATH", help="plate folder or OME-Zarr plate")
    parser.add_argument(
        "--explain", action="store_true", help="say for every file which plane it is, or why it is none"
    )
    options.add_json(parser, "one JSON object per plate, one a line")
    options.add_wells(parser)
    options.add_plate(parser)


def run(args: Namespace) -> int:
    """Print what each path holds."""
    for number, path in enumerate(args.path):
        index = index_of(path, args)
        if args.json:
            print(json.dumps(as_dict(index), ensure_ascii=False))
        else:
            print("\n" * bool(number) + describe(index, path, explain=args.explain))
    return 0


def index_of(path: str, args: Namespace) -> PlateIndex:
    """Return the index of a plate as the options ask for it."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr
    from openhcs.core.wells import select_wells

    log_to_stderr(args)
    spec, mode = options.wells_from(args)
    plate = existing(path, "plate")
    from openhcs.run.plates import index_plate

    index = index_plate(plate, microscope=options.microscope_from(args), pattern=args.pattern)
    return index if spec is None else index.only(select_wells(index.wells, spec, mode))


def as_dict(index: PlateIndex) -> dict[str, object]:
    """Return a plate as JSON knows it: numbers are counts, sizes are (y, x)."""
    axes = [index.axes(acquisition.number) for acquisition in index.acquisitions]
    return {
        "microscope": index.microscope,
        "name": index.name,
        "rows": len(index.rows),
        "columns": len(index.columns),
        "wells": list(index.wells),
        "sites": len({plane.site for plane in index.planes}),
        "channels": [channel.name for channel in index.channels],
        "z": max((len(zs) for _, _, zs in axes), default=0),
        "t": max((len(ts) for ts, _, _ in axes), default=0),
        "planes": {state.value: index.states[state] for state in PlaneState},
        "dtype": index.dtype,
        "plane_shape": None if index.plane_shape is None else list(index.plane_shape),
        "pixel_size_um": None if index.pixel_size_um is None else list(index.pixel_size_um),
        "bytes": raw_bytes(index),
        "unmatched": [{"path": file.path, "reason": file.reason} for file in index.unmatched],
    }


def raw_bytes(index: PlateIndex) -> int:
    """Return the bytes of all present pixels, uncompressed."""
    if index.plane_shape is None or index.dtype is None:
        return 0
    bits = BITS.get(index.dtype) or int("".join(filter(str.isdigit, index.dtype)))
    return index.states[PlaneState.PRESENT] * math.prod(index.plane_shape) * bits // 8


def describe(index: PlateIndex, path: str, *, explain: bool = False) -> str:
    """Return a plate as text for people."""
    parts = [table(facts(index)), "", *_map(index)]
    parts += [visible(f"warning: {text}") for text in index.warnings]
    if explain:
        parts += ["", *map(visible, _files(index))]
    elif index.unmatched:
        parts.append(
            f"{count(len(index.unmatched), 'file')} no plane: openhcs scan {shlex.quote(path)} --explain says why"
        )
    parts += ["", *_next(index, path)]
    return "\n".join(parts)


def facts(index: PlateIndex) -> list[tuple[str, str]]:
    """Return names and values that people want to know of a plate."""
    facts = as_dict(index)
    present = {state.value: number for state, number in index.states.items() if number}
    states = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in present.items())
    channels = ", ".join(f"{channel.number} {visible(channel.name)}" for channel in index.channels)
    rows = [
        ("plate", visible(index.name)),
        ("microscope", visible(index.microscope + (f": {index.why}" if index.why else ""))),
        ("wells", f"{len(index.wells)} of {facts['rows']} × {facts['columns']}"),
        ("sites", str(facts["sites"])),
        ("channels", f"{len(index.channels)}: {channels}"),
        ("z, t", f"{facts['z']}, {facts['t']}"),
        ("planes", states or "none"),
        ("pixels", _pixels(index)),
        ("size", f"{size(raw_bytes(index))} of pixels"),
    ]
    if len(index.acquisitions) > 1:
        rows.insert(6, ("passes", ", ".join(acquisition.name for acquisition in index.acquisitions)))
    return rows


def _pixels(index: PlateIndex) -> str:
    if index.dtype is None or index.plane_shape is None:
        return "unknown: no plane is present"
    y, x = index.plane_shape
    spacing = "pixel size not recorded" if index.pixel_size_um is None else f"{index.pixel_size_um[1]:.4g} µm per pixel"
    depth = "" if index.z_step_um is None else f", {index.z_step_um:.4g} µm between z planes"
    return f"{index.dtype}, {y} × {x} (y × x), {spacing}{depth}"


def _map(index: PlateIndex) -> list[str]:
    marks = MARKS if can_show(sys.stdout, "".join(MARKS.values())) else PLAIN_MARKS
    of_wells = {well: marks[_mark(planes)] for well, planes in index.by_well.items()}
    lines = plate_map((len(index.rows), len(index.columns)), index.rows, of_wells, empty=marks["empty"])
    words = {"whole": "all planes there", "partly": "some missing", "none": "all missing"}
    used = [f"{marks[name]} {word}" for name, word in words.items() if marks[name] in of_wells.values()]
    return [*lines, "  ".join(used)]


def _mark(planes: tuple[Plane, ...]) -> str:
    here = sum(plane.state in {PlaneState.PRESENT, PlaneState.NOT_ACQUIRED} for plane in planes)
    if here == len(planes):
        return "whole"
    return "partly" if any(plane.state is PlaneState.PRESENT for plane in planes) else "none"


def _files(index: PlateIndex) -> Iterator[str]:
    for plane in index.planes:
        where = "–" if plane.source is None else plane.source.path
        yield f"{where}  {plane.name}" + ("" if plane.state is PlaneState.PRESENT else f"  {plane.state.value}")
    for file in index.unmatched:
        yield f"{file.path}  no plane: {file.reason}"


def _next(index: PlateIndex, path: str) -> list[str]:
    lost = index.states[PlaneState.MISSING] + index.states[PlaneState.NOT_RECORDED]
    flag = " --missing fill" if lost else ""
    lines = [f"next: openhcs convert {shlex.quote(path)} {shlex.quote(f'{index.name}.zarr')}{flag}"]
    if lost:
        lines.append(f"      ({count(lost, 'plane')} should be there and not; --missing skip leaves those sites out)")
    return lines
