"""A user's function is called with a stack of its own, and its result is ours alone."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

from openhcs.core.steps import parse_chain
from openhcs.errors import StepError
from openhcs.run.calls import call_chain

BUFFER = np.zeros((2, 3, 4), np.uint16)


def call(func, stack=None):
    stack = np.ones((2, 3, 4), np.uint16) if stack is None else stack
    return call_chain(parse_chain(func), stack, step="s", well="A01", where="A01 site 1").planes


def test_a_plane_counts_as_a_stack_of_one():
    assert call(lambda stack: stack[0]).shape == (1, 3, 4)


def test_a_chain_hands_on_stacks():
    shapes = []
    call([lambda stack: stack.max(axis=0), lambda stack: shapes.append(stack.shape) or stack])
    assert shapes == [(1, 3, 4)]


@pytest.mark.parametrize(
    "func", [lambda stack: BUFFER, lambda stack: BUFFER[:1], lambda stack: np.copyto(BUFFER, stack) or BUFFER]
)
def test_a_buffer_that_the_function_keeps_is_copied(func):
    result = call(func)
    before = result.copy()
    BUFFER[...] = 77
    assert np.array_equal(result, before)
    BUFFER[...] = 0


@pytest.mark.parametrize("func", [lambda stack: stack, lambda stack: stack + 1, lambda stack: (stack * 2)[::-1]])
def test_an_array_nobody_else_holds_is_not_copied(func):
    places = []

    def told(stack):
        result = func(stack)
        places.append(result.__array_interface__["data"][0])
        return result

    assert call(told).__array_interface__["data"][0] == places[0]


@pytest.mark.parametrize(
    ("func", "words"),
    [
        (lambda stack: None, "None; did it forget"),
        (lambda stack: (stack, 1), "a tuple"),
        (lambda stack: np.array(["a"]), "an array of <U1"),
        (lambda stack: stack.astype(object), "an array of object"),
        (lambda stack: stack[..., None], r"shape \(2, 3, 4, 1\)"),
        (lambda stack: stack[:0], r"shape \(0, 3, 4\)"),
        (lambda stack: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda stack: sys.exit(3), "SystemExit: 3"),
    ],
)
def test_what_is_no_stack_is_told_with_function_and_group(func, words):
    with pytest.raises(StepError, match=rf"step s: <lambda> .*A01 site 1.*{words}") as caught:
        call(func)
    assert caught.value.well == "A01"


def test_the_traceback_of_the_users_function_crosses_processes():
    def broken(stack):
        raise KeyError("nuclei")

    with pytest.raises(StepError) as caught:
        call(broken)
    assert "in broken" in caught.value.__notes__[0]
    assert "nuclei" in str(pickle.loads(pickle.dumps(caught.value)))


def test_an_interrupt_is_not_swallowed():
    def interrupted(stack):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(interrupted)
