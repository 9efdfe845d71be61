"""One watched process for all hostile cases of a test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hostile_guard import Guard, guard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def watched() -> Iterator[Guard]:
    with guard() as found:
        yield found
