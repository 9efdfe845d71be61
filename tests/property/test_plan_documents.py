"""A plan comes back from its JSON text equal, and its text too; a damaged text is refused or tells of another plan."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.plate import FileSource, FlatField, PlaneState, SceneSource, ZarrSource
from openhcs.core.special import special_inputs, special_outputs
from openhcs.core.steps import FunctionStep
from openhcs.errors import FormatError
from openhcs.plan.columns import PlaneReader, PlaneTable
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts, Probed
from openhcs.plan.model import Plan
from plates import make_index

FLAT = FlatField(coefficients=((1.25,), (0.5, -0.25)), origin=(3.5, 3.5), scale=(0.125, 0.125), shape=(8, 8))
COMPONENTS = ("site", "channel", "z_index", "timepoint")
PROBED = Probed(planes_in=1, planes_out=1, dtype="uint16", plane_shape=(8, 8), labels={"nuclei": "uint32"}, scratch=1.5)


def work(stack, sigma=1.0):
    return stack


@special_outputs(nuclei="labels", counts="table")
def segment(stack):
    return stack, stack, []


@special_inputs("counts")
@special_outputs(mean="object")
def total(counts):
    return None, {}


texts = st.text(st.characters(exclude_categories=[]), max_size=12)
sources = st.one_of(
    st.none(),
    st.builds(FileSource, texts, st.integers(0, 3), st.integers(0, 10**9), st.integers(0, 2**63)),
    st.builds(
        SceneSource,
        texts,
        st.integers(0, 99),
        st.lists(st.integers(0, 9), max_size=3).map(tuple),
        st.integers(0, 10**9),
        st.integers(0, 2**63),
    ),
    st.builds(ZarrSource, texts, st.lists(st.integers(0, 9), max_size=3).map(tuple)),
)

heights = st.one_of(st.none(), st.integers(-(10**6), 10**6).map(lambda count: count / 1000), st.floats(allow_nan=False))


@st.composite
def plates(draw):
    sizes = [draw(st.integers(1, 3)) for _ in range(4)]
    index = make_index(2, *sizes, shape=(8, 8))
    states = st.sampled_from([PlaneState.PRESENT, PlaneState.PRESENT, PlaneState.MISSING])
    planes = [replace(one, source=draw(sources), state=draw(states), z_um=draw(heights)) for one in index.planes]
    planes = [replace(one, time_s=number / 8) for number, one in enumerate(planes)]
    planes[0] = replace(planes[0], state=PlaneState.PRESENT)
    places = {(one.well, one.site): (draw(st.floats(allow_nan=False)), 1.5) for one in planes}
    return replace(
        index,
        planes=tuple(planes),
        positions=places,
        pixel_size_um=draw(st.sampled_from([None, (0.5, 1.0)])),
        flat_fields=draw(st.sampled_from([{}, {1: FLAT}])),
        barcode=draw(st.one_of(st.none(), texts)),
    )


steps = st.builds(
    lambda stacks, out, keep, sigma: FunctionStep(
        (work, {"sigma": sigma}), "w", stacks, out=out, out_dtype="uint16", force_disk_output=keep
    ),
    st.lists(st.sampled_from(COMPONENTS), unique=True),
    st.sampled_from(["same", "one"]),
    st.sampled_from([True, False, "zarr", "disk"]),
    st.sampled_from([1.0, 2, "x", (1, 2.5), None, [object], float("inf")]),
)
pipelines = st.lists(steps, max_size=3)


@st.composite
def plans(draw):
    pipeline = draw(pipelines)
    if draw(st.booleans()):
        pipeline.append(FunctionStep(segment, "segment", [], out="same", out_dtype="uint16", materialize="disk"))
        if draw(st.booleans()):
            pipeline.append(FunctionStep(total, "total", ["well"]))
        pipeline.append(FunctionStep({"1": work}, "last", ["site"], out="same", out_dtype="uint16", unmatched="pass"))
    facts = Facts(probed=dict.fromkeys(range(1, 7), PROBED), cores=draw(st.integers(1, 3)), free_bytes=10**12)
    config = GlobalPipelineConfig(missing="fill", num_workers=draw(st.integers(1, 2)))
    return compile_plan(draw(plates()), pipeline, config, facts, wells=draw(st.sampled_from([None, ("A01",)])))


def compiled() -> Plan:
    pipeline = [
        FunctionStep(segment, "segment", [], out="same", out_dtype="uint16"),
        FunctionStep(total, "t", ["well"]),
    ]
    facts = Facts(probed={1: PROBED})
    return compile_plan(make_index(2, 2, 2, shape=(8, 8)), pipeline, GlobalPipelineConfig(num_workers=1), facts)


@given(plans())
def test_a_plan_comes_back_from_its_text_and_has_the_same_text_again(plan):
    text = plan.to_json()
    again = Plan.from_json(text)
    assert again == plan
    assert again.to_json() == text
    assert again.explain() == plan.explain()


@given(plates())
def test_planes_come_back_from_rows_and_columns(index):
    table = PlaneTable()
    rows = table.encode(index.planes)
    told = json.loads(json.dumps([table.rows, table.columns]))
    assert PlaneReader(*told).decode(rows, "planes") == index.planes


def places(value, at=()):
    """Yield the place of every value in a JSON document."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*at, key))


STRANGE = st.sampled_from([None, True, -1, 10**30, 1.5, "", "x", [], {}, [[]], [1, 2], {"kind": "x"}, "9" * 5000])


@given(st.data())
def test_a_strange_value_anywhere_is_refused_with_words_or_is_a_plan(data):
    document = json.loads(compiled().to_json())
    where = data.draw(st.sampled_from(list(places(document))[1:]))
    inside = document
    for key in where[:-1]:
        inside = inside[key]
    inside[where[-1]] = data.draw(STRANGE)
    try:
        plan = Plan.from_json(json.dumps(document))
    except FormatError as error:
        assert "plan" in str(error)  # noqa: PT017 - most are refused, a few are plans
    else:
        assert Plan.from_json(plan.to_json()) == plan


@given(st.data())
def test_a_text_cut_anywhere_is_refused(data):
    text = compiled().to_json()
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(FormatError):
        Plan.from_json(text[:cut])
