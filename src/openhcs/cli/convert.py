"""Write a plate as OME-Zarr: every well, once, whole or not at all.

DST ending in .zarr is the store itself, DST ending in .ozx the store in one file; any other DST is an
output folder that holds images.zarr. An OME-Zarr plate is carried over with its levels, labels and
unknown keys. The same command again goes on with what is not done yet.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from openhcs.cli import options

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs convert`` takes."""
    parser.add_argument("source", metavar="SRC", help="plate folder, OME-Zarr plate or .ozx file")
    parser.add_argument("target", metavar="DST", help="plate.zarr, plate.ozx, or a folder")
    options.add_json(parser, "print the outcome as one JSON object")
    options.add_wells(parser)
    options.add_store(parser)
    options.add_work(parser)
    options.add_plate(parser)
    options.add_events(parser)


def run(args: Namespace) -> int:
    """Convert one plate."""
    from openhcs.cli.outcome import finish
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import watching

    source = existing(args.source, "plate")
    wells, mode = options.wells_from(args)
    config = options.config_from(args)
    with watching(args) as watch:
        from openhcs.run.convert import convert

        result = convert(
            source,
            args.target,
            wells=wells,
            wells_mode=mode,
            exist=args.exist,
            config=config,
            pattern=args.pattern,
            on_event=watch.on_event,
            stop=watch.stop,
        )
    whole = args.target.endswith((".zarr", ".ozx"))
    stored = args.target if whole else os.path.join(args.target, config.zarr.store_name)
    return finish(args, result, watch, stored=stored, next_line=f"openhcs info {shlex.quote(stored)}")
