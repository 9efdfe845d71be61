"""Syncing a whole file system: only where it is sure and cheap, and never instead of a word that was not kept."""

from __future__ import annotations

import os

import pytest

from openhcs.errors import StorageError
from openhcs.io import whole_sync
from openhcs.testing.fileops import FailingOps, TracingOps

MEMINFO = b"MemTotal:       24684052 kB\nDirty:              %d kB\nWriteback:          %d kB\nWritebackTmp:  9 kB\n"


@pytest.fixture
def known(monkeypatch, tmp_path):
    """A file system that keeps its word, on a machine where nothing waits."""
    monkeypatch.setattr(whole_sync, "kind_of", lambda path: "ext4")
    monkeypatch.setattr(whole_sync, "_kernel", lambda: (5, 8))
    monkeypatch.setattr(whole_sync, "_MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_bytes(MEMINFO % (0, 0))
    monkeypatch.setattr(whole_sync, "_trusted", {})
    return tmp_path


def tree(top):
    (top / "a/b").mkdir(parents=True)
    (top / "a/one").write_bytes(b"1")
    (top / "a/b/two").write_bytes(b"2")
    return top / "a"


@pytest.mark.skipif(os.name == "nt", reason="there is no such call on Windows")
def test_a_known_file_system_of_a_quiet_machine_is_synced_whole(known):
    ops = TracingOps()
    ops.sync_tree(tree(known))
    assert ops.counts == {"sync_tree": 1}


@pytest.mark.parametrize("kind", ["", "nfs4", "fuse.sshfs", "fuseblk", "vfat", "overlay", "tmpfs"])
def test_other_file_systems_are_synced_file_by_file(known, monkeypatch, kind):
    monkeypatch.setattr(whole_sync, "kind_of", lambda path: kind)
    ops = TracingOps()
    ops.sync_tree(tree(known))
    assert ops.counts == {"sync": 4}


@pytest.mark.parametrize("release", [(0, 0), (4, 19), (5, 7)])
def test_a_kernel_that_does_not_tell_of_failed_writes_is_not_trusted(known, monkeypatch, release):
    monkeypatch.setattr(whole_sync, "_kernel", lambda: release)
    assert not whole_sync.suits(known)


@pytest.mark.parametrize(("dirty", "writeback"), [(2**18 + 1, 0), (0, 2**18 + 1), (2**17 + 1, 2**17)])
def test_what_others_wrote_is_not_waited_for(known, dirty, writeback):
    (known / "meminfo").write_bytes(MEMINFO % (dirty, writeback))
    assert not whole_sync.suits(known)
    (known / "meminfo").write_bytes(MEMINFO % (2**17, 2**17))
    assert whole_sync.suits(known)


def test_a_machine_that_does_not_tell_what_waits_is_taken_for_busy(known):
    (known / "meminfo").unlink()
    assert not whole_sync.suits(known)


def test_where_the_system_refuses_each_file_is_synced(known, monkeypatch):
    monkeypatch.setattr(whole_sync, "sync", lambda path: False)
    ops = TracingOps()
    ops.sync_tree(tree(known))
    assert ops.counts == {"sync_tree": 1, "sync": 4}


def test_an_error_of_the_system_is_told(known):
    with pytest.raises(StorageError):
        FailingOps(1).sync_tree(tree(known))
