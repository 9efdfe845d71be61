"""One watched process for all hostile cases of a test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hostile_guard import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostile_guard import Guard


@pytest.fixture(scope="session")
def watched() -> Iterator[Guard]:
    with guard() as found:
        yield found
