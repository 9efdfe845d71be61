"""The pages at the root say what is there: commands, links, names, Python."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from pages import markdown_blocks

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/guarantees.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands(program: str) -> list[list[str]]:
    """Return the words of every command of one program in the shell blocks of all pages."""
    lines = [line for page in PAGES for block in markdown_blocks(text_of(page), "bash") for line in block.splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words and words[0] == program]


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_every_make_command_has_a_target(words: list[str]) -> None:
    assert words[1] in make_targets()


def make_targets() -> list[str]:
    return re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_command_beside_each_promise_runs_tests_that_are_there() -> None:
    quoted = re.findall(r"`(make [^`\n]+)`", text_of("docs/guarantees.md") + text_of("SECURITY.md"))
    checks = [shlex.split(words) for words in quoted if "ARGS" in words]
    assert len(checks) >= 11
    for _, target, args in checks:
        assert target in make_targets()
        for path in args.removeprefix("ARGS=").split():
            found = [ROOT / path] if path.endswith(".py") else sorted((ROOT / path).glob("test_*.py"))
            assert found, path
            heavy = [one for one in found if "pytest.mark.crash" in one.read_text(encoding="utf-8")]
            assert heavy or target == "test", path


@pytest.mark.parametrize("words", commands("openhcs"), ids=" ".join)
def test_every_openhcs_command_is_understood(words: list[str]) -> None:
    from openhcs.cli import VERBS, fill, verb_module
    from openhcs.cli.parser import make_parser

    parser, parsers = make_parser(VERBS)
    fill(parsers[words[1]], verb_module(words[1]))
    assert parser.parse_args(words[1:])


def test_the_first_result_takes_two_commands() -> None:
    assert markdown_blocks(text_of("README.md"), "bash")[0].splitlines() == ["make demo", "make test"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text_of(page))
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_modules_that_are_named_exist(page: str) -> None:
    from importlib import import_module

    quoted = re.findall(r"`([^`\n]+)`", text_of(page))
    paths = [word for word in quoted if re.fullmatch(r"(src|tests|requirements|\.ci)/[\w./]*", word)]
    assert [word for word in paths if not (ROOT / word).exists()] == []
    for dotted in (word for word in quoted if re.fullmatch(r"openhcs(\.[a-z_]+)+(\.[A-Z]\w+)?", word)):
        module, _, name = dotted.rpartition(".")
        if name[0].isupper():
            assert hasattr(import_module(module), name), dotted
        elif dotted not in {"openhcs.backends", "openhcs.microscopes"}:
            import_module(dotted)


def test_the_places_of_the_architecture_exist() -> None:
    rows = re.findall(r"^\| (`.+?) \|", text_of("ARCHITECTURE.md").split("## Where things are")[1], re.MULTILINE)
    places = [place for row in rows for place in re.findall(r"`([^`]+)`", row)]
    assert len(places) > 8
    assert [p for p in places if not (ROOT / "src" / "openhcs" / p).exists() and not (ROOT / p).exists()] == []


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openhcs.steps import gaussian, max_projection, percentile_normalize
    from openhcs.testing.synthetic import make_plate

    monkeypatch.chdir(tmp_path)
    made = make_plate("PLATE", wells=("A01", "B02"), sites=1, channels=("DAPI", "FITC"), size=(64, 64), z=2)
    assert Path(made).resolve() == tmp_path / "PLATE"
    pipeline, use = markdown_blocks(text_of("README.md"), "python")
    (tmp_path / "pipeline.py").write_text(pipeline, encoding="utf-8")
    scope: dict[str, object] = {"__name__": "__main__"}
    exec(compile(pipeline, "README.md", "exec"), scope)
    exec(compile(use, "README.md", "exec"), scope)
    raw = scope["open_plate"]("PLATE")["A01"].site(1).channel("DAPI").read().reshape(2, 64, 64)
    expected = max_projection(gaussian(percentile_normalize(raw, low=1, high=99.8), sigma=2.0))
    np.testing.assert_array_equal(np.squeeze(scope["image"]), expected[0])
