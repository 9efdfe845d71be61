"""Put an output's documents in place: those that follow from its records and its facts, nothing else."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from openhcs.errors import FormatError
from openhcs.run.carried import KEY, CarriedFacts
from openhcs.run.derive import OutputFacts, documents
from openhcs.run.merge import merge_tables

if TYPE_CHECKING:
    from openhcs.ledger.ledger import Ledger


def derive(ledger: Ledger, *, final: bool) -> tuple[str, ...]:
    """Write the documents that changed and return their paths.

    ``final`` also writes those of wells and images, whose display windows are then the same for a
    channel across the plate.
    """
    return ledger.write_derived(lambda: made_of(ledger, final=final))


def made_of(ledger: Ledger, *, final: bool) -> dict[str, bytes]:
    """Return the documents that follow from an output's records and facts, by path, in order of writing.

    Raises
    ------
    FormatError
        a record or the facts are damaged.
    """
    records = ledger.records()
    if not records:
        return {}
    told = ledger.notes.facts()
    made = CarriedFacts.from_json(told).documents if KEY in told else partial(documents, OutputFacts.from_json(told))
    try:
        return made(records.values(), final=final)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        raise FormatError(
            f"the commit records of {ledger.output} are not as openhcs writes them, so no plate can be made of them: "
            f"{error!r}",
            path=ledger.folder,
        ) from error


def close(ledger: Ledger) -> tuple[str, ...]:
    """Settle what dead processes left and write the final documents; doing it again changes nothing.

    Raises
    ------
    OutputBusy
        others still run tasks; the last of them closes.
    NotFound
        the output holds no work of ours.
    """
    with ledger.closing():
        return (*merge_tables(ledger), *derive(ledger, final=True))


def clean(ledger: Ledger) -> int:
    """Close, with what processes of other hosts left too; return how many things were unfinished.

    Whether such a process lives cannot be told from here: only for when nobody works on the output.

    Raises
    ------
    OutputBusy, NotFound
        as `close`.
    """
    before = len(ledger.unfinished())
    with ledger.closing(other_hosts=True):
        merge_tables(ledger)
        derive(ledger, final=True)
    return before - len(ledger.unfinished())
