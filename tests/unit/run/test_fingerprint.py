"""The fingerprint of a step changes with its functions and arguments, and with nothing else."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from openhcs.core.steps import FunctionStep
from openhcs.run.fingerprint import step_fingerprint


def fingerprint(func):
    return step_fingerprint(FunctionStep(func, "s", []))


def module_function(source, name="f"):
    space = {}
    exec(compile(source, "<made>", "exec"), space)
    return space[name]


def closing_over(value):
    def inner(stack):
        return stack * value

    return inner


def plain(stack):
    return stack + 1


def test_the_same_function_and_arguments_give_the_same():
    assert fingerprint((plain, {"k": [1, 2.5]})) == fingerprint((plain, {"k": [1, 2.5]}))
    assert fingerprint(closing_over(2)) == fingerprint(closing_over(2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((plain, {"k": 1}), (plain, {"k": 2})),
        ((plain, {"k": np.zeros(3)}), (plain, {"k": np.ones(3)})),
        (closing_over(2), closing_over(3)),
        (plain, [plain, plain]),
        (lambda stack: stack + 1, lambda stack: stack + 2),
        (np.sqrt, np.exp),
        (functools.partial(plain, k=1), functools.partial(plain, k=2)),
        (module_function("def f(s):\n    return s"), module_function("def f(s):\n    return s + 1")),
        ({"1": plain}, {"2": plain}),
    ],
)
def test_a_change_shows(one, other):
    assert fingerprint(one) != fingerprint(other)


def test_place_and_line_do_not_matter():
    source = "def f(s):\n    return s"
    assert fingerprint(module_function(source)) == fingerprint(module_function("\n\n\n" + source))
