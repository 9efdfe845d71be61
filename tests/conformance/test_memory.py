"""The memory backend keeps what every backend must, with room to spare and with next to none."""

from __future__ import annotations

import pytest

from openhcs import FileManager, VFSConfig
from openhcs.testing.conformance import BackendConformance


class TestMemory(BackendConformance):
    backend = "memory"
    holds_objects = True

    @pytest.fixture
    def files(self, tmp_path):
        return FileManager(root=tmp_path)


class TestMemoryThatSpills(TestMemory):
    @pytest.fixture
    def files(self, tmp_path):
        return FileManager(root=tmp_path / "root", vfs=VFSConfig(memory_budget=9000, spill_dir=tmp_path / "spill"))
