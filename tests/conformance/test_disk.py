"""The disk backend keeps what every backend must."""

from __future__ import annotations

import pytest

from openhcs import FileManager
from openhcs.io.fsops import FileOps
from openhcs.testing.conformance import BackendConformance


class TestDisk(BackendConformance):
    backend = "disk"

    @pytest.fixture
    def files(self, tmp_path):
        return FileManager(tmp_path, ops=FileOps(durable=False))
