"""The page of plates and judges is what its program makes of the answers that are kept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_by_the_program_from_the_answers():
    spec = importlib.util.spec_from_file_location("judges_table", ROOT / "tests/judges/table.py")
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    answers = json.loads((ROOT / "docs/judges.json").read_text())
    assert (ROOT / "docs/judges.md").read_text() == table.page(answers)


def test_nobody_found_anything_in_our_plates():
    answers = json.loads((ROOT / "docs/judges.json").read_text())
    ours = {row["name"]: row["findings"] for row in answers["rows"] if row["name"].startswith("openhcs")}
    assert len(ours) == 6
    for name, findings in ours.items():
        assert {judge: told for judge, told in findings.items() if told} == {}, name
