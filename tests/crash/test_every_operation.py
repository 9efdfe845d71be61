"""A run whose disk fails at any one operation, or from then on: one clear error, and the same command goes on."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest

import powercuts
from openhcs.errors import AccessDenied, OpenHCSError, StorageError, StorageFull
from openhcs.testing.fileops import FailingOps, ShortWriteOps, TracingOps
from openhcs.testing.powercut import State, snapshot

WORKS = {"convert": powercuts.Convert, "new plate": powercuts.NewPlate, "replace a well": powercuts.ReplaceWell}
FAULTS = {
    "EIO once": lambda at: FailingOps(at, errno.EIO),
    "EIO from then on": lambda at: FailingOps(at, errno.EIO, forever=True),
    "ENOSPC once": lambda at: FailingOps(at, errno.ENOSPC),
    "ENOSPC from then on": lambda at: FailingOps(at, errno.ENOSPC, forever=True),
    "EROFS from then on": lambda at: FailingOps(at, errno.EROFS, forever=True),
    "half a write, then none": ShortWriteOps,
}
KINDS = {errno.EIO: StorageError, errno.ENOSPC: StorageFull, errno.EROFS: AccessDenied}


class Disk:
    """A work laid out once and copied for each fault."""

    def __init__(self, work):
        self.work = work
        self.base = Path(tempfile.mkdtemp(dir=powercuts.shared_memory(), prefix="openhcs-faults-"))
        self.start, calm = self.base / "start", self.base / "calm"
        for folder in (self.start, calm):
            folder.mkdir()
            work.lay_out(folder)
        ops = TracingOps()
        work.act(calm, ops)
        work.learn(calm)
        self.operations = ops.trace

    def fail(self, ops):
        """Do the work on a failing disk and return the errors it told of, and what is wrong with what it left."""
        top = self.base / "top"
        shutil.copytree(self.start, top)
        told = []
        try:
            result = self.work.run(top, ops)
            told += [failure.message for failure in result.failed]
        except OpenHCSError as error:
            told.append(error)
        wrong = self.work.look(top, State(at=0, tree=snapshot(top), told="")) + self.work.go_on(top)
        shutil.rmtree(top)
        return told, wrong

    def close(self):
        self.work.close()
        shutil.rmtree(self.base)


def fail_everywhere(name, fault, *, every):
    """Return at how many operations the work was made to fail."""
    disk = Disk(WORKS[name]())
    tried = 0
    for at in range(1, len(disk.operations) + 1, every):
        operation = disk.operations[at - 1]
        if fault.startswith("half") and operation[0] != "write":
            continue
        told, wrong = disk.fail(FAULTS[fault](at))
        tried += 1
        assert not wrong, (at, operation, wrong)
        if fault.endswith("from then on"):
            number = getattr(errno, fault.split()[0])
            assert told, (at, operation)
            if isinstance(told[0], OpenHCSError):
                assert isinstance(told[0], KINDS[number]), (at, operation, told)
                assert os.strerror(number) in str(told[0])
    disk.close()
    return tried


@pytest.mark.parametrize("fault", FAULTS)
def test_an_operation_that_fails_costs_no_committed_well(fault):
    assert fail_everywhere("convert", fault, every=1 if fault.startswith("half") else 9) > 5


@pytest.mark.crash
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", WORKS)
def test_no_operation_of_any_run_that_fails_costs_a_committed_well(name, fault):
    tried = fail_everywhere(name, fault, every=1)
    print(f"{name}, {fault}: failed at {tried} operations, nothing lost")
