"""The names at the top of the package are exactly these, and each is what its module defines."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import openhcs

PUBLIC = {
    "Backend": "openhcs.constants.constants",
    "FileManager": "openhcs.io.filemanager",
    "FunctionStep": "openhcs.core.steps",
    "GlobalPipelineConfig": "openhcs.core.config",
    "GroupBy": "openhcs.constants.constants",
    "MaterializationBackend": "openhcs.constants.constants",
    "OpenHCSError": "openhcs.errors",
    "PipelineOrchestrator": "openhcs.orchestrator",
    "Plan": "openhcs.plan.model",
    "VFSConfig": "openhcs.core.config",
    "VariableComponents": "openhcs.constants.constants",
    "ZarrChunkStrategy": "openhcs.constants.constants",
    "ZarrCompressor": "openhcs.constants.constants",
    "ZarrConfig": "openhcs.core.config",
    "array_type": "openhcs.core.array_types",
    "convert": "openhcs.run.convert",
    "open_plate": "openhcs.run.reader",
    "special_inputs": "openhcs.core.special",
    "special_outputs": "openhcs.core.special",
    "validate": "openhcs.check.validate",
}


def test_the_public_names_are_exactly_these_and_at_most_twenty() -> None:
    assert sorted(openhcs.__all__) == sorted(PUBLIC)
    assert len(PUBLIC) <= 20


@pytest.mark.parametrize(("name", "home"), PUBLIC.items())
def test_a_public_name_is_the_one_its_module_defines(name: str, home: str) -> None:
    value = getattr(openhcs, name)
    assert (value.__module__, value.__qualname__) == (home, name)


def test_type_checkers_see_the_names_that_are_loaded_lazily() -> None:
    tree = ast.parse(Path(openhcs.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {name.name for node in guarded.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen == set(PUBLIC)


def test_dir_lists_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(openhcs))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'FileManger'"):
        openhcs.FileManger


def test_a_star_import_gives_the_public_names() -> None:
    scope: dict[str, object] = {}
    exec("from openhcs import *", scope)
    assert set(PUBLIC) <= set(scope)
