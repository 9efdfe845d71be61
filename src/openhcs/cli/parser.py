"""The parser of the command line: argparse whose errors are ours.

A usage error is raised, not printed, so that it meets the one table of exit codes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from openhcs.errors import UsageError, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EPILOG = """\
exit codes: 0 done, 1 a bug of ours, 2 usage, 3 some wells failed, 4 input bad or not found,
            5 output exists, 6 no space or memory, 130 interrupted

openhcs COMMAND --help tells about one command; openhcs demo shows them at work.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError`."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        end = "" if message.endswith("?") else "."
        raise UsageError(f"{message}{end} See: {self.prog} --help")

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Refuse words that no option and no argument takes."""
        options = [name for name in self._option_string_actions if name.startswith("--")]
        strange = next((word for word in words if word.startswith("-")), None)
        if strange is None:
            self.error(f"too many arguments: {' '.join(words)}")
        near = suggest(strange.partition("=")[0], options).partition(" known:")[0]
        self.error(f"unknown option {strange}; {near}" if near.startswith("did") else f"unknown option {strange}")


class ShowVersion(argparse.Action):
    """Print the version; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print and leave."""
        from importlib.metadata import version

        print(f"openhcs {version('openhcs')}")
        parser.exit()


def make_parser(verbs: Mapping[str, str]) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser and one still empty parser per verb."""
    parser = Parser(
        prog="openhcs",
        usage="openhcs COMMAND …",
        description="TIFFs of a plate in, a pipeline of Python functions, an OME-Zarr plate out.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="print the version and leave")
    parser.add_argument(
        "--print-completion", metavar="SHELL", help="print completion for bash, zsh or tcsh (needs shtab)"
    )
    loudness(parser)
    commands = parser.add_subparsers(
        dest="verb", metavar="COMMAND", title="commands", prog="openhcs", parser_class=Parser
    )
    made = {}
    for verb, line in verbs.items():
        made[verb] = commands.add_parser(
            verb, help=line, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        loudness(made[verb])
    return parser, made


def loudness(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has, valid before and after the verb."""
    for names, line in (
        (("-q", "--quiet"), "say nothing but results and errors"),
        (("-v", "--verbose"), "log what is done, to stderr"),
        (("--debug",), "log more, and show tracebacks"),
    ):
        parser.add_argument(*names, action="store_true", default=argparse.SUPPRESS, help=line)
