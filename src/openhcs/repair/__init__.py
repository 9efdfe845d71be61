"""Documents built anew from what is committed or lies on disk; chunks are never touched, nothing is removed."""

from openhcs.repair.repair import repair
from openhcs.repair.report import RepairReport

__all__ = ["RepairReport", "repair"]
