"""The tree of errors: every one is its builtin, says where, and crosses processes whole."""

from __future__ import annotations

import builtins
import errno
import pickle
import re

import pytest

from openhcs import errors
from openhcs.errors import OpenHCSError, from_oserror, suggest


def every_kind() -> list[type[OpenHCSError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OpenHCSError)]


def drawn() -> dict[str, tuple[str | None, int]]:
    """Return name → (builtin, depth) as the tree in the module's docstring shows them."""
    found = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([│├└─ ]*)(\w+)(?: \((\w+)\))?(?:  |$)", line):
            found[match[2]] = (match[3], len(match[1]) // 4)
    return found


def test_the_drawn_tree_holds_every_error_and_nothing_else() -> None:
    assert set(drawn()) == {kind.__name__ for kind in every_kind()}


@pytest.mark.parametrize("name", drawn())
def test_an_error_is_where_and_what_the_tree_says(name: str) -> None:
    builtin, depth = drawn()[name]
    kind = getattr(errors, name)
    ours = [base for base in kind.__mro__ if issubclass(base, OpenHCSError)]
    assert len(ours) == depth + 1
    if builtin is not None:
        assert issubclass(kind, getattr(builtins, builtin))


@pytest.mark.parametrize("kind", [kind for kind in every_kind() if kind is not OpenHCSError])
def test_every_error_is_also_a_builtin(kind: type[OpenHCSError]) -> None:
    assert [base for base in kind.__mro__ if base.__module__ == "builtins" and base not in (Exception, BaseException)]


@pytest.mark.parametrize("kind", every_kind())
def test_an_error_crosses_processes_whole(kind: type[OpenHCSError]) -> None:
    told = kind("what, where, what next", path="p/q.tif", backend="disk", well="A01", site=3, step="gaussian")
    told.errno = 77
    back = pickle.loads(pickle.dumps(told))
    assert type(back) is kind
    assert str(back) == "what, where, what next"
    assert back.errno == 77
    assert back.fields == {"path": "p/q.tif", "backend": "disk", "well": "A01", "site": 3, "step": "gaussian"}


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (errors.NotFound, errno.ENOENT),
        (errors.AlreadyExists, errno.EEXIST),
        (errors.StorageFull, errno.ENOSPC),
        (errors.AccessDenied, errno.EACCES),
    ],
)
def test_an_error_of_the_system_kind_has_its_number(kind: type[OpenHCSError], number: int) -> None:
    assert kind("gone").errno == number


def test_what_is_not_known_is_not_told() -> None:
    assert OpenHCSError("x").fields == {}


def test_notes_cross_processes_too() -> None:
    told = errors.StepError("x")
    told.add_note("the worker's traceback")
    assert pickle.loads(pickle.dumps(told)).__notes__ == ["the worker's traceback"]


def test_a_near_miss_is_suggested() -> None:
    assert suggest("memroy", ["memory", "disk"]) == "did you mean 'memory'? known: memory, disk"


def test_without_a_near_miss_the_known_names_are_told() -> None:
    assert suggest("q", ["memory", "disk"]) == "known: memory, disk"
    assert suggest("q", []) == "none are known"


def test_a_long_list_of_names_is_cut() -> None:
    assert suggest("B99", [f"A{n:02d}" for n in range(1, 25)]).endswith("… (24 in all)")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.StorageFull),
        (errno.EDQUOT, errors.StorageFull),
        (errno.EACCES, errors.AccessDenied),
        (errno.EPERM, errors.AccessDenied),
        (errno.EROFS, errors.AccessDenied),
        (errno.ENOENT, errors.NotFound),
        (errno.EEXIST, errors.AlreadyExists),
        (errno.EIO, errors.StorageError),
        (errno.EMFILE, errors.StorageError),
    ],
)
def test_an_error_of_the_system_becomes_ours_and_keeps_its_number(number: int, kind: type[OpenHCSError]) -> None:
    told = from_oserror(OSError(number, "why", "a/b"), doing="write the file")
    assert type(told) is kind
    assert told.errno == number
    assert told.path == "a/b"
    assert str(told).startswith("could not write the file: a/b: why")
