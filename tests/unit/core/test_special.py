"""What a function gives beside its image is declared on it, and held to what can be stored."""

from __future__ import annotations

import functools

import cloudpickle
import numpy as np
import pytest

from openhcs import FunctionStep, special_inputs, special_outputs
from openhcs.core.special import Output, special_inputs_of, special_outputs_of
from openhcs.errors import InvalidType, InvalidValue


@special_outputs(nuclei="labels", cells="labels")
def segment(stack, level=1):
    return stack, stack > level, stack > 2


def test_names_and_kinds_are_known_in_the_order_declared():
    assert special_outputs_of(segment) == (Output("nuclei", "labels"), Output("cells", "labels"))
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
    assert special_outputs_of(function)[0] == Output("nuclei", "labels")


def test_a_class_is_not_its_instance():
    assert special_outputs_of(Segmenter) == ()


@pytest.mark.parametrize("kind", ["Labels", "label", "", "image"])
def test_a_kind_that_is_not_made_is_refused_with_those_that_are(kind):
    with pytest.raises(InvalidValue, match=rf"'nuclei' is of kind '{kind}'; .*(known: .*labels|did you mean 'labels')"):
        special_outputs(nuclei=kind)


def test_every_kind_can_be_said_left_open_or_be_a_function():
    def as_svg(value, stem):
        return {f"{stem}.svg": value}

    @special_outputs("counts", cells="table", rim="roi", field="array", facts="object", picture=as_svg)
    def measure(stack):
        return stack, *range(6)

    assert special_outputs_of(measure) == (
        Output("counts", None),
        Output("cells", "table"),
        Output("rim", "roi"),
        Output("field", "array"),
        Output("facts", "object"),
        Output("picture", "own", as_svg),
    )


def test_what_a_function_takes_is_declared_by_name_and_handed_over_by_name():
    @special_inputs("nuclei", "cells")
    def measure(stack, nuclei, cells, scale=1):
        return stack

    step = FunctionStep((measure, {"scale": 2}))
    assert special_inputs_of(measure) == ("nuclei", "cells")
    assert step.inputs == {"nuclei", "cells"}
    with pytest.raises(InvalidValue, match="takes 'cells' of an earlier step"):
        FunctionStep((measure, {"cells": 2}))


def test_what_can_be_no_input_is_refused():
    with pytest.raises(InvalidType, match="at least one"):
        special_inputs()
    with pytest.raises(InvalidType, match="takes names"):
        special_inputs(len)
    with pytest.raises(InvalidValue, match="no parameter can be named so"):
        special_inputs("a-b")
    with pytest.raises(InvalidValue, match="twice"):
        special_inputs("a", "a")


def test_what_is_no_declaration_is_refused_with_how_to_write_one():
    with pytest.raises(InvalidType, match="takes names"):
        special_outputs(segment)
    with pytest.raises(InvalidValue, match="named twice"):
        special_outputs("counts", counts="table")
    with pytest.raises(InvalidType, match="at least one"):
        special_outputs()
    with pytest.raises(InvalidType, match="kind as text"):
        special_outputs(nuclei=3)
    with pytest.raises(InvalidType, match="decorates a function"):
        special_outputs(nuclei="labels")(3)
    with pytest.raises(InvalidType, match="has special_outputs already"):
        special_outputs(more="labels")(segment)
    with pytest.raises(InvalidType, match="cannot carry a declaration"):
        special_outputs(nuclei="labels")(len)


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", ".hidden", "a ", "a.", "__v", "con", "ä", "a\\b", "x" * 65])
def test_a_name_that_no_group_can_have_is_refused(name):
    with pytest.raises(InvalidValue, match="would be a folder"):
        special_outputs(**{name: "labels"})


@pytest.mark.parametrize("name", ["nuclei", "n", "_n", "a-b.c_D9", "x" * 64, "0"])
def test_names_of_letters_digits_and_few_signs_are_taken(name):
    assert special_outputs_of(special_outputs(**{name: "labels"})(lambda stack: stack)) == (Output(name, "labels"),)
