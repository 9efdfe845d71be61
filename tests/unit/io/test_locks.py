"""Locks hold between processes and end with their holder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from openhcs.errors import StorageError
from openhcs.io import locks
from openhcs.io.fsops import FileOps

OPS = FileOps()


def test_shared_locks_go_together_and_an_exclusive_one_does_not(tmp_path):
    path = tmp_path / "lock"
    with locks.take(path, OPS, exclusive=False), locks.take(path, OPS, exclusive=False):
        assert locks.take(path, OPS, exclusive=True, wait_s=0.05) is None
    with locks.take(path, OPS, exclusive=True):
        assert locks.take(path, OPS, exclusive=False) is None
    assert path.exists()


def test_a_claim_names_its_holder_until_it_is_released(tmp_path):
    with locks.claim(tmp_path / "who", OPS, doing="testing"):
        assert locks.holder(tmp_path / "who") == locks.whoami() | {"doing": "testing"}
    assert locks.holder(tmp_path / "who") is None
    assert locks.holder(tmp_path / "nobody") is None


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from openhcs.io import locks, fsops;"
        "lock = locks.claim(Path(sys.argv[1]), fsops.FileOps()); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path / "who"], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"held\n"
        assert locks.holder(tmp_path / "who")["pid"] == child.pid
        child.kill()
    assert locks.holder(tmp_path / "who") is None


def test_a_holder_on_another_host_counts_as_alive(tmp_path):
    (tmp_path / "who").write_text('{"pid": 1, "host": "elsewhere"}')
    assert locks.holder(tmp_path / "who")["host"] == "elsewhere"


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="does not lock files"):
        locks.take(tmp_path / "lock", OPS, exclusive=True)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_a_holder_who_cannot_be_asked_is_not_taken_for_dead(tmp_path, monkeypatch, number):
    with locks.claim(tmp_path / "owner", FileOps()):

        def refuse(*args):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            with pytest.raises(StorageError, match="who holds"):
                locks.holder(tmp_path / "owner")
        assert locks.holder(tmp_path / "owner")["pid"] == os.getpid()
