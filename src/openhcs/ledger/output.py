"""What may be done with an output that is there already, and clearing one of ours.

Nothing that openhcs did not write is ever removed: before anything goes, every file below the
output is looked up in the commit records and the list of derived documents.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.checks import one_of
from openhcs.errors import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    OpenHCSError,
    OutputExists,
    StorageError,
)
from openhcs.io import locks
from openhcs.io.mounts import network_kind
from openhcs.ledger.commit import files_below, listed, listing, read_entry, sync_parents

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from openhcs.io.fsops import FileOps
    from openhcs.ledger.commit import Entry, Places, Record
    from openhcs.ledger.notes import Notes

LEDGER = ".openhcs"
"""The ledger's folder in an output that is a folder."""
CHOICES = ("auto", "error", "resume", "replace")
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory"})
"""Files that file browsers leave behind; they are neither ours nor anybody's work."""
SHOWN = 5
"""Differences between two plans that are told in full."""


def ledger_folder(output: Path) -> Path:
    """Return where the ledger of an output lies."""
    if output.suffix == ".zarr":
        return output.with_name(f".{output.name}.openhcs")
    return output / LEDGER


def check_choice(exist: str) -> None:
    """Refuse a word for ``exist`` that nobody knows."""
    one_of(exist, "exist", CHOICES)


def check_apart(output: Path, inputs: str | Path) -> None:
    """Refuse an output that is the input, lies in it, or around it.

    Folders are compared by identity, so another spelling or mount of the same one is noticed.
    """
    plate = Path(os.path.realpath(inputs))
    if not plate.exists():
        return
    for word, inner, outer in (("lies in", output, plate), ("lies around", plate, output)):
        for number, folder in enumerate((inner, *inner.parents)):
            if folder.exists() and outer.exists() and os.path.samefile(folder, outer):
                said = word if number else "is"
                raise InvalidPath(
                    f"the output {output} {said} the input {plate}; inputs are never written to. Choose an output "
                    "beside it.",
                    path=output,
                )


def check_free(output: Path, exist: str) -> None:
    """Refuse an output that holds something without a ledger of ours."""
    if not os.path.lexists(output):
        there: list[str] = []
    elif not output.is_dir():
        raise OutputExists(f"the output {output} is a file. Choose another output.", path=output)
    else:
        there = [path.name for path in listing(output) if path.name not in LITTER | {LEDGER}]
        if there:
            raise OutputExists(
                f"the output {output} exists and was not made by openhcs: it holds {_shown(there)}. "
                "Choose another output, or move that folder away.",
                path=output,
            )
    if exist == "resume":
        raise NotFound(
            f"{output} holds no work to go on with. Leave out --exist resume to start it, or check the path.",
            path=output,
        )


def check_plan(
    output: Path, there: str, plan: str, exist: str, *, done: Callable[[], int], differs: Callable[[], str] = str
) -> None:
    """Refuse an output of ours that ``exist`` does not allow to use.

    Asked only then, ``done`` counts its wells and ``differs`` tells what another plan has.
    """
    if exist == "replace" or (exist in {"auto", "resume"} and there == plan):
        return
    same = "this very plan" if there == plan else f"another plan ({there}; this one is {plan})"
    number = done()
    wells = "1 finished well" if number == 1 else f"{number} finished wells"
    go_on = ", go on with it (--exist resume)" if there == plan else ""
    told = differs() if there != plan else ""
    what = f" What changes: {told}." if told else ""
    raise OutputExists(
        f"{output} holds {wells} of {same}.{what} Choose another output{go_on}, or remove them and start "
        "anew (--exist replace).",
        path=output,
    )


def differences(earlier: str, plan: str) -> str:
    """Return in words what changes from one plan's text to another's; nothing where a text is no pipeline's plan."""
    from openhcs.plan.diff import changes
    from openhcs.plan.model import Plan

    try:
        found = changes(Plan.from_json(earlier), Plan.from_json(plan))
    except OpenHCSError:
        return ""
    return "; ".join(found[:SHOWN]) + (f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def wipe(places: Places, notes: Notes) -> None:
    """Remove what openhcs wrote to the output, all but the ledger's own folders; held alone.

    The root's document goes first, and each record turns into an intent before its units go: cut off
    anywhere, what is left is an output with fewer wells.

    Raises
    ------
    OutputExists
        a file lies there that openhcs did not write; nothing has been removed.
    """
    records = {entry: read_entry(places, entry) for entry in places.entries("json")}
    documents = set(notes.documents())
    ours = documents.union(*(listed(record) for record in records.values()))
    strangers = [path for path in files_of(places.output, notes.folder) if path not in ours]
    if strangers:
        raise OutputExists(
            f"{places.output} holds files that openhcs did not write: {_shown(strangers)}. Nothing was removed. Move "
            "them away, or choose another output.",
            path=places.output,
        )
    units = {unit for record in records.values() for unit in record["units"]}
    notes.keep_units(units)
    _remove_documents(places, documents, units)
    trash = places.tmp / f"replaced-{secrets.token_hex(4)}"
    _retract(places, records, trash)
    _prune(places, notes.folder, documents | notes.units())
    notes.forget()
    if trash.exists():
        places.ops.remove_tree(trash)


def _remove_documents(places: Places, documents: Iterable[str], units: Collection[str]) -> None:
    """Remove the documents above the wells, the root's first: then there is no plate to be seen."""
    above = [path for path in documents if not any(path.startswith(f"{unit}/") for unit in units)]
    for path in sorted(above, key=lambda one: one.count("/")):
        with contextlib.suppress(NotFound):
            places.ops.unlink(places.output / path)
            places.ops.sync_dir((places.output / path).parent)


def _retract(places: Places, records: Mapping[Entry, Record], trash: Path) -> None:
    """Turn records into intents, move their units away and forget them, each safe before the next."""
    for entry in records:
        places.ops.rename(places.commits / entry.name, places.commits / entry.as_kind("intent").name)
    places.ops.sync_dir(places.commits)
    for number, record in enumerate(records.values()):
        for unit in record["units"]:
            if os.path.lexists(places.output / unit):
                kept = trash / str(number) / unit
                places.ops.make_dirs(kept.parent)
                places.ops.rename(places.output / unit, kept)
        sync_parents(places, record["units"])
    for entry in records:
        places.ops.unlink(places.commits / entry.as_kind("intent").name)
    places.ops.sync_dir(places.commits)


def files_of(output: Path, folder: Path) -> list[str]:
    """Return all files of an output but those of the ledger in ``folder`` and litter, by path in it."""
    found: list[str] = []
    for path in listing(output):
        if path != folder:
            found += [name for name in files_below(output, path.name) if name.rsplit("/", 1)[-1] not in LITTER]
    return sorted(found)


def _prune(places: Places, folder: Path, paths: Iterable[str]) -> None:
    """Remove the folders that held what is gone, as far as they are empty."""
    parents = {parent for path in paths for parent in (places.output / path).parents}
    inside = [one for one in parents if one.is_relative_to(places.output) and one != folder]
    for one in sorted(inside, key=lambda path: -len(path.parts)):
        if one == places.output and folder.is_relative_to(one):
            continue
        if one.is_dir() and not one.is_symlink() and not os.listdir(one):
            with contextlib.suppress(NotFound):
                places.ops.remove_dir(one)
                places.ops.sync_dir(one.parent)


def probe(tmp: Path, ops: FileOps) -> tuple[str, ...]:
    """Try on this file system what a commit needs, and return what it does in a weaker way.

    Raises
    ------
    StorageError
        it cannot be relied upon at all.
    """
    folder = tmp / f"probe-{secrets.token_hex(4)}"
    weaker = []
    if (kind := network_kind(tmp)) is not None:
        weaker.append(
            f"{kind} is a network file system: whether a sync outlives a power cut of the server, and whether locks "
            "hold between machines, is up to the server; let one machine write here at a time"
        )
    try:
        for name in ("one", "other"):
            ops.make_dirs(folder / name)
            ops.create(folder / name / "file", name.encode())
        with contextlib.suppress(AlreadyExists):
            ops.create(folder / "one" / "file", b"again")
            weaker.append("an exclusive write is not exclusive: let only one process write here")
        if not ops.exchange(folder / "one", folder / "other"):
            weaker.append("no exchange: a well that is made again is missing for an instant")
        _must(folder, (folder / "one" / "file").read_bytes() == b"other", "renames")
        first = locks.take(folder / "lock", ops, exclusive=True)
        second = locks.take(folder / "lock", ops, exclusive=True)
        _must(folder, first is not None and second is None, "locks")
        if first is not None:
            first.release()
    finally:
        with contextlib.suppress(OpenHCSError):
            ops.remove_tree(folder)
    return tuple(weaker)


def _must(folder: Path, kept: bool, what: str) -> None:  # noqa: FBT001 - the answer of a test
    if not kept:
        raise StorageError(
            f"the file system of {folder.parent} does not keep its word about {what}, so wells could be lost. Choose "
            "an output on a local disk.",
            path=folder.parent,
        )


def _shown(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + rest
