"""What a function gives beside its image is declared on it, and held to what can be stored."""

from __future__ import annotations

import functools

import cloudpickle
import numpy as np
import pytest

from openhcs import FunctionStep, special_outputs
from openhcs.core.special import special_outputs_of
from openhcs.errors import InvalidType, InvalidValue


@special_outputs(nuclei="labels", cells="labels")
def segment(stack, level=1):
    return stack, stack > level, stack > 2


def test_names_and_kinds_are_known_in_the_order_declared():
    assert special_outputs_of(segment) == (("nuclei", "labels"), ("cells", "labels"))
    assert FunctionStep((segment, {"level": 3})).outputs == {"nuclei", "cells"}
    assert FunctionStep(len).outputs == frozenset()


def test_the_function_itself_is_as_it_was():
    image, nuclei, _ = segment(np.arange(4), level=2)
    assert (image.tolist(), nuclei.tolist()) == ([0, 1, 2, 3], [False, False, False, True])


class Segmenter:
    @special_outputs(nuclei="labels")
    def __call__(self, stack):
        return stack, stack

    @special_outputs(nuclei="labels")
    def method(self, stack):
        return stack, stack


@functools.wraps(segment)
def wrapped(*given, **named):
    return segment(*given, **named)


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(segment, level=3),
        functools.partial(functools.partial(segment), level=3),
        wrapped,
        Segmenter(),
        Segmenter().method,
        cloudpickle.loads(cloudpickle.dumps(segment)),
    ],
)
def test_a_declaration_goes_along_with_the_function(function):
    assert special_outputs_of(function)[0] == ("nuclei", "labels")


def test_a_class_is_not_its_instance():
    assert special_outputs_of(Segmenter) == ()


@pytest.mark.parametrize("kind", ["table", "roi", "array", "object", "Labels", "label", ""])
def test_a_kind_that_is_not_made_is_refused_with_those_that_are(kind):
    with pytest.raises(InvalidValue, match=rf"'nuclei' is of kind '{kind}'; .*known: labels|did you mean 'labels'"):
        special_outputs(nuclei=kind)


def test_what_is_no_declaration_is_refused_with_how_to_write_one():
    with pytest.raises(InvalidType, match=r'say the kind too: @special_outputs\(counts="labels"\)'):
        special_outputs("counts")
    with pytest.raises(InvalidType, match=r'@special_outputs\(nuclei="labels"\)'):
        special_outputs(segment)
    with pytest.raises(InvalidType, match="at least one"):
        special_outputs()
    with pytest.raises(InvalidType, match="kind as text"):
        special_outputs(nuclei=print)
    with pytest.raises(InvalidType, match="decorates a function"):
        special_outputs(nuclei="labels")(3)
    with pytest.raises(InvalidType, match="declares 'nuclei' already"):
        special_outputs(more="labels")(segment)
    with pytest.raises(InvalidType, match="cannot carry a declaration"):
        special_outputs(nuclei="labels")(len)


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", ".hidden", "a ", "a.", "__v", "con", "ä", "a\\b", "x" * 65])
def test_a_name_that_no_group_can_have_is_refused(name):
    with pytest.raises(InvalidValue, match="would be a folder"):
        special_outputs(**{name: "labels"})


@pytest.mark.parametrize("name", ["nuclei", "n", "_n", "a-b.c_D9", "x" * 64, "0"])
def test_names_of_letters_digits_and_few_signs_are_taken(name):
    assert special_outputs_of(special_outputs(**{name: "labels"})(lambda stack: stack)) == ((name, "labels"),)
