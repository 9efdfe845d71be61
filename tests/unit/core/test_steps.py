"""The four function patterns, and what a step refuses."""

from __future__ import annotations

import dataclasses
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest

from openhcs.constants.constants import GroupBy, MaterializationBackend, VariableComponents
from openhcs.core.steps import DTYPES, Call, FunctionStep, parse_pattern
from openhcs.errors import InvalidType, InvalidValue, UnknownName


def double(stack: Any, times: int = 2) -> Any:
    return stack * times


def negate(stack: Any) -> Any:
    return -stack


def run(step: FunctionStep, key: str | None, value: int) -> int:
    for call in step.chains[key]:
        value = call(value)
    return value


def test_a_function_is_one_call() -> None:
    step = FunctionStep(double)
    assert step.chains == {None: (Call(double),)}
    assert run(step, None, 5) == 10


def test_a_function_with_arguments_is_one_call() -> None:
    assert run(FunctionStep((double, {"times": 3})), None, 5) == 15
    assert run(FunctionStep((double,)), None, 5) == 10


def test_a_list_is_a_chain_in_its_order() -> None:
    step = FunctionStep([double, (double, {"times": 5}), negate])
    assert [call.name for call in step.chains[None]] == ["double", "double", "negate"]
    assert run(step, None, 1) == -10


def test_a_dict_picks_by_value_and_its_keys_are_texts() -> None:
    step = FunctionStep({1: double, "DAPI": [negate, (double, {"times": 4})]}, group_by=GroupBy.CHANNEL)
    assert list(step.chains) == ["1", "DAPI"]
    assert run(step, "1", 3) == 6
    assert run(step, "DAPI", 3) == -12
    assert step.by_value
    assert not FunctionStep(double).by_value


def test_the_caller_may_change_arguments_afterwards() -> None:
    arguments = {"times": 3}
    step = FunctionStep((double, arguments))
    arguments["times"] = 100
    assert run(step, None, 1) == 3


@pytest.mark.parametrize(
    ("func", "error", "says"),
    [
        (None, InvalidType, "takes f, "),
        ("double", InvalidType, "takes f, "),
        ((double, 3), InvalidType, "takes f, "),
        ((double, {}, {}), InvalidType, "takes f, "),
        ((double, {1: 2}), InvalidType, "arguments of double are named by texts, not 1"),
        ([], InvalidValue, "must not be empty"),
        ({}, InvalidValue, "must not be empty"),
        ({"1": []}, InvalidValue, "must not be empty"),
        ([[double]], InvalidType, "takes f, "),
        ([{"1": double}], InvalidType, "takes f, "),
        ({1: double, "1": negate}, InvalidValue, "'1' are given twice"),
    ],
)
def test_what_is_no_pattern_is_refused(func: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        FunctionStep(func)


def test_a_step_is_named_after_its_first_function() -> None:
    assert FunctionStep([double, negate]).name == "double"
    assert FunctionStep({"2": negate}).name == "negate"
    assert FunctionStep(partial(double, times=3)).name == "double"
    assert FunctionStep(lambda stack: stack).name == "lambda"
    assert FunctionStep(double, name="brighten").name == "brighten"


def test_the_step_of_the_reference_page_is_as_it_says() -> None:
    step = FunctionStep(
        func=[(double, {})],
        name="processing_step",
        variable_components=[VariableComponents.SITE],
        force_disk_output=False,
    )
    assert step.chains == {None: (Call(double),)}
    assert (step.name, step.variable_components) == ("processing_step", (VariableComponents.SITE,))
    assert step.force_disk_output is False


def test_the_defaults_stack_sites_and_say_nothing_of_what_comes_out() -> None:
    step = FunctionStep(double)
    assert step.variable_components == (VariableComponents.SITE,)
    assert (step.group_by, step.out, step.out_dtype, step.materialize, step.unmatched) == (None,) * 4 + ("error",)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], ()),
        ("site", (VariableComponents.SITE,)),
        (VariableComponents.Z_INDEX, (VariableComponents.Z_INDEX,)),
        (["channel", "site"], (VariableComponents.CHANNEL, VariableComponents.SITE)),
        ([VariableComponents.TIME], (VariableComponents.TIMEPOINT,)),
        ([GroupBy.CHANNEL], (VariableComponents.CHANNEL,)),
    ],
)
def test_components_are_enums_or_their_names(given: object, kept: tuple[VariableComponents, ...]) -> None:
    assert FunctionStep(double, variable_components=given).variable_components == kept


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"variable_components": ["sites"]}, UnknownName, "did you mean 'site'"),
        ({"variable_components": ["site", "site"]}, InvalidValue, "twice"),
        ({"variable_components": None}, InvalidType, "is a list such as"),
        ({"group_by": "colour"}, UnknownName, "is no GroupBy"),
        ({"force_disk_output": "memory"}, UnknownName, "known: disk, zarr"),
        ({"force_disk_output": 1}, InvalidType, "disk, zarr"),
        ({"materialize": "s3"}, UnknownName, "disk, zarr"),
        ({"unmatched": "ignore"}, InvalidValue, "error, pass, drop"),
        ({"out": "all"}, InvalidValue, "same, one"),
        ({"out": []}, InvalidType, "a list of labels"),
        ({"out": [1, 1]}, InvalidValue, "twice"),
        ({"out": [-1]}, InvalidValue, "from 0 on"),
        ({"out": ["a"]}, InvalidType, "a whole number"),
        ({"out_dtype": "uint12"}, InvalidValue, "did you mean 'uint"),
        ({"out_dtype": object}, InvalidValue, "out_dtype"),
        ({"out_dtype": 16}, InvalidType, "out_dtype is a text"),
        ({"name": "a/b"}, InvalidValue, "without slashes"),
        ({"name": ""}, InvalidValue, "must not be empty"),
        ({"name": 3}, InvalidType, "is a text"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(
    given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        FunctionStep(double, **given)


@pytest.mark.parametrize("name", DTYPES)
def test_a_dtype_is_understood_as_text_class_and_dtype(name: str) -> None:
    dtype = np.dtype(name)
    kept = {FunctionStep(double, out_dtype=given).out_dtype for given in (name, dtype, dtype.type)}
    assert kept == {name}


@pytest.mark.parametrize("given", [float, int, bool])
def test_pythons_own_types_mean_what_numpy_takes_them_for(given: type[Any]) -> None:
    assert FunctionStep(double, out_dtype=given).out_dtype == np.dtype(given).name


@pytest.mark.parametrize("given", ["<u2", "u2", ">u2", "H"])
def test_a_dtypes_short_form_is_refused_with_the_names(given: str) -> None:
    with pytest.raises(InvalidValue, match="uint16"):
        FunctionStep(double, out_dtype=given)


@pytest.mark.parametrize(
    ("given", "kept"), [(True, True), (False, False), ("disk", "disk"), (MaterializationBackend.ZARR, "zarr")]
)
def test_a_forced_copy_is_yes_no_or_a_backend(given: object, kept: object) -> None:
    assert FunctionStep(double, force_disk_output=given).force_disk_output == kept


def test_a_step_is_frozen() -> None:
    step = FunctionStep(double)
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.name = "other"


def test_steps_with_the_same_settings_are_equal() -> None:
    assert FunctionStep([double], name="a") == FunctionStep(double, name="a")
    assert FunctionStep(double) != FunctionStep(double, out="one")


def test_a_class_with_a_call_is_a_function() -> None:
    class Scale:
        def __call__(self, stack: int) -> int:
            return stack * 7

    assert FunctionStep(Scale()).name == "Scale"
    assert parse_pattern(Scale())[None][0](2) == 14


def test_a_step_goes_to_another_process_and_back() -> None:
    step = FunctionStep({"1": (np.clip, {"a_min": 0, "a_max": 9})}, group_by="channel", out="same", out_dtype="uint8")
    assert pickle.loads(pickle.dumps(step)) == step
