"""Make a small plate and run a pipeline on it: ImageXpress layout, 12 bits, a few planes missing,
one well without cells.

DIR gets the plate, the pipeline file and the output. The pipeline file is yours to change.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from openhcs.cli import options, work
from openhcs.errors import OutputExists

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.io.fsops import FileOps

PLATE, PIPELINE, OUTPUT = "plate", "pipeline.py", "output"
UNFINISHED = ".openhcs-tmp-demo"


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs demo`` takes."""
    parser.add_argument("dir", nargs="?", default="demo", metavar="DIR", help="folder to make (default: ./demo)")
    options.add_json(parser, "print the outcome as one JSON object")
    work.add_pipeline(parser)
    options.add_events(parser)


def run(args: Namespace) -> int:
    """Make what is not there yet, run, and say what to type next."""
    from openhcs.cli.run import run_plate

    plate, pipeline = make(args.dir, quiet=getattr(args, "quiet", False))
    args.pipeline = pipeline
    steps, config = work.load(args)
    output = os.path.join(args.dir, OUTPUT)
    code = run_plate(args, plate, steps, config, output=output)
    if code == 0 and not args.json:
        print(guide(plate, pipeline, args.dir))
    return code


def make(folder: str, *, quiet: bool) -> tuple[str, str]:
    """Make the demo's plate and pipeline file, unless they are there; return their paths.

    Raises
    ------
    OutputExists
        the folder holds something else.
    """
    from openhcs.io.fsops import FileOps

    plate, pipeline = os.path.join(folder, PLATE), os.path.join(folder, PIPELINE)
    there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    if there - {UNFINISHED} and PLATE not in there:
        raise OutputExists(f"{folder} holds other things. Name another folder: openhcs demo DIR", path=folder)
    ops = FileOps()
    ops.make_dirs(folder)
    if PLATE not in there:
        if not quiet:
            print(f"making a plate in {plate}", file=sys.stderr)
        _make_plate(os.path.join(folder, UNFINISHED), plate, ops)
    if PIPELINE not in there:
        ops.create(pipeline, _pipeline_text())
    return plate, pipeline


def _make_plate(unfinished: str, plate: str, ops: FileOps) -> None:
    from openhcs.testing.synthetic import make_plate

    if os.path.isdir(unfinished):
        ops.remove_tree(unfinished)
    ops.make_dirs(unfinished)
    wells = [f"{row}{column:02d}" for row in "BC" for column in range(2, 5)]
    made = make_plate(
        os.path.join(unfinished, PLATE),
        wells=wells,
        sites=2,
        channels=("DAPI", "FITC"),
        z=3,
        size=(540, 540),
        missing=3,
        empty_wells=(wells[-1],),
    )
    ops.rename(made, plate)
    ops.remove_dir(unfinished)


def _pipeline_text() -> bytes:
    from importlib.resources import files

    return (files("openhcs.cli") / "demo_pipeline.py").read_bytes()


def guide(plate: str, pipeline: str, folder: str) -> str:
    """Return what to type next."""
    lines = [
        ("openhcs", "scan", plate),
        ("openhcs", "plan", pipeline, plate, "-o", os.path.join(folder, OUTPUT)),
        ("openhcs", "status", os.path.join(folder, OUTPUT)),
        ("openhcs", "convert", plate, os.path.join(folder, "raw.zarr"), "--missing", "fill"),
    ]
    return "\n".join(f"      {shlex.join(line)}" for line in lines)
