"""High-content screening plates in, a pipeline of Python functions, an OME-Zarr plate out.

Importing the package loads none of its parts: a public name is loaded when it is first asked for.
Everything else is imported from its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openhcs.check.validate import validate
    from openhcs.constants.constants import (
        Backend,
        GroupBy,
        MaterializationBackend,
        VariableComponents,
        ZarrChunkStrategy,
        ZarrCompressor,
    )
    from openhcs.core.array_types import array_type
    from openhcs.core.config import GlobalPipelineConfig, VFSConfig, ZarrConfig
    from openhcs.core.special import special_inputs, special_outputs
    from openhcs.core.steps import FunctionStep
    from openhcs.errors import OpenHCSError
    from openhcs.io.filemanager import FileManager
    from openhcs.orchestrator import PipelineOrchestrator
    from openhcs.plan.model import Plan
    from openhcs.run.convert import convert
    from openhcs.run.reader import open_plate

__all__ = [
    "Backend",
    "FileManager",
    "FunctionStep",
    "GlobalPipelineConfig",
    "GroupBy",
    "MaterializationBackend",
    "OpenHCSError",
    "PipelineOrchestrator",
    "Plan",
    "VFSConfig",
    "VariableComponents",
    "ZarrChunkStrategy",
    "ZarrCompressor",
    "ZarrConfig",
    "array_type",
    "convert",
    "open_plate",
    "special_inputs",
    "special_outputs",
    "validate",
]

_HOMES = {
    "openhcs.check.validate": ("validate",),
    "openhcs.constants.constants": (
        *("Backend", "GroupBy", "MaterializationBackend", "VariableComponents"),
        *("ZarrChunkStrategy", "ZarrCompressor"),
    ),
    "openhcs.core.array_types": ("array_type",),
    "openhcs.core.config": ("GlobalPipelineConfig", "VFSConfig", "ZarrConfig"),
    "openhcs.core.special": ("special_inputs", "special_outputs"),
    "openhcs.core.steps": ("FunctionStep",),
    "openhcs.errors": ("OpenHCSError",),
    "openhcs.io.filemanager": ("FileManager",),
    "openhcs.orchestrator": ("PipelineOrchestrator",),
    "openhcs.plan.model": ("Plan",),
    "openhcs.run.convert": ("convert",),
    "openhcs.run.reader": ("open_plate",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'openhcs' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
