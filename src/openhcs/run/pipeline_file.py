"""Load a pipeline file: ordinary Python that defines ``steps`` and may define ``config``.

The file is code that its user runs on purpose. It is loaded under a private name, so that nothing
else can be shadowed by it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.steps import FunctionStep
from openhcs.errors import InputError, NotFound, OpenHCSError, PlanError
from openhcs.plan.origin import PipelineFile

if TYPE_CHECKING:
    from types import ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What a pipeline file defines, and the digest of its text."""

    path: str
    steps: tuple[FunctionStep, ...]
    config: GlobalPipelineConfig | None
    sha256: str


def load_pipeline(path: str | Path, *, sha256: str | None = None) -> Pipeline:
    """Return the steps and the configuration of a pipeline file; one with another digest than asked for is not run.

    Raises
    ------
    NotFound
        no such file.
    PlanError
        it defines no steps, or things that are no steps.
    InputError
        it does not run; the message ends with the line that failed.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFound(f"no pipeline file there: {file}", path=file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if sha256 not in {None, digest}:
        raise PlanError(
            f"{file} changed since the plan was made (sha256 {digest[:12]}…, planned {str(sha256)[:12]}…), so "
            "it was not run. Put the file back as it was, or plan again (openhcs plan … --save PLAN.json).",
            path=file,
        )
    module = _run(file, digest)
    steps = getattr(module, "steps", None)
    if not isinstance(steps, (list, tuple)) or not steps:
        raise PlanError(f"{file} defines no steps; write: steps = [FunctionStep(my_function), …]", path=file)
    if strange := [step for step in steps if not isinstance(step, FunctionStep)]:
        raise PlanError(f"{file}: steps holds {strange[0]!r}; each step is a FunctionStep(...)", path=file)
    config = getattr(module, "config", None)
    if config is not None and not isinstance(config, GlobalPipelineConfig):
        raise PlanError(f"{file}: config is a GlobalPipelineConfig(...), not {config!r}", path=file)
    return Pipeline(path=str(file), steps=tuple(steps), config=config, sha256=digest)


def named_file(path: str | Path) -> PipelineFile:
    """Return a pipeline file as plans name it, its path absolute; `NotFound` if there is none."""
    file = Path(os.path.abspath(path))
    if not file.is_file():
        raise NotFound(f"no pipeline file there: {file}", path=file)
    return PipelineFile(path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def _run(file: Path, digest: str) -> ModuleType:
    name = f"openhcs_pipeline_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is no Python file (.py)", path=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except OpenHCSError as error:
        raise type(error)(f"{file}: {error}", **{**error.fields, "path": str(file)}) from error
    except Exception as error:  # the worker's edge: whatever the user's file raises
        own = os.path.abspath(file)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
        raise InputError(f"{file}, line {line}: {type(error).__name__}: {error}", path=file) from error
    finally:
        sys.path.remove(str(file.resolve().parent))
    return module
