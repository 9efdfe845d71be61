"""From a path to a plate."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest

from openhcs.run import plates


@pytest.mark.parametrize("on", [True, False])
def test_the_garbage_collector_is_as_it_was_after_a_plate_is_indexed(tmp_path, monkeypatch, on):
    seen = []
    monkeypatch.setattr(plates, "look", lambda *_, **__: seen.append(gc.isenabled()) or SimpleNamespace(microscope="x"))
    (gc.enable if on else gc.disable)()
    try:
        plates.outline_plate(tmp_path)
        assert gc.isenabled() is on
    finally:
        gc.enable()
    assert seen == [False]
