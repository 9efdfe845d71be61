"""The model of power cuts: what it allows, what it excludes, and that without a cut it is the disk."""

from __future__ import annotations

import os

import pytest

from openhcs.io.fsops import FileOps
from openhcs.testing.journal import JournalOps
from openhcs.testing.powercut import History, lay_down, snapshot, states


def trees(folder, work, *, durable=True, before=()):
    """Return all trees that a cut in ``work(ops)`` may leave."""
    for path, data in before:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    start = snapshot(folder)
    ops = JournalOps(durable=durable)
    work(ops)
    return [state.tree for state in states(History(start, ops.journal, folder))]


def contents(found, path):
    return {tree.get(path) for tree in found}


def test_a_replace_that_syncs_leaves_the_old_or_the_new_file(tmp_path):
    found = trees(tmp_path, lambda ops: ops.replace(tmp_path / "a", b"new!"), before=[("a", b"old")])
    assert contents(found, "a") == {b"old", b"new!"}


def test_a_replace_that_does_not_sync_may_leave_nothing_half_or_zeros(tmp_path):
    found = trees(tmp_path, lambda ops: ops.replace(tmp_path / "a", b"new!"), durable=False, before=[("a", b"old")])
    assert contents(found, "a") == {b"old", b"new!", b"", b"ne", b"\0\0\0\0"}


def test_a_file_that_is_synced_may_still_lose_its_name(tmp_path):
    def work(ops):
        ops.write_new(tmp_path / "a", b"x")
        ops.sync_file(tmp_path / "a")

    assert contents(trees(tmp_path, work), "a") == {None, b"x", b"", b"\0"}
    (tmp_path / "a").unlink()

    def both(ops):
        work(ops)
        ops.sync_dir(tmp_path)
        ops.write_new(tmp_path / "b", b"y")

    found = trees(tmp_path, both)
    assert all(tree["a"] == b"x" for tree in found if "b" in tree)


def test_a_synced_folder_may_lose_its_own_name(tmp_path):
    def work(ops):
        ops.make_dirs(tmp_path / "d")
        ops.create(tmp_path / "d/a", b"x")

    found = trees(tmp_path, work)
    assert {} in found
    assert {"d": None, "d/a": b"x"} in found


def test_two_renames_may_come_in_any_order_but_one_file_is_in_one_place(tmp_path):
    def work(ops):
        ops.rename(tmp_path / "a", tmp_path / "c")
        ops.rename(tmp_path / "b", tmp_path / "d")
        ops.rename(tmp_path / "c", tmp_path / "e")

    found = trees(tmp_path, work, before=[("a", b"a"), ("b", b"b")])
    assert {frozenset(tree) for tree in found} == {frozenset(pair) for pair in ("ab", "cb", "eb", "ad", "cd", "ed")}


def test_an_exchange_is_one_change(tmp_path):
    found = trees(tmp_path, lambda ops: ops.exchange(tmp_path / "a", tmp_path / "b"), before=[("a", b"1"), ("b", b"2")])
    assert sorted((tree["a"], tree["b"]) for tree in found) == [(b"1", b"2"), (b"2", b"1")]


def busy(ops, top):
    ops.make_dirs(top / "x/y")
    ops.write_new(top / "x/y/f", [b"12", b"345"])
    ops.create(top / "x/g", b"g" * 9)
    ops.rename(top / "x/y", top / "z")
    ops.link(top / "z/f", top / "h")
    ops.exchange(top / "x/g", top / "old")
    ops.unlink(top / "x/g")
    ops.make_dirs(top / "w/v")
    ops.remove_tree(top / "w")
    os.close(ops.open_lock(top / "lock"))
    with pytest.raises(FileExistsError):
        ops.write_new(top / "h", b"")


@pytest.mark.parametrize("durable", [True, False])
def test_with_everything_kept_the_last_state_is_what_the_disk_holds(tmp_path, durable):
    work, real, laid = tmp_path / "one", tmp_path / "other", tmp_path / "laid"
    for top in (work, real, laid):
        top.mkdir()
    (work / "old").write_bytes(b"old")
    (real / "old").write_bytes(b"old")
    start = snapshot(work)
    ops = JournalOps(durable=durable)
    busy(ops, work)
    busy(FileOps(), real)
    history = History(start, ops.journal, work)
    tree = history.tree(history.length, set(history.pending(history.length)), lambda _: "kept")
    assert tree == snapshot(work) == snapshot(real)
    lay_down(tree, laid)
    assert snapshot(laid) == tree


def test_each_state_comes_once_and_the_same_ones_every_time(tmp_path):
    ops = JournalOps(durable=False)
    (tmp_path / "old").write_bytes(b"old")
    start = snapshot(tmp_path)
    busy(ops, tmp_path)
    history = History(start, ops.journal, tmp_path)
    keys = [state.key for state in states(history)]
    assert len(keys) == len(set(keys)) > 100
    assert keys == [state.key for state in states(history)]
