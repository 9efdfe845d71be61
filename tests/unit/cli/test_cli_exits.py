"""Every error has its exit code, and its message says what to do next."""

from __future__ import annotations

import errno
import io

import pytest

from openhcs import errors
from openhcs.cli import exits

EXPECTED = {
    errors.UsageError: 2,
    errors.InvalidValue: 2,
    errors.InvalidType: 2,
    errors.UnknownName: 2,
    errors.InvalidPath: 2,
    errors.PlanError: 2,
    errors.NotFound: 4,
    errors.AlreadyExists: 5,
    errors.OutputExists: 5,
    errors.OutputBusy: 5,
    errors.InputError: 4,
    errors.FormatError: 4,
    errors.NotGrey: 4,
    errors.SeveralPlates: 4,
    errors.MissingPlanes: 4,
    errors.StorageError: 4,
    errors.StorageFull: 6,
    errors.AccessDenied: 4,
    errors.OutOfBudget: 6,
    errors.StepError: 3,
    errors.WorkerLost: 3,
    errors.TookTooLong: 3,
    errors.Stopped: 130,
}


def family(kind: type) -> set[type]:
    return {kind}.union(*(family(child) for child in kind.__subclasses__()))


def guarded(error: BaseException, *words: str) -> tuple[int, str]:
    stream = io.StringIO()
    guard = exits.Guard(list(words), stream)
    with guard:
        raise error
    return guard.code, stream.getvalue()


def test_every_error_of_the_tree_has_its_code() -> None:
    ours = {kind for kind in family(errors.OpenHCSError) if kind.__module__ == "openhcs.errors"}
    assert {kind: exits.code_for(kind("text")) for kind in ours - {errors.OpenHCSError}} == EXPECTED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 6),
        (MemoryError(), 6),
        (PermissionError(errno.EACCES, "Permission denied"), 4),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
        (SystemExit(0), 0),
        (SystemExit(), 0),
        (SystemExit(2), 2),
    ],
)
def test_errors_that_are_not_ours_have_codes_too(error: BaseException, code: int) -> None:
    assert guarded(error, "run")[0] == code


def test_a_message_has_no_traceback_unless_debug_is_given() -> None:
    error = errors.NotFound("no plate at /x. Check the path.")
    assert guarded(error, "scan", "/x") == (4, "error: no plate at /x. Check the path.\n")
    assert "Traceback (most recent call last)" in guarded(error, "scan", "/x", "--debug")[1]


def test_a_message_names_the_places_that_its_text_leaves_out() -> None:
    error = errors.FormatError("a.tif is cut off in A01", well="A01", site=3, path="a.tif")
    assert guarded(error)[1] == "error: a.tif is cut off in A01\n  where: site 3\n"


def test_a_bug_is_told_as_ours_with_the_command_that_shows_more() -> None:
    code, text = guarded(KeyError("x"), "convert", "my plate", "out.zarr")
    assert code == 1
    assert "bug in openhcs: KeyError: 'x'" in text
    assert "openhcs convert 'my plate' out.zarr --debug" in text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), errors.Stopped("2 of 6 wells are committed and stay")])
def test_an_interrupted_run_says_how_to_go_on_and_leaves_exist_out(error: BaseException) -> None:
    code, text = guarded(error, "run", "p.py", "plate", "--exist", "replace", "-o", "out")
    assert code == 130
    assert text.endswith("To go on with the rest:\n  openhcs run p.py plate -o out\n")
    assert "stay" in text


def test_an_interrupted_scan_promises_nothing() -> None:
    assert guarded(KeyboardInterrupt(), "scan", "x") == (130, "interrupted\n")


def test_exist_is_left_out_in_both_its_forms() -> None:
    assert exits.without_exist(["a", "--exist=resume", "b", "--exist", "error", "c"]) == ["a", "b", "c"]
