"""Remove what runs that ended, here or on other machines, left unfinished in an output.

Runs and close remove what dead processes of this machine left. This also takes what processes of
other machines left, which cannot be told from here to be dead: use it when nobody works on the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.text import count

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add what ``openhcs clean`` takes."""
    options.add_output(parser)


def run(args: Namespace) -> int:
    """Clean one output."""
    from openhcs.cli.paths import existing
    from openhcs.cli.watch import log_to_stderr
    from openhcs.ledger.ledger import Ledger
    from openhcs.run.close import clean

    log_to_stderr(args)
    ledger = Ledger(existing(args.output, "output"))
    removed = clean(ledger)
    print(f"{args.output}: " + (f"{count(removed, 'leftover')} settled" if removed else "nothing to clean"))
    return 0
