"""Files change whole or not at all, on file systems with fewer abilities too."""

from __future__ import annotations

import errno
import os
import threading

import pytest
import xxhash

from openhcs.errors import AccessDenied, AlreadyExists, NotFound, OpenHCSError, StorageFull
from openhcs.io import fsops
from openhcs.io.fsops import FileOps, RecordingOps, is_temporary
from openhcs.testing.fileops import FailingOps, ShortWriteOps, TracingOps


@pytest.fixture(params=["able", "no flags", "no flags, no links"])
def ops(request, monkeypatch):
    if request.param != "able":
        monkeypatch.setattr(fsops, "_rename", lambda *_: False)
    if "no links" in request.param:

        def refuse(*_):
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    return FileOps()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read_back_with_its_digest(tmp_path):
    stored = FileOps().write_new(tmp_path / "a", [b"one", bytearray(b"two"), memoryview(b"three")])
    assert (tmp_path / "a").read_bytes() == b"onetwothree"
    assert (stored.bytes, stored.digest) == (11, xxhash.xxh3_64_hexdigest(b"onetwothree"))


def test_create_puts_a_file_once_and_leaves_nothing_beside_it(tmp_path, ops):
    ops.create(tmp_path / "a", b"first")
    with pytest.raises(AlreadyExists):
        ops.create(tmp_path / "a", b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


def test_of_many_threads_that_create_one_file_one_wins(tmp_path):
    won = []

    def write(number):
        try:
            FileOps(durable=False).create(tmp_path / "a", b"%d" % number)
        except AlreadyExists:
            return
        won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "a").read_bytes() == b"%d" % won[0]


def test_replace_swaps_the_content_and_never_follows_a_link(tmp_path, ops):
    (tmp_path / "precious").write_bytes(b"keep")
    (tmp_path / "a").symlink_to(tmp_path / "precious")
    ops.replace(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "precious").read_bytes() == b"keep"


def test_the_unfinished_file_lies_where_it_is_told_to(tmp_path):
    (tmp_path / "aside").mkdir()
    ops = TracingOps()
    ops.replace(tmp_path / "a", b"new", via=tmp_path / "aside")
    assert (tmp_path / "aside").samefile(os.path.dirname(ops.trace[0][1]))
    assert names(tmp_path / "aside") == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_exchange_swaps_two_things(tmp_path, ops, kind):
    for name in ("one", "other"):
        if kind == "folder":
            (tmp_path / name).mkdir()
        (tmp_path / name / "x" if kind == "folder" else tmp_path / name).write_text(name)
    ops.exchange(tmp_path / "one", tmp_path / "other")
    inner = "x" if kind == "folder" else ""
    assert (tmp_path / "one" / inner if inner else tmp_path / "one").read_text() == "other"
    assert (tmp_path / "other" / inner if inner else tmp_path / "other").read_text() == "one"
    assert names(tmp_path) == ["one", "other"]


def test_exchange_with_nothing_is_refused_and_changes_nothing(tmp_path, ops):
    (tmp_path / "one").write_text("one")
    with pytest.raises(NotFound):
        ops.exchange(tmp_path / "one", tmp_path / "other")
    with pytest.raises(NotFound):
        ops.exchange(tmp_path / "other", tmp_path / "one")
    assert (tmp_path / "one").read_text() == "one"


def test_removing_a_tree_never_follows_a_link(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").write_text("keep")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "direct").symlink_to(tmp_path / "precious")
    FileOps().remove_tree(tmp_path / "tree")
    FileOps().remove_tree(tmp_path / "direct")
    assert names(tmp_path) == ["precious"]
    assert (tmp_path / "precious" / "a").read_text() == "keep"


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path):
    (tmp_path / "a").write_text("file")
    with pytest.raises(OpenHCSError, match="make the folder"):
        FileOps().make_dirs(tmp_path / "a" / "b")
    with pytest.raises(OpenHCSError, match="make the folder"):
        FileOps().make_dirs(tmp_path / "a")


@pytest.mark.parametrize("verb", ["create", "replace"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_failure_anywhere_leaves_the_old_file_or_the_new_one_and_no_rest(tmp_path, verb, number):
    kinds = {errno.ENOSPC: StorageFull, errno.EROFS: AccessDenied}
    for at in range(1, 20):
        folder = tmp_path / str(at)
        folder.mkdir()
        old = None
        if verb == "replace":
            (folder / "a").write_bytes(b"old")
            old = b"old"
        ops = FailingOps(at, number)
        raised = None
        try:
            getattr(ops, verb)(folder / "a", b"new")
        except OpenHCSError as error:
            raised = error
        assert raised is None or (isinstance(raised, kinds.get(number, OSError)) and raised.errno == number)
        there = (folder / "a").read_bytes() if (folder / "a").exists() else None
        assert there in (old, b"new")
        assert [name for name in names(folder) if is_temporary(name)] == []
        if len(ops.trace) < at:
            return
    raise AssertionError("never went through")


def test_a_disk_that_takes_half_a_write_is_full_and_nothing_is_left(tmp_path):
    with pytest.raises(StorageFull, match="Free some space"):
        ShortWriteOps(2).write_new(tmp_path / "a", b"x" * 100)
    assert names(tmp_path) == []


def test_a_recorder_lists_files_by_their_final_names(tmp_path):
    ops = RecordingOps(over=FileOps(durable=False))
    ops.write_new(tmp_path / "a", b"1")
    ops.replace(tmp_path / "a", b"22")
    ops.create(tmp_path / "b", b"333")
    ops.write_new(tmp_path / "gone", b"")
    ops.unlink(tmp_path / "gone")
    assert {one.path: one.bytes for one in ops.written} == {str(tmp_path / "a"): 2, str(tmp_path / "b"): 3}


def test_a_recorder_passes_every_operation_to_the_layer_below(tmp_path):
    with pytest.raises(StorageFull):
        RecordingOps(over=FailingOps(2, errno.ENOSPC)).write_new(tmp_path / "a", b"x")
    assert names(tmp_path) == []


def test_nothing_is_synced_when_durability_is_turned_off(tmp_path):
    ops = TracingOps(durable=False)
    ops.replace(tmp_path / "a", b"x")
    ops.sync_tree(tmp_path)
    assert ops.counts["sync"] == 0
