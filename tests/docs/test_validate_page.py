"""The page of findings lists every code of the table of rules, and the table every code that is told."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import openhcs
from openhcs.ngff.rules.table import RULES

PAGE = Path(__file__).parents[2] / "docs" / "validate.md"
SOURCE = Path(openhcs.__file__).parent


def told() -> set[str]:
    """Return every text in the code of rules and checks that looks like a code, where one is said."""
    found = set()
    for file in [*(SOURCE / "ngff/rules").glob("*.py"), *(SOURCE / "check").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                found |= {one.value for key, one in pairs if key.arg == "code" and isinstance(one, ast.Constant)}
            if isinstance(node, ast.Tuple) and file.name == "store.py":
                found |= {one.value for one in node.elts[:1] if isinstance(one, ast.Constant)}
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            values = [node.args[0]] if name in ("say", "_sides") and node.args else []
            values += [key.value for key in node.keywords if key.arg == "code"]
            values += node.args[3:4] if name == "_sides" else []
            values += node.args[1:2] if name == "_document" else []
            found |= {
                one.value
                for value in values
                for one in ast.walk(value)
                if isinstance(one, ast.Constant)
                and isinstance(one.value, str)
                and re.fullmatch("[a-z0-9-]{6,}", one.value)
            }
    return found


def rows() -> list[str]:
    return [
        f"| `{code}` | {rule.severity} | {rule.section} | {rule.about} | {rule.remedy} |"
        for code, rule in RULES.items()
    ]


def test_the_page_lists_every_code_with_severity_rule_and_remedy():
    listed = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| `", line)]
    assert listed == rows()


def test_every_code_that_is_told_is_in_the_table_and_every_code_of_the_table_is_told():
    assert told() == set(RULES)
