"""Pipelines, plan files and shards that are processes of their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from openhcs.cli import main

if TYPE_CHECKING:
    from pathlib import Path

WELLS = ["A01", "A02", "A03", "B01", "B02", "B03", "C01"]
PIPELINE = """
import os, time
from openhcs import FunctionStep, GlobalPipelineConfig
from openhcs.core.special import special_outputs

@special_outputs(counts="table")
def count(stack, n):
    if os.environ.get("HANG") and stack.max() >= 0:
        open(os.environ["HANG"], "w").close()
        time.sleep(60)
    return stack + n, [{"sum": int(stack.astype("int64").sum())}]

config = GlobalPipelineConfig(num_workers=1, use_threading=True)
steps = [FunctionStep((count, {"n": 1}), variable_components=[], out="same", out_dtype="uint16")]
"""
STAGED = """
import os, time
from openhcs import FunctionStep, GlobalPipelineConfig
from openhcs.core.special import special_inputs, special_outputs

@special_outputs(level="object")
def look(stack):
    if os.environ.get("HANG"):
        open(os.environ["HANG"], "w").close()
        time.sleep(60)
    return stack, {"mean": float(stack.mean())}

@special_inputs("level")
@special_outputs(all="object")
def gather(level):
    return {"mean": sum(one["mean"] for one in level) / len(level)}

@special_inputs("all")
def shift(stack, all):
    return stack + int(all["mean"])

config = GlobalPipelineConfig(num_workers=1, use_threading=True)
steps = [
    FunctionStep(look, variable_components=["channel", "site"], out="same", out_dtype="uint16"),
    FunctionStep(gather, variable_components=["well"]),
    FunctionStep(shift, variable_components=[], out="same", out_dtype="uint16"),
]
"""


def saved(at: Path, name: str = "plan.json", *words: str, pipeline: str = "p.py") -> Path:
    assert main(["plan", pipeline, "P1", "-o", "out", "--save", name, *words]) == 0
    return at / name


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file of an output but the ledger's."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".openhcs" not in path.parts]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def start(*words: str, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "openhcs", "run", *words, "--quiet"]
    return subprocess.Popen(command, env={**os.environ, **env}, stdout=-1, stderr=-1, text=True)


def ended(process: subprocess.Popen[str]) -> int:
    told = process.communicate(timeout=100)
    assert "Traceback" not in "".join(told), told
    return process.returncode
