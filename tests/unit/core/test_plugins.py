"""What other packages add is found once, and again where a package was installed."""

from __future__ import annotations

import os

from counting import asked
from openhcs.core.plugins import plugins

GROUP = "openhcs.of-a-test"


def test_a_package_that_is_installed_later_is_found_and_nothing_is_read_twice(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    os.utime(tmp_path, (0, 0))
    assert plugins(GROUP) == ()
    told = tmp_path / "later-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Name: later\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(f"[{GROUP}]\nlater = later:Kind\n")
    (found,) = plugins(GROUP)
    assert (found.name, found.value) == ("later", "later:Kind")
    with asked(tmp_path) as after:
        assert plugins(GROUP) == (found,)
    assert (after.both, after.looked) == ([], ["."])
