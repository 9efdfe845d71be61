"""The zarr backend keeps what every backend must, in both versions of the format."""

from __future__ import annotations

import pytest

from openhcs import FileManager, ZarrConfig
from openhcs.io.fsops import FileOps
from openhcs.testing.conformance import BackendConformance


class TestZarr(BackendConformance):
    backend = "zarr"

    @pytest.fixture(params=["0.5", "0.4"])
    def files(self, tmp_path, request):
        return FileManager(tmp_path, zarr=ZarrConfig(ngff_version=request.param), ops=FileOps(durable=False))
