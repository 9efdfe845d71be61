"""From the words of ``plan`` and ``run`` to an orchestrator: pipeline file, configuration, output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openhcs.cli import options
from openhcs.cli.paths import existing
from openhcs.constants.constants import MaterializationBackend
from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from openhcs.cli.watch import Watch
    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep
    from openhcs.orchestrator import PipelineOrchestrator
    from openhcs.run.result import RunResult


@dataclass
class Job:
    """Something to run: the name it is told by, what the user chose, and how it is done."""

    name: str
    config: GlobalPipelineConfig
    go: Callable[[Watch], RunResult]


def plate_job(
    args: Namespace, plate: str, steps: list[FunctionStep], config: GlobalPipelineConfig, *, output: str | None
) -> Job:
    """Return the job of running steps on one plate."""

    def go(watch: Watch) -> RunResult:
        orchestrator = orchestrator_for(args, existing(plate, "plate"), config, output)
        given = {name: getattr(args, name, None) for name in ("shard", "rerun_from")}
        more = {name: number(value) for name, value in given.items() if value is not None}
        return orchestrator.run(steps, on_event=watch.on_event, stop=watch.stop, **more)

    return Job(name=os.path.basename(os.path.abspath(plate)), config=config, go=go)


def add_pipeline(parser: ArgumentParser) -> None:
    """Add the options that planning and running share."""
    options.add_wells(parser)
    options.add_store(parser)
    options.add_work(parser)
    options.add_plate(parser)


def load(args: Namespace) -> tuple[list[FunctionStep], GlobalPipelineConfig]:
    """Return the steps of the pipeline file, and its configuration with the options over it."""
    from openhcs.run.pipeline_file import load_pipeline

    pipeline = load_pipeline(existing(args.pipeline, "pipeline file"))
    return list(pipeline.steps), options.config_from(args, pipeline.config)


def orchestrator_for(
    args: Namespace, plate: str, config: GlobalPipelineConfig, output: str | None
) -> PipelineOrchestrator:
    """Return the orchestrator for one plate as the options ask for it."""
    from openhcs.orchestrator import PipelineOrchestrator

    wells, mode = options.wells_from(args)
    return PipelineOrchestrator(
        plate,
        global_config=config,
        output=output,
        wells=wells,
        wells_mode=mode,
        exist=args.exist,
        pattern=args.pattern,
        pipeline_file=args.pipeline,
    )


def take(args: Namespace, words: list[str]) -> list[str]:
    """Add plates that stand behind an option to those before it; return what is none."""
    args.plate += [word for word in words if not word.startswith("-")]
    return [word for word in words if word.startswith("-")]


def is_plan_file(path: str) -> bool:
    """Return whether a word names a plan file and no pipeline file: by its end."""
    return path.lower().endswith(".json")


def number(value: Any) -> Any:
    """Return a text of digits as a number, all else as it is."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def outputs_of(plates: list[str], output: str | None) -> list[str | None]:
    """Return where each plate's output goes: one plate into ``output``, several each into a folder of it.

    Raises
    ------
    InvalidValue
        two plates of the same name.
    """
    if output is None or len(plates) == 1:
        return [output] * len(plates)
    names = [os.path.basename(os.path.abspath(plate)) for plate in plates]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidValue(f"two plates are named {twice[0]!r} and would share an output: run them one by one")
    return [os.path.join(output, name) for name in names]


def stored_path(output: str, config: GlobalPipelineConfig) -> str:
    """Return where the images of an output are."""
    on_disk = config.vfs.materialization_backend is MaterializationBackend.DISK
    return os.path.join(output, "images" if on_disk else config.zarr.store_name)
