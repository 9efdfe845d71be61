"""A user's function is called with a stack of its own, and its result is ours alone."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

from openhcs.core.special import special_outputs
from openhcs.core.steps import parse_chain
from openhcs.errors import StepError
from openhcs.run.calls import Place, call_chain

BUFFER = np.zeros((2, 3, 4), np.uint16)


def call(func, stack=None):
    stack = np.ones((2, 3, 4), np.uint16) if stack is None else stack
    return call_chain(parse_chain(func), stack, Place("s", "A01", "A01 site 1")).planes


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


def labelled(func, stack=None, label_planes=None, names=("nuclei",)):
    stack = np.ones((2, 3, 4), np.uint16) if stack is None else stack
    chain = func if isinstance(func, list) else [special_outputs(**dict.fromkeys(names, "labels"))(func)]
    return call_chain(parse_chain(chain), stack, Place("s", "A01", "A01 site 1"), label_planes=label_planes)


def test_labels_come_beside_the_image_by_name():
    made = labelled(lambda stack: (stack, stack + 1, stack.astype("int32")), names=("a", "b"))
    assert {name: (array.shape, array.dtype.name) for name, array in made.labels.items()} == {
        "a": ((2, 3, 4), "uint16"),
        "b": ((2, 3, 4), "int32"),
    }


def test_labels_of_one_plane_may_be_flat():
    assert labelled(lambda stack: (stack, stack[0]), label_planes=1).labels["nuclei"].shape == (1, 3, 4)


def test_an_image_that_is_passed_on_is_the_very_object():
    stack = np.ones((2, 3, 4), np.uint16)
    made = labelled(lambda stack: (stack, stack + 1), stack)
    assert made.planes is stack


@pytest.mark.parametrize("func", [lambda stack: (BUFFER, stack), lambda stack: (BUFFER[:1], stack)])
def test_an_image_beside_labels_that_the_function_keeps_is_copied(func):
    made = labelled(func)
    assert not np.shares_memory(made.planes, BUFFER)


@pytest.mark.parametrize("func", [lambda stack: stack + 1, lambda stack: (stack * 2)[::-1]])
def test_an_image_beside_labels_that_nobody_holds_is_not_copied(func):
    places = []

    def told(stack):
        image = func(stack)
        places.append(image.__array_interface__["data"][0])
        return image, stack

    assert labelled(told).planes.__array_interface__["data"][0] == places[0]


def test_labels_of_an_earlier_function_outlive_what_a_later_one_changes():
    def emptied(stack):
        stack[...] = 0
        return stack

    first = special_outputs(nuclei="labels")(lambda stack: (stack, stack))
    made = labelled([first, emptied])
    assert (made.labels["nuclei"] == 1).all()
    assert not made.planes.any()


@pytest.mark.parametrize(
    ("func", "words"),
    [
        (lambda stack: stack, r"ndarray alone; it declares \(image, nuclei\)"),
        (lambda stack: (stack,), r"1 things; it declares \(image, nuclei\)"),
        (lambda stack: (stack, stack, stack), r"3 things; it declares \(image, nuclei\)"),
        (lambda stack: [stack, stack], r"list alone; it declares"),
        (lambda stack: (), r"0 things; it declares"),
        (lambda stack: None, r"NoneType alone"),
        (lambda stack: (None, stack), "None; did it forget"),
        (lambda stack: (stack, None), "None for the labels 'nuclei'"),
        (lambda stack: (stack, stack > 0), "array of bool for the labels 'nuclei'; labels are integers"),
        (lambda stack: (stack, stack / 2), "array of float64 for the labels 'nuclei'; labels are integers"),
        (lambda stack: (stack, stack.astype(object)), "array of object for the labels"),
        (lambda stack: (stack, stack[:1]), r"shape \(1, 3, 4\) for the labels 'nuclei'; .*\(2, 3, 4\)"),
        (lambda stack: (stack, stack[0]), r"shape \(3, 4\) for the labels"),
        (lambda stack: (stack, stack[:, :2]), r"shape \(2, 2, 4\) for the labels"),
        (lambda stack: (stack, 7), r"shape \(\) for the labels"),
        (lambda stack: (stack, stack.astype("int32") - 2), "negative numbers for the labels 'nuclei'"),
        (lambda stack: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_are_no_labels_is_told_with_step_well_and_group(func, words):
    with pytest.raises(StepError, match=rf"step s: <lambda> .*A01 site 1.*{words}") as caught:
        labelled(func)
    assert (caught.value.well, caught.value.step) == ("A01", "s")
