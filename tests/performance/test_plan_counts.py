"""A plan of a whole plate: how long its text is, and how seldom wells that are alike are bound."""

from __future__ import annotations

import random
from dataclasses import replace
from uuid import UUID

import openhcs.plan.partition as partition
from openhcs.core.config import GlobalPipelineConfig
from openhcs.core.steps import FunctionStep
from openhcs.plan.compile import compile_plan
from openhcs.plan.facts import Facts
from openhcs.plan.model import Plan
from plates import make_index


def same(stack):
    return stack


STEPS = [FunctionStep(same, f"step{number}", [], out="same", out_dtype="uint16") for number in range(5)]
WELLS = 384


def compiled(index) -> Plan:
    return compile_plan(index, STEPS, GlobalPipelineConfig(num_workers=1), Facts())


def test_a_plan_of_384_wells_takes_a_twentieth_of_what_it_may_where_files_are_named_by_a_rule():
    plan = compiled(make_index(WELLS, 9, 4, 5))
    text = plan.to_json()
    assert len(text) < 250_000
    assert Plan.from_json(text) == plan


def test_a_plan_of_384_wells_stays_below_5_mb_where_each_file_has_a_name_of_its_own():
    """As MetaXpress names files: an identifier in each name, a time of writing for each."""
    dice = random.Random(5)
    index, clock, planes = make_index(WELLS, 9, 4, 5), 1_700_000_000 * 10**9, []
    for plane in index.planes:
        clock += dice.randrange(10**9)
        own = UUID(int=dice.getrandbits(128))
        name = f"TimePoint_1/ZStep_{plane.z}/P1_{plane.well}_s{plane.site}_w{plane.channel}{own}.tif"
        planes.append(replace(plane, source=replace(plane.source, path=name, size=2_000_000, mtime_ns=clock)))
    assert len(compiled(replace(index, planes=tuple(planes))).to_json()) < 5_000_000


def test_wells_that_are_alike_are_bound_once_for_all(monkeypatch):
    calls = []
    groups_of = partition.groups_of
    monkeypatch.setattr(partition, "groups_of", lambda *words: calls.append(words) or groups_of(*words))
    compiled(make_index(WELLS, 2, 2))
    assert len(calls) == 2 * len(STEPS)
