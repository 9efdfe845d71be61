"""Say what a folder of images holds: wells, sites, channels, and which planes are missing.

Nothing is written and no pixels are read. Ends with 0 when the plate is recognised, however much of
it is missing.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.exits import code_for
from openhcs.cli.text import can_show, count, plate_map, size, table, visible
from openhcs.core.plate import PlaneState
from openhcs.errors import InputError, SeveralPlates
from openhcs.ngff.facts import TOLD

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from openhcs.core.plate import Plane, PlateIndex, Unmatched

MARKS = {"whole": "●", "partly": "◐", "none": "✗", "empty": "·"}
PLAIN_MARKS = {"whole": "#", "partly": "+", "none": "x", "empty": "."}
LOST = (PlaneState.MISSING, PlaneState.NOT_RECORDED)
MOST_LISTED = 1000
"""Planes named in JSON of those that are not there; their numbers by state are whole."""
EXAMPLES = 3
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
    shown = Shown()
    for path in args.path:
        _show(path, args, shown)
    return shown.code


@dataclass(slots=True)
class Shown:
    """What was printed so far: the number of plates, and how the worst of them ends the command."""

    plates: int = 0
    code: int = 0


def _show(path: str, args: Namespace, shown: Shown) -> None:
    """Print a plate, or each of several below a folder; one of these that cannot be read does not hide the others."""
    try:
        index = index_of(path, args)
    except SeveralPlates as error:
        if not error.places or not all(error.places):
            raise
        if not args.json:
            print(f"{path} holds {len(error.places)} plates: {', '.join(error.places)}\n")
        for place in error.places:
            try:
                _show(f"{path.rstrip('/')}/{place}", args, shown)
            except InputError as inner:
                print(f"{path.rstrip('/')}/{place}: {inner}", file=sys.stderr)
                shown.code = code_for(inner)
        return
    if args.json:
        print(json.dumps(as_dict(index), ensure_ascii=False))
    else:
        print("\n" * bool(shown.plates) + describe(index, path, explain=args.explain))
    shown.plates += 1


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
    sites, depth, times = _extent(index)
    lost = [plane for plane in index.planes if plane.state in LOST]
    return {
        "microscope": index.microscope,
        "why": index.why,
        "name": index.name,
        "path": index.root,
        **{name: getattr(index, name) for name in TOLD},
        "rows": len(index.rows),
        "columns": len(index.columns),
        "wells": list(index.wells),
        "sites": sites,
        "channels": [channel.name for channel in index.channels],
        "acquisitions": [acquisition.name for acquisition in index.acquisitions],
        "z": depth,
        "t": times,
        "planes": {state.value: index.states[state] for state in PlaneState},
        "absent": [{"plane": plane.name, "state": plane.state.value} for plane in lost[:MOST_LISTED]],
        "dtype": index.dtype,
        "plane_shape": None if index.plane_shape is None else list(index.plane_shape),
        "pixel_size_um": None if index.pixel_size_um is None else list(index.pixel_size_um),
        "z_step_um": index.z_step_um,
        "bytes": raw_bytes(index),
        "documents": list(index.metadata_files),
        "flat_fields": sorted(index.flat_fields),
        "warnings": list(index.warnings),
        "unmatched": [{"path": file.path, "reason": file.reason} for file in index.unmatched],
    }


def _extent(index: PlateIndex) -> tuple[int, int, int]:
    """Return how many sites, z planes and time points there are at most."""
    axes = [index.axes(acquisition.number) for acquisition in index.acquisitions]
    depth = max((len(zs) for _, _, zs in axes), default=0)
    return len({plane.site for plane in index.planes}), depth, max((len(ts) for ts, _, _ in axes), default=0)


def raw_bytes(index: PlateIndex) -> int:
    """Return the bytes of all present pixels, uncompressed."""
    if index.plane_shape is None or index.dtype is None:
        return 0
    bits = BITS.get(index.dtype) or int("".join(filter(str.isdigit, index.dtype)))
    return index.states[PlaneState.PRESENT] * math.prod(index.plane_shape) * bits // 8


def describe(index: PlateIndex, path: str, *, explain: bool = False) -> str:
    """Return a plate as text for people."""
    parts = [table(facts(index)), "", *_map(index), *map(visible, _absent(index))]
    parts += [visible(f"warning: {text}") for text in index.warnings]
    if explain:
        parts += ["", *map(visible, _files(index))]
    elif index.unmatched:
        parts += map(visible, _unmatched(index, path))
    parts += ["", *_next(index, path)]
    return "\n".join(parts)


def facts(index: PlateIndex) -> list[tuple[str, str]]:
    """Return names and values that people want to know of a plate."""
    sites, depth, times = _extent(index)
    present = {state.value: number for state, number in index.states.items() if number}
    states = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in present.items())
    channels = ", ".join(f"{channel.number} {visible(channel.name)}" for channel in index.channels)
    rows = [
        ("plate", visible(index.name)),
        *((name.replace("_", " "), visible(told)) for name in TOLD if (told := getattr(index, name))),
        ("microscope", visible(index.microscope + (f": {index.why}" if index.why else ""))),
        ("wells", f"{len(index.wells)} of {len(index.rows)} × {len(index.columns)}"),
        ("sites", str(sites)),
        ("channels", f"{len(index.channels)}: {channels}"),
        ("z, t", f"{depth}, {times}"),
        ("planes", states or "none"),
        ("pixels", _pixels(index)),
        ("size", f"{size(raw_bytes(index))} of pixels"),
    ]
    if len(index.acquisitions) > 1:
        rows.insert(-3, ("passes", ", ".join(acquisition.name for acquisition in index.acquisitions)))
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


def _absent(index: PlateIndex) -> Iterator[str]:
    """Yield how many planes of each state are not there, with the first of them and where they belong."""
    for state in LOST:
        planes = [plane for plane in index.planes if plane.state is state]
        if planes:
            shown = ", ".join(plane.source.path if plane.source else plane.name for plane in planes[:EXAMPLES])
            wells = len({plane.well for plane in planes})
            what = (
                "a document names them and they are not there"
                if state is PlaneState.MISSING
                else "promised, never told"
            )
            yield (
                f"{state.value.replace('_', ' ')}: {count(len(planes), 'plane')} in {count(wells, 'well')} ({what}), "
                f"such as {shown}"
            )


def _unmatched(index: PlateIndex, path: str) -> Iterator[str]:
    """Yield how many files are no plane, by reason, the most common first."""
    alike: dict[str, list[Unmatched]] = {}
    for one in index.unmatched:
        alike.setdefault(_general(one.reason), []).append(one)
    groups = sorted(alike.values(), key=len, reverse=True)
    yield f"{count(len(index.unmatched), 'file')} no plane (openhcs scan {shlex.quote(path)} --explain names each):"
    for group in groups[:EXAMPLES]:
        yield f"  {len(group):,} such as {group[0].path}: {group[0].reason}"
    if len(groups) > EXAMPLES:
        yield f"  and {sum(map(len, groups[EXAMPLES:])):,} for other reasons"


def _general(reason: str) -> str:
    """Return a reason without what differs from file to file: numbers, and names with a dot in them."""
    return " ".join("*" if "." in word or any(map(str.isdigit, word)) else word for word in reason.split())


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
