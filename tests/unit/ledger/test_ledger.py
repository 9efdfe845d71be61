"""An output's ledger: who may write, what is committed, and what is never removed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from openhcs.errors import (
    AccessDenied,
    FormatError,
    InvalidPath,
    InvalidValue,
    NotFound,
    OpenHCSError,
    OutputBusy,
    OutputExists,
    StorageFull,
)
from openhcs.io import fsops, whole_sync
from openhcs.io.fsops import FileOps
from openhcs.ledger import ledger as ledger_module
from openhcs.ledger.ledger import Ledger
from openhcs.ledger.sealed import seal
from openhcs.testing.fileops import FailingOps, TracingOps

UNIT = "images.zarr/A/01"
STORES = ("images.zarr", "steps/1_blur.zarr")


def put(ledger, well="A01", content=b"new", plan="p", stores=("images.zarr",)):
    with ledger.stage(well) as staging:
        for unit in (f"{store}/{well[0]}/{well[1:]}" for store in stores):
            staging.ops.make_dirs(staging.root / unit / "0")
            staging.ops.write_new(staging.root / unit / "0" / "c", content * 1000)
            staging.write_document(f"{unit}/zarr.json", content)
            staging.published.append(unit)
        return ledger.commit(staging, {"plan": plan})


def prepared(output, plan="p", **how):
    ledger = Ledger(output, durable=False)
    ledger.prepare(json.dumps({"plan": plan}), plan, **how)
    return ledger


def tree(folder):
    """Every file below a folder with its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_committed_well_is_in_place_with_its_record(tmp_path):
    ledger = prepared(tmp_path / "out")
    record = put(ledger)
    assert (tmp_path / "out" / UNIT / "0" / "c").read_bytes() == b"new" * 1000
    assert (tmp_path / "out" / UNIT / "zarr.json").read_bytes() == b"new"
    assert Ledger(tmp_path / "out").records() == {"A01": record}
    assert [one["path"] for one in record["objects"]] == [f"{UNIT}/0/c"]
    assert record["objects"][0]["bytes"] == 3000
    assert (record["generation"], record["units"], record["plan"]) == (1, [UNIT], "p")
    assert ledger.verify("A01") == ()
    assert (ledger.plan_id(), json.loads(ledger.plan_json())) == ("p", {"plan": "p"})


def test_the_ledger_of_a_bare_store_lies_beside_it(tmp_path):
    ledger = prepared(tmp_path / "plate.zarr")
    assert not (tmp_path / "plate.zarr").exists()
    with ledger.stage("A01") as staging:
        staging.ops.make_dirs(staging.root / "A/01")
        staging.ops.write_new(staging.root / "A/01/c", b"x")
        staging.published.append("A/01")
        ledger.commit(staging, {"plan": "p"})
    assert sorted(os.listdir(tmp_path)) == [".plate.zarr.openhcs", "plate.zarr"]
    assert os.listdir(tmp_path / "plate.zarr") == ["A"]
    prepared(tmp_path / "plate.zarr", "q", exist="replace")
    assert os.listdir(tmp_path) == [".plate.zarr.openhcs"]


def test_nothing_staged_is_seen_and_what_is_not_committed_is_removed(tmp_path):
    ledger = prepared(tmp_path / "out")
    with contextlib.suppress(KeyError), ledger.stage("A01") as staging:
        staging.ops.write_new(staging.root / "a", b"x")
        assert os.listdir(tmp_path / "out") == [".openhcs"]
        raise KeyError
    assert os.listdir(ledger.places.staging) == []
    assert ledger.records() == {}


def test_a_damaged_or_missing_object_is_named(tmp_path):
    ledger = prepared(tmp_path / "out")
    put(ledger)
    path = tmp_path / "out" / UNIT / "0" / "c"
    path.write_bytes(b"neW" + path.read_bytes()[3:])
    assert ledger.verify("A01") == (f"{UNIT}/0/c",)
    path.unlink()
    assert ledger.verify("A01") == (f"{UNIT}/0/c",)


def test_a_failure_is_kept_until_the_well_is_committed(tmp_path):
    ledger = prepared(tmp_path / "out")
    ledger.notes.fail("A01", {"step": "blur", "message": "no", "traceback": ""})
    assert ledger.notes.failures()["A01"]["step"] == "blur"
    put(ledger)
    assert ledger.notes.failures() == {}


def test_derived_documents_are_written_when_they_differ(tmp_path):
    ledger = prepared(tmp_path / "out")
    assert ledger.write_derived({"images.zarr/zarr.json": b"1"}) == ("images.zarr/zarr.json",)
    before = (tmp_path / "out/images.zarr/zarr.json").stat()
    assert ledger.write_derived({"images.zarr/zarr.json": b"1"}) == ()
    after = (tmp_path / "out/images.zarr/zarr.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    with pytest.raises(InvalidPath):
        ledger.write_derived({"../elsewhere": b"1"})


def test_the_same_plan_goes_on_and_keeps_what_is_committed(tmp_path):
    record = put(prepared(tmp_path / "out"))
    for exist in ("auto", "resume"):
        assert prepared(tmp_path / "out", exist=exist).records() == {"A01": record}


def test_refusals_name_what_is_there_and_the_ways_out(tmp_path):
    put(prepared(tmp_path / "out"))
    before = tree(tmp_path)
    with pytest.raises(OutputExists, match=r"1 finished well of another plan \(p; this one is q\).*--exist replace"):
        prepared(tmp_path / "out", "q")
    with pytest.raises(OutputExists, match=r"this very plan.*--exist resume.*--exist replace"):
        prepared(tmp_path / "out", exist="error")
    with pytest.raises(InvalidValue, match="did you mean 'replace'"):
        prepared(tmp_path / "out", exist="replce")
    with pytest.raises(NotFound, match="no work to go on with"):
        prepared(tmp_path / "new", exist="resume")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("exist", ["auto", "error", "resume", "replace"])
@pytest.mark.parametrize("name", ["out", "out.zarr"])
def test_a_folder_of_strangers_is_refused_and_left_alone(tmp_path, exist, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years of work")
    before = tree(tmp_path)
    with pytest.raises(OutputExists, match=r"thesis\.txt"):
        prepared(tmp_path / name, exist=exist)
    assert tree(tmp_path) == before
    assert sorted(os.listdir(tmp_path)) == [name]


@pytest.mark.parametrize("place", ["thesis.txt", "images.zarr/notes.txt", f"{UNIT}/0/mine", "images.zarr/Q/01/c"])
def test_replacing_removes_nothing_when_a_stranger_lies_among_ours(tmp_path, place):
    put(prepared(tmp_path / "out"))
    (tmp_path / "out" / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "out" / place).write_text("years of work")
    before = tree(tmp_path)
    with pytest.raises(OutputExists, match="did not write"):
        prepared(tmp_path / "out", exist="replace")
    assert tree(tmp_path) == before
    assert prepared(tmp_path / "out").records().keys() == {"A01"}


def test_replacing_removes_ours_and_follows_no_link(tmp_path):
    ledger = prepared(tmp_path / "out")
    put(ledger)
    ledger.write_derived({"images.zarr/zarr.json": b"1", f"{UNIT}/zarr.json": b"2", "results/counts.csv": b"3"})
    ledger.notes.fail("B02", {"message": "no"})
    ledger = prepared(tmp_path / "out", "q", exist="replace")
    assert os.listdir(tmp_path / "out") == [".openhcs"]
    assert (ledger.records(), ledger.notes.failures(), ledger.plan_id()) == ({}, {}, "q")


def test_something_at_the_place_of_a_well_that_no_record_names_is_left_alone(tmp_path):
    ledger = prepared(tmp_path / "out")
    (tmp_path / "out" / UNIT).mkdir(parents=True)
    (tmp_path / "out" / UNIT / "mine").write_text("years of work")
    with pytest.raises(OutputExists, match="no commit record names it"):
        put(ledger)
    assert (tmp_path / "out" / UNIT / "mine").read_text() == "years of work"
    assert ledger.records() == {}
    assert os.listdir(ledger.places.staging) == []


@pytest.mark.parametrize("output", ["plate", "plate/out", ".", "link/out"])
def test_an_output_that_touches_the_input_is_refused(tmp_path, output):
    (tmp_path / "plate").mkdir()
    (tmp_path / "plate" / "a.tif").write_text("pixels")
    (tmp_path / "link").symlink_to(tmp_path / "plate")
    before = tree(tmp_path)
    for exist in ("auto", "replace"):
        with pytest.raises(InvalidPath, match="inputs are never written to"):
            prepared(tmp_path / output, exist=exist, inputs=tmp_path / "plate")
    assert tree(tmp_path) == before
    prepared(tmp_path / "plate_outputs", inputs=tmp_path / "plate")


def test_a_runner_keeps_preparing_with_another_plan_and_closing_out_and_is_named(tmp_path):
    script = (
        "import sys, time; from openhcs.ledger.ledger import Ledger\n"
        "with Ledger(sys.argv[1]).running(): print('on', flush=True); time.sleep(60)"
    )
    ledger = prepared(tmp_path / "out")
    with subprocess.Popen([sys.executable, "-c", script, tmp_path / "out"], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"on\n"
        for plan, exist in (("q", "auto"), ("q", "replace"), ("p", "replace")):
            with pytest.raises(OutputBusy, match=f"process {child.pid} on {os.uname().nodename}"):
                prepared(tmp_path / "out", plan, exist=exist)
        prepared(tmp_path / "out")
        with ledger.running():
            put(ledger)
        with pytest.raises(OutputBusy, match=str(child.pid)), ledger.closing():
            pass
        child.kill()
    with ledger.closing():
        assert os.listdir(ledger.folder / "holders") == []


def test_two_processes_commit_different_wells_and_the_same_well(tmp_path):
    ledger = prepared(tmp_path / "out")
    script = (
        "import sys; sys.path[:0] = [sys.argv[2]]; from test_ledger import Ledger, put\n"
        "for n in range(10): put(Ledger(sys.argv[1], durable=False), 'A01', sys.argv[3].encode())\n"
        "put(Ledger(sys.argv[1], durable=False), sys.argv[3])"
    )
    words = [sys.executable, "-c", script, tmp_path / "out", os.path.dirname(__file__)]
    children = [subprocess.Popen([*words, well]) for well in ("B01", "C01")]
    assert [child.wait(60) for child in children] == [0, 0]
    records = ledger.records()
    assert sorted(records) == ["A01", "B01", "C01"]
    assert records["A01"]["generation"] == 20
    assert [ledger.verify(well) for well in records] == [(), (), ()]
    with ledger.closing():
        assert sorted(os.listdir(ledger.places.commits)) == ["A01.20.json", "B01.1.json", "C01.1.json"]
    assert os.listdir(ledger.places.staging) == []


def test_threads_of_one_process_commit_at_once(tmp_path):
    ledger = prepared(tmp_path / "out")
    wells = [f"A{number:02}" for number in range(1, 9)]
    threads = [threading.Thread(target=put, args=(ledger, well)) for well in wells]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ledger.records()) == wells


def test_staging_of_dead_processes_is_collected_and_that_of_living_ones_is_not(tmp_path):
    ledger = prepared(tmp_path / "out")
    orphan = ledger.places.staging / "B01-dead"
    (orphan / "out").mkdir(parents=True)
    (orphan / "owner").write_text(json.dumps({"pid": 1, "host": os.uname().nodename}))
    far = ledger.places.staging / "C01-far"
    far.mkdir()
    (far / "owner").write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with ledger.stage("A01") as staging:
        ledger.recover()
        assert sorted(os.listdir(ledger.places.staging)) == sorted([staging.folder.name, "C01-far"])
    ledger.recover(other_hosts=True)
    assert os.listdir(ledger.places.staging) == []


def test_a_commit_of_a_plan_that_was_replaced_is_refused(tmp_path):
    ledger = prepared(tmp_path / "out")
    with pytest.raises(OutputExists, match="given to plan p while plan other"):
        put(ledger, plan="other")
    assert ledger.records() == {}


def run_to_failure(tmp_path, make, *, old):
    """Fail a commit at every operation; what is published is old or new, whole, and recovery mends the rest."""
    for at in range(1, 300):
        output = tmp_path / f"out{at}"
        ledger = prepared(output)
        if old:
            put(ledger, content=b"old", stores=STORES)
        ops = make(at)
        raised = None
        try:
            put(Ledger(output, ops), content=b"new", stores=STORES)
        except OpenHCSError as error:
            raised = error
        with ledger.closing():
            pass
        record = ledger.records().get("A01")
        there = (output / UNIT / "0" / "c").read_bytes()[:3] if (output / UNIT).exists() else None
        assert there in ((b"old", b"new") if old else (None, b"new")), at
        assert (record is None) == (there is None), at
        assert record is None or ledger.verify("A01") == (), at
        assert raised is not None or there == b"new", at
        assert os.listdir(ledger.places.staging) == os.listdir(ledger.places.tmp) == [], at
        put(ledger, content=b"new", stores=STORES)
        if raised is not None:
            yield raised
        if len(ops.trace) < at:
            return
    raise AssertionError("never went through")


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("swap", [True, False])
def test_an_error_at_any_operation_of_a_commit_leaves_the_well_whole(tmp_path, monkeypatch, old, swap):
    if not swap:
        monkeypatch.setattr(fsops, "_rename", lambda *_: False)
    errors = list(run_to_failure(tmp_path, FailingOps, old=old))
    assert len(errors) > 20
    assert {error.errno for error in errors} == {errno.EIO}


class FullOps(FailingOps):
    """From some operation on only removing works, as on a full disk."""

    def note(self, operation, path):
        if operation in {"unlink", "rmdir"}:
            self.trace.append((operation, str(path)))
        else:
            super().note(operation, path)


def test_a_disk_on_which_only_removing_works_leaves_the_old_well_whole(tmp_path):
    errors = list(run_to_failure(tmp_path, lambda at: FullOps(at, errno.ENOSPC, forever=True), old=True))
    assert {type(error) for error in errors} == {StorageFull}


def test_an_intent_whose_staging_is_gone_does_not_touch_the_old_well(tmp_path):
    ledger = prepared(tmp_path / "out")
    record = put(ledger, content=b"old")
    intent = record | {"generation": 2, "staging": "A01-gone", "objects": [record["objects"][0] | {"digest": "0" * 16}]}
    (ledger.places.commits / "A01.2.intent").write_bytes(seal(intent))
    ledger.recover()
    assert ledger.records() == {"A01": record}
    assert ledger.verify("A01") == ()
    assert os.listdir(ledger.places.commits) == ["A01.1.json"]


def test_a_writer_overtaken_between_its_look_and_its_intent_takes_the_next_generation(tmp_path):
    ledger = prepared(tmp_path / "out")

    class OvertakenOps(FileOps):
        overtaken = False

        def create(self, path, data, *, via=None):
            if not self.overtaken and str(path).endswith(".intent"):
                self.overtaken = True
                put(ledger, content=b"first")
            return super().create(path, data, via=via)

    record = put(Ledger(tmp_path / "out", OvertakenOps(durable=False)), content=b"later")
    assert record["generation"] == 2
    assert ledger.records() == {"A01": record}
    assert ledger.verify("A01") == ()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EROFS, AccessDenied)])
def test_a_disk_that_fails_for_good_in_a_commit_leaves_the_old_well_whole(tmp_path, number, kind):
    errors = list(run_to_failure(tmp_path, lambda at: FailingOps(at, number, forever=True), old=True))
    assert {type(error) for error in errors} == {kind}


def test_replacing_that_stops_anywhere_leaves_an_output_with_fewer_wells(tmp_path):
    for at in range(1, 400):
        output = tmp_path / f"out{at}"
        ledger = prepared(output)
        for well in ("A01", "B02"):
            put(ledger, well)
        ledger.write_derived({"images.zarr/zarr.json": b"1"})
        ops = FailingOps(at, forever=True, durable=False)
        with contextlib.suppress(OpenHCSError):
            Ledger(output, ops).prepare('{"plan": "q"}', "q", exist="replace")
        ledger = prepared(output, ledger.notes.plan_id() or "q")
        for well in ledger.records():
            assert ledger.verify(well) == (), at
        prepared(output, "r", exist="replace")
        assert os.listdir(output) == [".openhcs"], at
        if len(ops.trace) < at:
            return
    raise AssertionError("never went through")


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EROFS, AccessDenied)])
def test_preparing_that_stops_anywhere_can_be_done_again(tmp_path, number, kind):
    for at in range(1, 200):
        output = tmp_path / f"out{at}"
        ops = FailingOps(at, number, forever=True)
        failed = None
        try:
            Ledger(output, ops).prepare('{"plan": "p"}', "p")
        except OpenHCSError as error:
            failed = type(error)
        assert failed in (kind, None)
        there = (output / ".openhcs" / "ledger.json").exists()
        put(prepared(output, exist="resume" if there else "error"))
        if len(ops.trace) < at:
            return
    raise AssertionError("never went through")


def test_a_read_only_output_can_be_looked_at(tmp_path):
    ledger = prepared(tmp_path / "out")
    put(ledger)
    ops = TracingOps()
    looking = Ledger(tmp_path / "out", ops)
    assert (looking.plan_id(), list(looking.records()), looking.notes.failures()) == ("p", ["A01"], {})
    assert ops.trace == []


def test_a_ledger_that_is_not_there_or_not_ours_says_so(tmp_path):
    with pytest.raises(NotFound, match="no work of openhcs"):
        Ledger(tmp_path / "out").plan_id()
    ledger = prepared(tmp_path / "out")
    put(ledger)
    (ledger.places.commits / "A01.1.json").write_text("{")
    with pytest.raises(FormatError, match=r"A01.1.json is damaged.*have that well done again"):
        ledger.records()
    (ledger.folder / "ledger.json").write_bytes(seal({"format": 99}))
    with pytest.raises(FormatError, match="another version"):
        ledger.plan_id()


def test_a_full_disk_says_so_and_touches_nothing_published(tmp_path):
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        ledger = Ledger(disk / "out")
        ledger.prepare('{"plan": "p"}', "p")
        put(ledger, content=b"old" * 40)
        before = tree(disk)
        with pytest.raises(StorageFull, match="Free some space"):
            put(ledger, content=os.urandom(950))
        with pytest.raises(StorageFull), ledger.stage("B02") as staging:
            staging.ops.write_new(staging.root / "big", b"x" * 2_000_000)
        assert {path: tree(disk)[path] for path in before} == before
        assert ledger.verify("A01") == ()
        put(ledger, "B02", b"now it fits")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_commit_syncs_each_file_and_folder_once(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_sync, "suits", lambda path: False)
    prepared(tmp_path / "out")
    ops = TracingOps()
    put(Ledger(tmp_path / "out", ops))
    ledger = Ledger(tmp_path / "out")
    synced = [path for operation, path in ops.trace if operation == "sync"]
    # staged: out, images.zarr, A, 01, 0 and two files; intent and commits; A, images.zarr, out; commits.
    assert len(synced) == 7 + 2 + 3 + 1
    assert synced.count(str(ledger.places.commits)) == 2
    assert isinstance(ledger.ops, FileOps)


def test_a_commit_syncs_what_is_staged_at_once_where_the_file_system_can(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_sync, "suits", lambda path: True)
    prepared(tmp_path / "out")
    ops = TracingOps()
    put(Ledger(tmp_path / "out", ops))
    assert ops.counts["sync_tree"] == 1
    assert ops.counts["sync"] == 2 + 3 + 1


def orphaned(output):
    """An output whose well A01 was being made again when the process died: the intent stands, nothing is in place."""
    ledger = prepared(output)
    record = put(ledger, content=b"old")
    intent = record | {"generation": 2, "staging": "A01-gone", "objects": [record["objects"][0] | {"digest": "0" * 16}]}
    (ledger.places.commits / "A01.2.intent").write_bytes(seal(intent))
    return ledger


def test_who_settles_a_dead_intent_does_not_touch_one_that_took_its_name(tmp_path, monkeypatch):
    ledger = orphaned(tmp_path / "out")
    other = Ledger(tmp_path / "out", durable=False)
    entered = []
    read = ledger_module.settle

    def slow(places, entry):
        # While this one settles, another finds the same intent and must wait.
        thread = threading.Thread(target=put, args=(other, "A01"), kwargs={"content": b"new"})
        if not entered:
            entered.append(thread)
            thread.start()
            time.sleep(0.3)
            assert thread.is_alive()
        read(places, entry)

    monkeypatch.setattr(ledger_module, "settle", slow)
    put(ledger, content=b"mine")
    entered[0].join()
    assert ledger.verify("A01") == ()
    assert ledger.unfinished() == ()
    assert ledger.records()["A01"]["generation"] == 3


@pytest.mark.parametrize("name", ["documents", "units"])
def test_a_list_that_leads_out_of_the_output_removes_nothing(tmp_path, name):
    (tmp_path / "thesis.txt").write_text("mine")
    ledger = prepared(tmp_path / "out")
    content = {"documents": {"../thesis.txt": "00"}} if name == "documents" else {"units": ["../thesis.txt"]}
    (ledger.folder / f"{name}.json").write_bytes(seal(content))
    with pytest.raises(OpenHCSError, match="thesis"):
        prepared(tmp_path / "out", "q", exist="replace")
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_names_of_dead_holders_on_other_machines_go_when_asked(tmp_path):
    ledger = prepared(tmp_path / "out")
    put(ledger)
    far = ledger.folder / "holders" / "deadbox-1-abc"
    far.write_text('{"pid": 1, "host": "deadbox"}')
    with ledger.closing():
        pass
    assert far.exists()
    assert ledger.at_work() == ()
    with ledger.closing(other_hosts=True):
        pass
    assert not far.exists()


def test_who_is_refused_because_of_another_machine_is_told_of_clean(tmp_path):
    ledger = prepared(tmp_path / "out")
    (ledger.folder / "holders" / "deadbox-1-abc").write_text('{"pid": 1, "host": "deadbox"}')
    with Ledger(tmp_path / "out").running(), pytest.raises(OutputBusy, match=r"on deadbox any more: openhcs clean"):
        prepared(tmp_path / "out", "q", exist="replace")


@pytest.mark.parametrize("content", [b"[]", b'{"host": "z"}', b'{"host": 1, "pid": 1}', b"{", None])
def test_a_holder_that_is_none_is_nobody(tmp_path, content):
    ledger = prepared(tmp_path / "out")
    path = ledger.folder / "holders" / "x"
    os.mkfifo(path) if content is None else path.write_bytes(content)
    with Ledger(tmp_path / "out").running():
        assert len(ledger.at_work()) == 1


def test_two_runs_of_one_plan_keep_each_others_wells_in_its_text(tmp_path):
    ledger = prepared(tmp_path / "out")
    ledger.renew_plan(lambda: '{"plan": "p", "tasks": [1]}')
    ledger.renew_plan(lambda: ledger.plan_json().replace("[1]", "[1, 2]"))
    assert json.loads(ledger.plan_json())["tasks"] == [1, 2]
