"""A well's view of the plan cannot be changed."""

from __future__ import annotations

import dataclasses

import pytest

from openhcs.core.context import ProcessingContext, StepView
from openhcs.core.plate import Plane

STEP = StepView(number=1, name="gaussian", calls=2, reads="disk", writes=("memory",))
CONTEXT = ProcessingContext(
    well="A01",
    plate_name="P1",
    plan_id="3f9c",
    output_path="out",
    planes=(Plane(well="A01", site=1, channel=1),),
    steps=(STEP,),
    outputs=("images.zarr/A/01/0",),
    peak_bytes=10,
)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ProcessingContext)])
def test_setting_an_attribute_of_a_context_raises(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(CONTEXT, name, None)


def test_a_new_attribute_raises_too() -> None:
    with pytest.raises((AttributeError, TypeError)):
        CONTEXT.note = "x"
    with pytest.raises((AttributeError, TypeError)):
        STEP.note = "x"
