"""The command line: a table of verbs, each loaded when it is asked for.

A verb is a module with ``add_arguments(parser)`` and ``run(args) -> int``; one that takes any number of words
has ``take(args, words)`` for those behind an option. ``openhcs --help``
reads this table only, so it costs no more than argparse.
"""

from __future__ import annotations

import importlib
import io
import sys
from typing import TYPE_CHECKING

from openhcs.cli.exits import Guard
from openhcs.errors import UnknownName, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from openhcs.cli.parser import Parser

VERBS = {
    "demo": "make a small plate and run a pipeline on it",
    "scan": "say what a folder of images holds",
    "info": "say what a plate or an output is made of",
    "convert": "write a plate as OME-Zarr",
    "plan": "show what a pipeline would read, call, keep and write",
    "run": "run a pipeline on a plate",
    "debug": "replay one well of an output, call by call",
    "status": "say which wells of an output are done",
    "validate": "check an output or a Zarr store for damage",
    "repair": "build a damaged plate's documents anew",
    "close": "settle what an interrupted run left and write the plate's documents",
    "clean": "as close, with what processes of other machines left",
}
"""Verb → what it does. The module is ``openhcs.cli.<verb>``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `openhcs.cli.exits`).

    Parameters
    ----------
    argv
        the words after ``openhcs``; None takes those of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name may hold bytes that are no text, or characters that the stream has not.
            stream.reconfigure(errors="backslashreplace")
    guard = Guard(words)
    with guard:
        guard.code = _answer(words)
    return guard.code


def _answer(words: list[str]) -> int:
    from openhcs.cli.parser import make_parser

    if "--print-completion" in words[:1]:
        from openhcs.cli.completion import print_completion

        return print_completion(words[1:])
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        raise UnknownName(f"openhcs has no command {verb!r}; {suggest(verb, VERBS)}. See: openhcs --help")
    parser, parsers = make_parser(VERBS)
    if verb is None:
        parser.parse_args(words)
        parser.print_help()
        return 0 if not words else 2
    module = verb_module(verb)
    fill(parsers[verb], module)
    args, rest = parser.parse_known_args(words)
    if rest and hasattr(module, "take"):
        rest = module.take(args, rest)
    if rest:
        parsers[verb].refuse(rest)
    args.words = words
    return int(module.run(args))


def verb_module(verb: str) -> ModuleType:
    """Return the module of a verb, loading it."""
    return importlib.import_module(f"openhcs.cli.{verb}")


def fill(parser: Parser, module: ModuleType) -> None:
    """Give a verb's parser the verb's own arguments and description."""
    parser.description = module.__doc__
    module.add_arguments(parser)
