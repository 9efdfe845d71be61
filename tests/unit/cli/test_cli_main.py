"""The table of verbs, and what is typed wrong."""

from __future__ import annotations

import sys

import pytest

from openhcs.cli import VERBS, main, verb_module


def test_help_lists_every_verb_and_every_exit_code(capsys) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {verb} " in shown for verb in VERBS)
    assert all(f" {code} " in shown for code in (0, 1, 2, 3, 4, 5, 6, 130))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_begins_with_its_own_page(verb: str, capsys) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: openhcs {verb} ")
    assert verb_module(verb).__doc__.splitlines()[0] in shown
    assert "--debug" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scna", "x"], "did you mean 'scan'?"),
        (["convert", "a", "b", "--levles", "3"], "did you mean '--levels'?"),
        (["convert", "a", "b", "c"], "too many arguments: c"),
        (["convert", "a"], "DST"),
        (["convert", "a", "b", "--ngff", "0.7"], "'0.4', '0.5'"),
        (["--print-completion", "fish"], "bash, zsh, tcsh"),
        (["--nothing"], "--nothing"),
    ],
)
def test_what_is_typed_wrong_ends_with_2_and_says_what_is_right(words, told: str, capsys) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err


def test_no_words_at_all_show_the_help(capsys) -> None:
    assert main([]) == 0
    assert "commands:" in capsys.readouterr().out


def test_loudness_may_stand_before_and_after_the_verb(capsys) -> None:
    for words in (["--debug", "scan", "/nope/x"], ["scan", "/nope/x", "--debug"]):
        assert main(words) == 4
        assert "Traceback" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_told_with_the_nearest_one(tmp_path, capsys) -> None:
    (tmp_path / "plate_one").mkdir()
    for verb in ("scan", "info"):
        assert main([verb, str(tmp_path / "plate_oen")]) == 4
        assert f"Did you mean {tmp_path / 'plate_one'}?" in capsys.readouterr().err


def test_completion_without_shtab_says_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "bash"]) == 2
    assert "pip install shtab" in capsys.readouterr().err


def test_completion_knows_every_verb(capsys) -> None:
    pytest.importorskip("shtab", reason="completion scripts are made by shtab")
    assert main(["--print-completion", "bash"]) == 0
    assert f"({' '.join(VERBS)})" in capsys.readouterr().out
