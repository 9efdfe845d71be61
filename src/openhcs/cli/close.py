"""Settle what an interrupted run left in an output and write its documents anew.

Finishes or undoes commits that were cut off, removes unfinished work, and writes the plate's
documents from the commit records. Doing it again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.text import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs close`` takes."""
    options.add_output(parser)


def run(args: Namespace) -> int:
    """Close one output."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr
    from openhcs.ledger.ledger import Ledger
    from openhcs.plan.model import is_well
    from openhcs.run.close import close

    log_to_stderr(args)
    ledger = Ledger(existing(args.output, "output"))
    written = close(ledger)
    told = f"{count(len(written), 'document')} written" if written else "nothing to do"
    wells = sum(map(is_well, ledger.records()))
    print(f"{args.output}: {count(wells, 'committed well')}, {told}")
    return 0
