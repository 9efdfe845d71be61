"""From the words of ``plan`` and ``run`` to an orchestrator: pipeline file, configuration, output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from openhcs.cli import options
from openhcs.cli.paths import existing
from openhcs.constants.constants import MaterializationBackend
from openhcs.errors import InvalidValue

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from openhcs.core.config import GlobalPipelineConfig
    from openhcs.core.steps import FunctionStep
    from openhcs.orchestrator import PipelineOrchestrator


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
    )


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
