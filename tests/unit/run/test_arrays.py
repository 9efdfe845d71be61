"""Arrays go from one library to another whole: values, dtypes, memory and what each library gets wrong."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

array_api_strict = pytest.importorskip("array_api_strict")
jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")

from openhcs import FunctionStep, array_type, special_inputs, special_outputs  # noqa: E402
from openhcs.core.array_types import LIBRARIES, ArrayType, array_type_of  # noqa: E402
from openhcs.core.steps import parse_chain  # noqa: E402
from openhcs.errors import InvalidType, InvalidValue, StepError  # noqa: E402
from openhcs.run.arrays import CannotConvertError, converted, dtype_name, kind_of, to_numpy  # noqa: E402
from openhcs.run.calls import Place, call_chain  # noqa: E402

WHOLE = ("bool", "uint8", "int8", "int16", "int32", "float16", "float32", "complex64")
"""Dtypes that every library here holds as they are."""
shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))


def strict(array):
    return array_api_strict.asarray(array)


def arrays(dtype):
    return hnp.arrays(dtype, shapes, elements={"allow_nan": False} if np.dtype(dtype).kind in "fc" else None)


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("one", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("other", ["numpy", "torch", "jax"])
@given(data=st.data())
def test_there_and_back_nothing_changes(data, one, other, dtype):
    array = data.draw(arrays(dtype))
    there = converted(converted(array.copy(), one), other)
    assert kind_of(there) == other
    assert dtype_name(there) == dtype
    back = to_numpy(there)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


@pytest.mark.parametrize("kind", ["numpy", "torch", "jax"])
def test_an_array_of_the_same_kind_is_the_very_array(kind):
    array = converted(np.ones((2, 3, 4), np.float32), kind)
    assert converted(array, kind) is array
    assert converted(array, "array_api") is array


def test_memory_is_shared_on_the_way_to_torch_and_never_on_the_way_back():
    array = np.zeros((1, 2, 2), np.float32)
    tensor = converted(array, "torch")
    tensor += 1
    assert array.max() == 1
    back = to_numpy(tensor)
    tensor += 1
    assert back.max() == 1
    from_jax = to_numpy(jax.numpy.ones((2, 2)))
    from_jax += 1
    assert from_jax.flags.writeable


def test_torch_never_writes_through_read_only_memory():
    array = np.zeros((1, 2, 2), np.float32)
    array.flags.writeable = False
    tensor = converted(array, "torch")
    tensor += 1
    assert array.max() == 0


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(1, 3, 4)[:, ::-1, ::2],
        np.arange(12, dtype=np.float32).reshape(1, 4, 3).transpose(0, 2, 1),
        np.arange(12, dtype=">f4").reshape(1, 3, 4),
    ],
    ids=["negative strides", "transposed", "big-endian"],
)
@pytest.mark.parametrize("kind", ["torch", "jax"])
def test_memory_that_a_library_cannot_take_as_it_lies_is_laid_out_anew(array, kind):
    assert np.array_equal(to_numpy(converted(array, kind)), array)


def test_torch_gets_unsigned_images_as_what_it_can_compute_in_and_labels_as_whole_numbers():
    array = np.full((1, 2, 2), 65535, np.uint16)
    assert converted(array, "torch").dtype == torch.float32
    assert converted(array, "torch", numbers=True).dtype == torch.int32
    assert converted(array.astype(np.uint32) * 65537, "torch").dtype == torch.int64
    assert int(converted(array.astype(np.uint32) * 65537, "torch").max()) == 2**32 - 1
    with pytest.raises(CannotConvertError, match="cannot compute in uint64"):
        converted(array.astype(np.uint64), "torch")


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64", "complex128"])
def test_jax_is_not_given_what_it_would_make_narrower(dtype):
    with pytest.raises(CannotConvertError, match="narrower without a word"):
        converted(np.ones((1, 2, 2), dtype), "jax")
    if dtype != "uint64":
        with pytest.raises(CannotConvertError, match="narrower without a word"):
            converted(torch.ones((1, 2, 2), dtype=getattr(torch, dtype)), "jax")
    with jax.enable_x64(True):
        assert dtype_name(converted(np.ones((1, 2, 2), dtype), "jax")) == dtype


def call(func, stack=None, **more):
    stack = np.ones((2, 3, 4), np.uint16) if stack is None else stack
    return call_chain(parse_chain(func), stack, Place("s", "A01", "A01 site 1"), **more)


@array_type("torch")
def on_torch(stack):
    assert isinstance(stack, torch.Tensor)
    return stack * 2


@array_type("jax")
def on_jax(stack):
    assert isinstance(stack, jax.Array)
    return stack + 1


@array_type("array_api")
def on_any(stack):
    return stack.__array_namespace__().sum(stack, axis=0, dtype=stack.dtype)


def test_a_chain_changes_kind_only_where_functions_do_and_ends_as_numpy():
    made = call([on_torch, on_torch, on_jax, lambda stack: stack * 3])
    assert isinstance(made.planes, np.ndarray)
    assert (made.planes.dtype, made.planes.max(), made.planes.shape) == (np.float32, 15, (2, 3, 4))
    assert made.planes.flags.writeable


def test_a_function_of_the_array_api_takes_what_is_there():
    assert call([on_any]).planes.shape == (1, 3, 4)
    made = call([lambda stack: strict(stack.astype(np.int32)), on_any])
    assert np.array_equal(made.planes, np.full((1, 3, 4), 2))
    assert made.planes.dtype == np.int32


def test_labels_and_arrays_come_and_go_in_the_library_of_the_function():
    @array_type("torch")
    @special_inputs("seeds", "fields")
    @special_outputs(nuclei="labels", means="array")
    def find(stack, seeds, fields):
        assert seeds.dtype == torch.int32
        assert [type(one) for one in fields] == [torch.Tensor, torch.Tensor]
        return stack, (stack > 0).to(torch.int16), stack.mean(dim=0)

    seeds = np.ones((2, 3, 4), np.uint16)
    seeds.flags.writeable = False
    made = call([find], given={"seeds": seeds, "fields": [np.ones(3), np.ones(3)]})
    assert (made.labels["nuclei"].dtype, made.labels["nuclei"].shape) == (np.int16, (2, 3, 4))
    assert isinstance(made.values["means"], np.ndarray)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.ones((2, 3, 4), dtype=torch.bfloat16), "an array of torch.bfloat16; what can be kept"),
        (torch.ones((2, 3, 4, 5)), r"an array of shape \(2, 3, 4, 5\)"),
        (torch.ones((0, 3, 4)), r"an array of shape \(0, 3, 4\)"),
        (None, "None; did it forget"),
        ("text", "an array of <U4"),
    ],
)
def test_what_is_no_image_is_told_with_its_place(value, words):
    with pytest.raises(StepError, match=rf"step s: .* on A01 site 1 returned {words}"):
        call([array_type("torch")(lambda stack: value)])


def test_a_declaration_is_read_through_what_wraps_a_function():
    @array_type("torch", slicewise=True)
    def work(stack, level=1):
        return stack

    class Callable:
        @array_type("jax")
        def __call__(self, stack):
            return stack

    assert array_type_of(functools.partial(work, level=2)) == ArrayType("torch", slicewise=True)
    assert array_type_of(Callable()) == ArrayType("jax")
    assert array_type_of(np.negative) == ArrayType("numpy")
    assert FunctionStep(work).chains[None][0].array_type.kind == "torch"


def test_kinds_that_are_none_are_refused_with_those_that_are():
    with pytest.raises(InvalidValue, match="did you mean 'torch'"):
        array_type("troch")
    with pytest.raises(InvalidType, match="takes a kind"):
        array_type(on_torch)
    with pytest.raises(InvalidType, match="cannot carry"):
        array_type("torch")(len)
    assert set(LIBRARIES) == {"numpy", "torch", "cupy", "jax", "tensorflow", "pyclesperanto", "array_api"}
