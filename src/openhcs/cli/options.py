"""Options that several commands share, and the configuration they make.

An option that is not given changes nothing: what the pipeline file's ``config`` or the default says
stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openhcs.constants.constants import Microscope, WellFilterMode
from openhcs.core.config import INPUTS, MISSING, NGFF_VERSIONS, ON_ERROR, GlobalPipelineConfig
from openhcs.errors import UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXIST = ("auto", "error", "resume", "replace")
CONFIG_FIELDS = {
    "workers": "num_workers",
    "threads": "use_threading",
    "verify": "verify",
    "missing": "missing",
    "on_error": "on_error",
    "inputs": "inputs",
    "timeout": "timeout",
    "dask": "dask",
    "microscope": "microscope",
}
"""Option → field of `GlobalPipelineConfig`."""
ZARR_FIELDS = {"ngff": "ngff_version", "levels": "levels"}
"""Option → field of `ZarrConfig`."""


def add_json(parser: ArgumentParser, line: str) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=line)


def add_output(parser: ArgumentParser) -> None:
    """Add the output that a command looks after."""
    parser.add_argument("output", metavar="OUT", help="output folder of run or convert, or a converted .zarr")


def add_plate(parser: ArgumentParser) -> None:
    """Add how a plate folder is read."""
    names = ", ".join(kind.value for kind in Microscope)
    parser.add_argument("--microscope", metavar="NAME", help=f"the folder's layout: {names} (default: find out)")
    parser.add_argument(
        "--pattern",
        help="file names of a plain folder, such as '{well}_s{site}_w{channel}_z{z}_t{t}.tif'",
    )


def add_wells(parser: ArgumentParser) -> None:
    """Add the well filter."""
    parser.add_argument(
        "--wells", metavar="SPEC", help="A01 or A01,B03 or A01:B06 or row:A or col:01-06 or 12 (the first 12)"
    )
    parser.add_argument("--exclude", action="store_true", help="leave the wells of --wells out instead")


def add_store(parser: ArgumentParser) -> None:
    """Add how the result is stored."""
    parser.add_argument(
        "--ngff", choices=NGFF_VERSIONS, help="OME-Zarr version: 0.5 and 0.6 are Zarr v3, 0.4 is Zarr v2 (default: 0.5)"
    )
    parser.add_argument("--levels", type=int, metavar="N", help="resolution levels (default: down to about 256 pixels)")


def add_work(parser: ArgumentParser) -> None:
    """Add how the work is done."""
    parser.add_argument(
        "--exist",
        choices=EXIST,
        default="auto",
        help="output already there: auto, resume: go on with the same work; error: refuse; replace: start anew",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="workers (default: one per core)")
    parser.add_argument("--threads", action="store_true", default=None, help="threads instead of worker processes")
    parser.add_argument(
        "--missing",
        choices=MISSING,
        help="planes that should be there and are not: error, skip (leave the site out), fill (default: error)",
    )
    parser.add_argument(
        "--verify", action="store_true", default=None, help="read every plane back before a well is published"
    )
    parser.add_argument(
        "--inputs", choices=INPUTS, help="a changed input file is told by size and time, size alone, or every byte"
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds a well may take (default: no limit)")
    parser.add_argument("--dask", metavar="ADDRESS", help="do the work on the cluster of this Dask scheduler")
    parser.add_argument("--on-error", choices=ON_ERROR, help="a failed well: continue with the others, or stop")


def add_events(parser: ArgumentParser) -> None:
    """Add the log of events."""
    parser.add_argument("--events", metavar="FILE", help="append what happens to FILE, one JSON object a line")


def config_from(args: Namespace, base: GlobalPipelineConfig | None = None) -> GlobalPipelineConfig:
    """Return ``base``, or the defaults, with what the options say.

    Raises
    ------
    UsageError
        a value that a setting does not allow.
    """
    config = base or GlobalPipelineConfig()
    zarr = replace(config.zarr, **_given(args, ZARR_FIELDS))
    return replace(config, zarr=zarr, **_given(args, CONFIG_FIELDS))


def _given(args: Namespace, fields: dict[str, str]) -> dict[str, Any]:
    values = ((field, getattr(args, option, None)) for option, field in fields.items())
    return {field: value for field, value in values if value is not None}


def microscope_from(args: Namespace) -> Microscope | str:
    """Return the layout that was asked for."""
    named: str | None = args.microscope
    if named is None:
        return Microscope.AUTO
    known = {kind.value: kind for kind in Microscope}
    return known.get(named.lower(), named)


def wells_from(args: Namespace) -> tuple[str | None, WellFilterMode]:
    """Return the well filter and whether it keeps or leaves out."""
    if args.exclude and args.wells is None:
        raise UsageError("--exclude says that the wells of --wells are left out: give --wells too")
    return args.wells, WellFilterMode.EXCLUDE if args.exclude else WellFilterMode.INCLUDE
