"""Say what a plate or an output is made of: layout, channels, how it is stored, which wells are done.

An OME-Zarr image or a plain array is told apart from a plate.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.text import count, size, table, visible

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.cli.stores import Store
    from openhcs.core.plate import Channel, PlateIndex


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs info`` takes."""
    parser.add_argument("path", metavar="PATH", help="plate, output folder, or anything in an OME-Zarr store")
    options.add_json(parser, "print one JSON object")
    options.add_wells(parser)
    options.add_plate(parser)


def run(args: Namespace) -> int:
    """Print what is at the path."""
    from openhcs.cli.paths import existing
    from openhcs.cli.stores import look
    from openhcs.cli.watch import log_to_stderr

    log_to_stderr(args)
    path = existing(args.path, "plate")
    store = look(path)
    if store is not None and store.kind != "plate":
        print(json.dumps(store.as_dict(), ensure_ascii=False) if args.json else _no_plate(store))
        return 0
    return _plate(args, path, store)


def _no_plate(store: Store) -> str:
    rows = [("path", store.path), ("kind", f"{store.kind} in a Zarr store, not a plate"), *store.rows()]
    lines = [table(rows)]
    if store.plate is not None:
        lines += ["", f"next: openhcs info {shlex.quote(store.plate)}"]
    return "\n".join(lines)


def _plate(args: Namespace, path: str, store: Store | None) -> int:
    from openhcs.cli.scan import as_dict, index_of

    inner = _images(path) if store is None else None
    index = index_of(inner or path, args)
    store = store or (look_again(inner) if inner else None)
    if args.json:
        told = as_dict(index) | {"channels": [asdict(channel) for channel in index.channels]}
        told["store"] = None if store is None else store.as_dict()
        print(json.dumps({"kind": "plate", **told}, ensure_ascii=False))
        return 0
    print(_describe(index, path, store))
    return 0


def look_again(path: str) -> Store | None:
    """Return what a store inside an output folder is."""
    from openhcs.cli.stores import look

    return look(path)


def _images(path: str) -> str | None:
    """Return the plate inside an output folder, if it is one."""
    if not os.path.isdir(os.path.join(path, ".openhcs")):
        return None
    stores = sorted(name for name in os.listdir(path) if name.endswith(".zarr"))
    names = [*stores, *(name for name in ("images",) if os.path.isdir(os.path.join(path, name)))]
    return os.path.join(path, names[0]) if names else None


def _describe(index: PlateIndex, path: str, store: Store | None) -> str:
    from openhcs.cli.scan import facts, raw_bytes

    rows = facts(index)
    rows += [("", _channel_line(channel)) for channel in index.channels if channel.excitation_nm or channel.emission_nm]
    if index.positions:
        rows.append(("positions", count(len(index.positions), "site") + " with a stage position"))
    if index.metadata_files:
        rows.append(("documents", ", ".join(index.metadata_files[:5])))
    if store is not None:
        rows += store.rows()
        rows.append(
            ("stored", f"{size(store.bytes_on_disk())} on disk, {size(raw_bytes(index))} of pixels at full size")
        )
    lines = [table(rows), *(visible(f"warning: {text}") for text in index.warnings)]
    if os.path.isdir(os.path.join(path, ".openhcs")):
        lines += ["", f"next: openhcs status {shlex.quote(path)}"]
    return "\n".join(lines)


def _channel_line(channel: Channel) -> str:
    waves = [f"{name} {value:g} nm" for name, value in _waves(channel) if value]
    more = [f"{channel.exposure_ms:g} ms"] if channel.exposure_ms else []
    more += [f"{channel.magnification:g}x"] if channel.magnification else []
    more += [f"binning {channel.binning[0]} × {channel.binning[1]}"] if channel.binning else []
    more += [f"{channel.z_offset_um:+g} µm"] if channel.z_offset_um else []
    return f"{channel.number} {visible(channel.name)}: {', '.join(waves + more)}"


def _waves(channel: Channel) -> tuple[tuple[str, float | None], ...]:
    return ("excitation", channel.excitation_nm), ("emission", channel.emission_nm)
