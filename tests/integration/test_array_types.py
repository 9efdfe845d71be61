"""Pipelines whose functions take torch or jax arrays leave what the numpy pipeline leaves."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs import FunctionStep, GlobalPipelineConfig, PipelineOrchestrator, array_type, special_outputs
from openhcs.errors import PlanError
from openhcs.run import facts
from openhcs.testing.synthetic import make_plate
from values import results, run

SERIAL = GlobalPipelineConfig(num_workers=1, use_threading=True)


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    return make_plate(tmp_path_factory.mktemp("plates") / "P1", wells=["A01", "A02"], sites=2, size=(64, 48))


def half(stack):
    return (stack // 2).astype(np.uint16)


@special_outputs(bright="labels")
def bright(stack):
    return stack, (stack > 100).astype(np.int32)


@array_type("jax")
def half_on_jax(stack):
    return stack // 2


@array_type("torch")
@special_outputs(bright="labels")
def bright_on_torch(stack):
    import torch

    return stack.to(torch.uint16), (stack > 100).to(torch.int32)


@pytest.mark.parametrize("config", [SERIAL, GlobalPipelineConfig(num_workers=2)], ids=["serial", "processes"])
def test_the_same_work_in_other_libraries_leaves_the_same_bytes(plate, tmp_path, config):
    assert run(plate, tmp_path / "numpy", [FunctionStep(half, "h"), FunctionStep(bright, "b")], SERIAL).ok
    steps = [FunctionStep(half_on_jax, "h"), FunctionStep(bright_on_torch, "b")]
    assert run(plate, tmp_path / "others", steps, config).ok
    one, other = (
        {path: digest for path, digest in results(tmp_path / name).items() if "/c/" in path}
        for name in ("numpy", "others")
    )
    assert len(one) > 8
    assert one == other


def test_a_library_that_is_not_there_is_told_before_anything_runs(plate, tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(
        PlanError, match=r"step 1 \(b\) takes arrays of torch, which is not installed here: pip install torch"
    ):
        compiled(plate, tmp_path, [FunctionStep(bright_on_torch, "b", out="same", out_dtype="uint16")])


def test_what_jax_would_make_narrower_is_told_before_anything_runs(plate, tmp_path):
    steps = [
        FunctionStep(lambda stack: stack.astype(np.float64), "wide", out="same", out_dtype="float64"),
        FunctionStep(half_on_jax, "h", out="same", out_dtype="float32"),
    ]
    with pytest.raises(PlanError, match="makes float64 narrower without a word"):
        compiled(plate, tmp_path, steps)


def compiled(plate, tmp_path, steps):
    orchestrator = PipelineOrchestrator(plate, output=tmp_path / "o", global_config=SERIAL).initialize()
    orchestrator.compile_pipelines(steps)
    return orchestrator.plan
