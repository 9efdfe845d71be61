"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

# A busy machine is slow, not wrong: time says nothing about a property.
settings.register_profile("openhcs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("openhcs")

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """Return the folder of a real data set, or skip where it is not at hand."""
    root = Path(os.environ.get("OPENHCS_TEST_DATA", DEFAULT_DATA))

    def find(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name} is not in {root} (set OPENHCS_TEST_DATA)")
        return folder

    return find
