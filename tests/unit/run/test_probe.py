"""What comes out of a step is learned on the stack that says most, and from a well that has one."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.core.plate import PlaneState
from openhcs.core.special import special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.errors import PlanError, StepError
from openhcs.run.probe import probe
from plates import make_index


def learn(index, step, wells=None):
    called = []

    def read(plane, out):
        called.append(plane.well)
        out[...] = 1

    found = probe(index, [step], wells or index.wells, read)
    return (found[1].planes_in, found[1].planes_out, found[1].dtype), called


def brightest(stack):
    return stack.max(axis=0)


def test_a_declared_step_is_not_called():
    step = FunctionStep(brightest, "s", ["site"], out="one", out_dtype="uint16")
    assert probe(make_index(), [step], ["A01"], lambda plane, out: pytest.fail("read")) == {}


def test_a_sparse_first_well_does_not_mislead():
    gaps = frozenset(("A01", 1, c, z, 1) for c in (1, 2) for z in (2, 3))
    learned, called = learn(make_index(wells=2, sites=1, z=3, gaps=gaps), FunctionStep(brightest, "s", ["z_index"]))
    assert learned == (3, 1, "uint16")
    assert set(called) == {"A02"}


def test_a_channel_with_one_plane_agrees_with_any_other():
    gaps = frozenset(("A01", 1, 2, z, 1) for z in (2, 3))
    step = FunctionStep({"1": brightest, "2": brightest}, "s", ["z_index"])
    assert learn(make_index(wells=1, sites=1, z=3, gaps=gaps), step)[0] == (3, 1, "uint16")


def test_functions_that_disagree_are_told():
    step = FunctionStep({"1": brightest, "2": lambda stack: stack}, "s", ["site"])
    with pytest.raises(PlanError, match=r"1: 2 → 1 planes uint16.*2: 2 → 2 planes"):
        learn(make_index(), step)
    step = FunctionStep({"1": brightest, "2": lambda stack: brightest(stack).astype(np.float32)}, "s", ["site"])
    with pytest.raises(PlanError, match="one dtype and one size"):
        learn(make_index(), step)


def test_a_well_without_a_function_leaves_the_probe_to_another():
    step = FunctionStep({"A02": brightest}, "s", ["site"], group_by="well", unmatched="drop")
    learned, called = learn(make_index(wells=2), step)
    assert learned == (2, 1, "uint16")
    assert set(called) == {"A02"}


def test_one_bad_well_does_not_stop_the_probe_and_three_do():
    seen = []

    def picky(stack):
        seen.append(1)
        if len(seen) < limit:
            raise ValueError("bad well")
        return stack

    limit = 3
    assert learn(make_index(wells=4), FunctionStep(picky, "s", []))[0] == (1, 1, "uint16")
    seen.clear()
    limit = 99
    with pytest.raises(StepError, match="bad well"):
        learn(make_index(wells=4), FunctionStep(picky, "s", []))
    assert len(seen) == 3


def test_a_stack_without_missing_planes_is_preferred():
    index = make_index(wells=1, sites=1, channels=2, absent={("A01", 1, 1, 1, 1): PlaneState.MISSING})
    _, called = learn(index, FunctionStep(brightest, "s", []))
    assert called == ["A01"]


@special_outputs(nuclei="labels")
def narrow(stack):
    return stack, stack.astype("uint8")


@special_outputs(nuclei="labels", cells="labels")
def wide(stack):
    return stack, stack.astype("uint32"), stack


def labels_of(index, *steps):
    found = probe(index, list(steps), index.wells, lambda plane, out: out.fill(1))
    return {number: dict(one.labels) for number, one in found.items()}


def test_a_declared_step_that_makes_labels_is_called_for_their_dtype():
    step = FunctionStep(wide, "s", ["site"], out="same", out_dtype="uint16")
    assert labels_of(make_index(), step) == {1: {"nuclei": "uint32", "cells": "uint16"}}


def test_labels_of_one_name_have_one_dtype():
    step = FunctionStep({"1": narrow, "2": wide}, "s", ["site"])
    with pytest.raises(PlanError, match="labels 'nuclei' of uint32, and of uint8 for 1; one name has one dtype"):
        labels_of(make_index(), step)


def test_a_well_with_a_function_of_its_own_is_asked_for_its_labels():
    step = FunctionStep({"A02": narrow}, "s", ["site"], group_by="well", unmatched="pass", out="same")
    plain = FunctionStep(lambda stack: stack, "t", ["site"])
    assert labels_of(make_index(wells=3), step, plain) == {1: {"nuclei": "uint8"}, 2: {}}
    both = FunctionStep({"A01": lambda stack: stack, "A02": narrow}, "s", ["site"], group_by="well", unmatched="drop")
    assert labels_of(make_index(wells=3), both) == {1: {"nuclei": "uint8"}}


def test_a_label_of_a_whole_plate_is_none_of_one_plane():
    with pytest.raises(StepError, match=r"labels of this stack are \(2, 64, 48\)"):
        labels_of(
            make_index(), FunctionStep(special_outputs(n="labels")(lambda stack: (stack, stack[0])), "s", ["site"])
        )
