"""Hostile inputs made by hand: each is refused in words that name it, in time, in little memory, inside its folder."""

from __future__ import annotations

import pytest

from hostile_corpus import CASES


def test_the_corpus_is_large():
    assert len(CASES) >= 300


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_is_refused_or_read_without_harm(watched, tmp_path, name):
    told = watched.ask("corpus", name, tmp_path / "case")
    assert not told["failures"], "\n".join(told["failures"])
