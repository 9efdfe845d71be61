"""The fingerprint of a step changes with its functions and arguments, and with nothing else."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading

import numpy as np
import pytest

from openhcs.core.steps import FunctionStep
from openhcs.run.fingerprint import fingerprint_of, step_fingerprint


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


PIPELINE = """
from dataclasses import dataclass
import helpers
from helpers import Tool, near
from openhcs import FunctionStep

class Own:
    n = 1
    def go(self, stack): return stack + self.n

@dataclass(frozen=True, slots=True)
class Level:
    high: int = 3

def by_name(stack): return near(stack)
def by_module(stack): return helpers.near(stack)
def by_class(stack): return Tool().go(stack)
def by_own_class(stack): return Own().go(stack)
def by_argument(stack, level): return stack
functions = [by_name, by_module, by_class, by_own_class, (by_argument, {"level": Level()})]
steps = [FunctionStep(one, f"s{number}", []) for number, one in enumerate(functions)]
"""
HELPERS = """
def deep(stack): return stack

def near(stack): return deep(stack)

class Tool:
    def go(self, stack): return deep(stack)
"""


def prints_of(folder, pipeline, helpers):
    """Return the fingerprints of a pipeline file beside a file of helpers, as a process of its own sees them."""
    (folder / "p.py").write_text(pipeline)
    (folder / "helpers.py").write_text(helpers)
    code = (
        "from openhcs.run.pipeline_file import load_pipeline\nfrom openhcs.run.fingerprint import step_fingerprint\n"
        "print(*map(step_fingerprint, load_pipeline('p.py').steps))"
    )
    words = [sys.executable, "-B", "-c", code]
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd=folder).stdout.split()


@pytest.mark.parametrize(
    ("in_pipeline", "old", "new", "changed"),
    [
        (True, "functions =", "# a word\nfunctions =", "....."),
        (False, "def near", "# a word\ndef near", "....."),
        (False, "def deep(stack): return stack", "def deep(stack): return stack + 1", "xxx.."),
        (False, "near(stack): return deep(stack)", "near(stack): return deep(stack) * 2", "xx..."),
        (False, "go(self, stack): return deep(stack)", "go(self, stack): return deep(stack) - 1", ".xx.."),
        (True, "stack + self.n", "stack - self.n", "...x."),
        (True, "n = 1", "n = 2", "...x."),
        (True, "high: int = 3", "high: int = 4", "....x"),
    ],
    ids=["comment", "comment of a helper", "deep", "near", "class", "own class", "attribute", "slot"],
)
def test_the_users_own_files_count_by_what_they_say(tmp_path, in_pipeline, old, new, changed):
    before = prints_of(tmp_path, PIPELINE, HELPERS)
    pipeline, helpers = (PIPELINE.replace(old, new), HELPERS) if in_pipeline else (PIPELINE, HELPERS.replace(old, new))
    after = prints_of(tmp_path, pipeline, helpers)
    assert "".join(".x"[a != b] for a, b in zip(before, after, strict=True)) == changed


def test_what_nothing_tells_is_named():
    lock = threading.Lock()
    assert fingerprint_of(FunctionStep((lambda s, held: s, {"held": lock}), "s", [])).opaque == ("lock",)
    assert fingerprint_of(FunctionStep(lambda s: lock and s, "s", [])).opaque == ("lock",)
    assert fingerprint_of(FunctionStep(lambda s: s + 1, "s", [])).opaque == ()
