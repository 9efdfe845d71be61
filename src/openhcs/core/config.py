"""What a user can choose: storage, Zarr, folders, running.

Frozen; checked when made, so a wrong value fails at the line that wrote it. A configuration holds
choices, never resources, and reads nothing from the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.constants.constants import (
    Backend,
    GroupBy,
    MaterializationBackend,
    Microscope,
    VariableComponents,
    WellFilterMode,
    ZarrChunkStrategy,
    ZarrCompressor,
)
from openhcs.core import checks, toml
from openhcs.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Backend",
    "GlobalPipelineConfig",
    "GroupBy",
    "MaterializationBackend",
    "Microscope",
    "PathPlanningConfig",
    "VFSConfig",
    "VariableComponents",
    "WellFilterMode",
    "ZarrChunkStrategy",
    "ZarrCompressor",
    "ZarrConfig",
]

NGFF_VERSIONS = ("0.4", "0.5", "0.6")
MISSING = ("error", "skip", "fill")
ON_ERROR = ("continue", "stop")
DURABILITY = ("full", "fast")
INPUTS = ("mtime", "size", "deep")


def _folder(value: object, name: str) -> str:
    try:
        return checks.text(value if isinstance(value, str) else _fspath(value), name)
    except TypeError:
        raise InvalidType(f"{name} is a folder's path, not {value!r}") from None


def _fspath(value: object) -> str:
    import os

    return os.fspath(value)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class VFSConfig:
    """Where intermediates and results live.

    Parameters
    ----------
    intermediate_backend
        holds what lives between two steps of one well.
    materialization_backend
        holds results for good.
    memory_budget
        bytes that a run may take with all its processes, and that a memory backend may hold; None:
        60 % of what the machine or its container allows.
    spill_dir
        folder for what does not fit; None: a run spills nothing, a memory backend to a private
        temporary folder.
    """

    intermediate_backend: Backend = Backend.MEMORY
    materialization_backend: MaterializationBackend = MaterializationBackend.ZARR
    memory_budget: int | None = None
    spill_dir: str | Path | None = None

    def __post_init__(self) -> None:
        put = checks.set_field
        put(self, "intermediate_backend", checks.enum(Backend, self.intermediate_backend, "intermediate_backend"))
        backend = checks.enum(MaterializationBackend, self.materialization_backend, "materialization_backend")
        put(self, "materialization_backend", backend)
        checks.optional(checks.integer, self.memory_budget, "memory_budget", low=1)
        put(self, "spill_dir", checks.optional(_folder, self.spill_dir, "spill_dir"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ZarrConfig:
    """How results are stored as Zarr.

    Parameters
    ----------
    store_name
        name of the store; ends in ``.zarr``.
    compressor, compression_level, shuffle
        ZSTD with shuffle is blosc-zstd with bit shuffle in Zarr v3. Levels: zstd 1–22, zlib 0–9,
        blosc kinds 0–9.
    chunk_strategy
        SINGLE: one stored object per array up to 256 MiB; AUTO: sizes by byte targets; CUSTOM:
        ``chunk_shape`` and, for Zarr v3, ``shard_shape`` as given (last axes first matter: a shape
        shorter than the array's is padded with ones in front).
    ome_zarr_metadata
        False writes plain arrays and groups in the same layout.
    write_plate_metadata
        False writes images only, without ``plate`` at the root.
    ngff_version
        "0.5" (Zarr v3) or "0.4" (Zarr v2).
    levels
        resolution levels per image; None: halved until about 256 pixels.
    """

    store_name: str = "images.zarr"
    compressor: ZarrCompressor = ZarrCompressor.ZSTD
    compression_level: int = 1
    shuffle: bool = True
    chunk_strategy: ZarrChunkStrategy = ZarrChunkStrategy.SINGLE
    ome_zarr_metadata: bool = True
    write_plate_metadata: bool = True
    ngff_version: str = "0.5"
    chunk_shape: tuple[int, ...] | None = None
    shard_shape: tuple[int, ...] | None = None
    levels: int | None = None

    def __post_init__(self) -> None:
        put = checks.set_field
        checks.plain_name(self.store_name, "store_name")
        if not self.store_name.endswith(".zarr") or self.store_name == ".zarr":
            raise InvalidValue(f"store_name ends in '.zarr', such as 'images.zarr', not {self.store_name!r}")
        put(self, "compressor", checks.enum(ZarrCompressor, self.compressor, "compressor"))
        put(self, "chunk_strategy", checks.enum(ZarrChunkStrategy, self.chunk_strategy, "chunk_strategy"))
        checks.boolean(self.shuffle, "shuffle")
        checks.boolean(self.ome_zarr_metadata, "ome_zarr_metadata")
        checks.boolean(self.write_plate_metadata, "write_plate_metadata")
        checks.one_of(self.ngff_version, "ngff_version", NGFF_VERSIONS)
        low, high = self.level_range
        checks.integer(self.compression_level, f"compression_level for {self.compressor.value}", low=low, high=high)
        put(self, "chunk_shape", checks.optional(checks.shape, self.chunk_shape, "chunk_shape"))
        put(self, "shard_shape", checks.optional(checks.shape, self.shard_shape, "shard_shape"))
        checks.optional(checks.integer, self.levels, "levels", low=1, high=30)
        self._check_chunking()

    @property
    def level_range(self) -> tuple[int, int]:
        """Lowest and highest compression level of the codec that these settings choose."""
        plain_zstd = not self.shuffle or self.ngff_version == "0.4"
        return (1, 22) if self.compressor is ZarrCompressor.ZSTD and plain_zstd else (0, 9)

    def _check_chunking(self) -> None:
        custom = self.chunk_strategy is ZarrChunkStrategy.CUSTOM
        if custom and self.chunk_shape is None:
            raise InvalidValue("chunk_strategy CUSTOM needs chunk_shape, such as (1, 540, 540)")
        if not custom and (self.chunk_shape or self.shard_shape):
            raise InvalidValue("chunk_shape and shard_shape are for chunk_strategy CUSTOM")
        if self.shard_shape is None or self.chunk_shape is None:
            return
        if self.ngff_version == "0.4":
            raise InvalidValue("shard_shape needs Zarr v3 (ngff_version '0.5'): Zarr v2 has no shards")
        if len(self.shard_shape) != len(self.chunk_shape):
            raise InvalidValue(f"shard_shape {self.shard_shape} and chunk_shape {self.chunk_shape} differ in length")
        if any(shard % chunk for shard, chunk in zip(self.shard_shape, self.chunk_shape, strict=True)):
            raise InvalidValue(f"shard_shape {self.shard_shape} is not a multiple of chunk_shape {self.chunk_shape}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPlanningConfig:
    """Where an output lies when none is named.

    Parameters
    ----------
    output_dir_suffix
        added to the plate's name for an output beside it.
    global_output_folder
        folder that holds the outputs instead.
    materialization_results_path
        folder for tables and other values inside the output.
    """

    output_dir_suffix: str = "_outputs"
    global_output_folder: str | Path | None = None
    materialization_results_path: str = "results"

    def __post_init__(self) -> None:
        checks.plain_name(self.output_dir_suffix, "output_dir_suffix")
        checks.plain_name(self.materialization_results_path, "materialization_results_path")
        folder = checks.optional(_folder, self.global_output_folder, "global_output_folder")
        checks.set_field(self, "global_output_folder", folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPipelineConfig:
    """All choices for a run.

    Parameters
    ----------
    vfs, zarr, path_planning
        the groups of settings above.
    num_workers
        workers; None: one per core.
    use_threading
        threads instead of worker processes.
    microscope
        the plate's layout, a `Microscope` or the name of an installed one.
    missing
        planes that should be there and are not: "error", "skip" (leave the site out), "fill".
    on_error
        a failed well: "continue" with the others or "stop".
    durability
        "full" syncs each well to the disk before it counts, "fast" leaves that to the system.
    verify
        read every plane back before a well is published.
    inputs
        how a changed input file is told: "mtime" (size and time), "size" (size alone), "deep" (every byte).
    timeout
        seconds that a well may take before its worker process is ended and the well counts as failed;
        None: no limit. Threads cannot be ended, so it goes with worker processes alone.
    dask
        address of a Dask scheduler whose workers do the work, such as ``tcp://127.0.0.1:8786``.
    """

    vfs: VFSConfig = field(default_factory=VFSConfig)
    zarr: ZarrConfig = field(default_factory=ZarrConfig)
    path_planning: PathPlanningConfig = field(default_factory=PathPlanningConfig)
    num_workers: int | None = None
    use_threading: bool = False
    microscope: Microscope | str = Microscope.AUTO
    missing: str = "error"
    on_error: str = "continue"
    durability: str = "full"
    verify: bool = False
    inputs: str = "mtime"
    timeout: float | None = None
    dask: str | None = None

    def __post_init__(self) -> None:
        for name, kind in (("vfs", VFSConfig), ("zarr", ZarrConfig), ("path_planning", PathPlanningConfig)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise InvalidType(f"{name} takes a {kind.__name__}, not {value!r}")
        checks.optional(checks.integer, self.num_workers, "num_workers", low=1, high=4096)
        checks.boolean(self.use_threading, "use_threading")
        checks.boolean(self.verify, "verify")
        checks.one_of(self.missing, "missing", MISSING)
        checks.one_of(self.on_error, "on_error", ON_ERROR)
        checks.one_of(self.durability, "durability", DURABILITY)
        checks.one_of(self.inputs, "inputs", INPUTS)
        put = checks.set_field
        put(self, "timeout", checks.optional(checks.seconds, self.timeout, "timeout"))
        checks.optional(checks.text, self.dask, "dask")
        if self.timeout is not None and (self.use_threading or self.dask is not None):
            raise InvalidValue("timeout ends worker processes; it goes neither with use_threading nor with dask")
        if self.use_threading and self.dask is not None:
            raise InvalidValue("use_threading and dask are two ways to run; choose one")
        if isinstance(self.microscope, str) and self.microscope in {kind.value for kind in Microscope}:
            checks.set_field(self, "microscope", Microscope(self.microscope))
        elif not isinstance(self.microscope, Microscope):
            checks.text(self.microscope, "microscope")

    @classmethod
    def from_toml(cls, text: str) -> GlobalPipelineConfig:
        """Return the configuration that TOML ``text`` describes; what it leaves out has its default.

        >>> GlobalPipelineConfig.from_toml("num_workers = 3").num_workers
        3
        """
        return toml.loads(cls, text)

    def to_toml(self) -> str:
        """Return TOML text from which `from_toml` makes an equal configuration."""
        return toml.dumps(self)
