"""The page of settings lists every field with its default and its flag."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from openhcs.cli import VERBS, fill, options, verb_module
from openhcs.cli.parser import make_parser
from openhcs.core import config as configuration
from openhcs.core.config import GlobalPipelineConfig
from pages import markdown_blocks

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
CLASSES = ("GlobalPipelineConfig", "VFSConfig", "ZarrConfig", "PathPlanningConfig")


def rows(kind: str) -> list[tuple[str, str, str]]:
    """Return (field, default, flag) of the table of one class."""
    section = PAGE.split(f"## {kind}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| `(.+?)` \| (?:`(.+?)` )?\|", section, re.MULTILINE)


def shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return f"{type(value).__name__}()"
    value = value.value if isinstance(value, Enum) else value
    return f'"{value}"' if isinstance(value, str) else repr(value)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_table_of_a_class_has_its_fields_in_order_with_their_defaults(kind: str) -> None:
    made = getattr(configuration, kind)()
    fields = [(field.name, shown(getattr(made, field.name))) for field in dataclasses.fields(made)]
    assert [(name, default) for name, default, _ in rows(kind)] == fields


def test_the_flags_are_those_of_the_command_line() -> None:
    told = {name: flag for kind in CLASSES for name, _, flag in rows(kind) if flag.startswith("--")}
    known = {**options.CONFIG_FIELDS, **options.ZARR_FIELDS}
    assert told == {field: "--" + option.replace("_", "-") for option, field in known.items()}


def test_every_flag_is_taken_by_run() -> None:
    _, parsers = make_parser(VERBS)
    fill(parsers["run"], verb_module("run"))
    taken = {word for action in parsers["run"]._actions for word in action.option_strings}
    assert {flag for kind in CLASSES for _, _, flag in rows(kind) if flag} <= taken


def test_the_toml_of_the_page_is_understood() -> None:
    (text,) = markdown_blocks(PAGE, "toml")
    assert GlobalPipelineConfig.from_toml(text).zarr.compression_level == 6
