"""The fingerprint of a step changes with its functions and arguments, and with nothing else."""

from __future__ import annotations

import functools
import subprocess
import sys

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


class Threshold:
    def __init__(self, level):
        self.level = level

    def __call__(self, stack):
        return stack > self.level

    def apply(self, stack):
        return stack > self.level


FILE = """
LIMIT = {limit}
NAMES = {{"b", "a", "c"}}

def helper(stack):
    return stack {op} LIMIT

def unused(stack):
    return {unused}

def step(stack):
    return helper(stack) if "a" in NAMES else stack
"""


def step_of(limit=3, op=">", unused=1):
    return module_function(FILE.format(limit=limit, op=op, unused=unused), "step")


@pytest.mark.parametrize("change", [{"limit": 4}, {"op": "<"}])
def test_a_helper_and_a_constant_of_the_same_file_count(change):
    assert fingerprint(step_of()) != fingerprint(step_of(**change))


def test_what_the_function_does_not_use_does_not_count():
    assert fingerprint(step_of(unused=1)) == fingerprint(step_of(unused=2))


def test_the_state_of_objects_and_of_what_methods_belong_to_counts():
    assert fingerprint(Threshold(1)) != fingerprint(Threshold(9))
    assert fingerprint(Threshold(1)) == fingerprint(Threshold(1))
    assert fingerprint(Threshold(1).apply) != fingerprint(Threshold(9).apply)


def test_functions_that_call_one_another_end():
    recursive = "def a(s):\n    return b(s)\n\ndef b(s):\n    return a(s) if s else s"
    assert fingerprint(module_function(recursive, "a")) == fingerprint(module_function(recursive, "a"))


def test_another_process_gives_the_same():
    program = (
        "from openhcs.core.steps import FunctionStep\nfrom openhcs.run.fingerprint import step_fingerprint\n"
        "print(step_fingerprint(FunctionStep((lambda s: s if 'x' in {'x', 'y', 'zz', 'w'} else None, "
        "{'k': {'p', 'q', 'r'}}), 's', [])))"
    )
    printed = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(4)
    }
    assert len(printed) == 1
