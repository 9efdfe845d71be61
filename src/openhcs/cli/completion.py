"""``openhcs --print-completion SHELL``: a completion script, made by shtab where it is installed."""

from __future__ import annotations

from openhcs.errors import InvalidValue, UsageError, suggest

SHELLS = ("bash", "zsh", "tcsh")


def print_completion(words: list[str]) -> int:
    """Print the script for one shell and return 0.

    Raises
    ------
    InvalidValue
        no shell, or one that shtab does not know.
    UsageError
        shtab is not installed.
    """
    from openhcs.cli import VERBS, fill, verb_module
    from openhcs.cli.parser import make_parser

    shell = words[0] if words else ""
    if shell not in SHELLS:
        raise InvalidValue(f"--print-completion takes a shell, not {shell!r}; {suggest(shell, SHELLS)}")
    try:
        import shtab
    except ImportError:
        raise UsageError("completion scripts need shtab. Install it with: pip install shtab") from None
    parser, parsers = make_parser(VERBS)
    for verb, one in parsers.items():
        fill(one, verb_module(verb))
    print(shtab.complete(parser, shell=shell))
    return 0
