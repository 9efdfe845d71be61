"""Settings are checked when made, say what is allowed, and take and give TOML."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from openhcs.constants.constants import (
    Backend,
    MaterializationBackend,
    Microscope,
    ZarrChunkStrategy,
    ZarrCompressor,
)
from openhcs.core.config import GlobalPipelineConfig, PathPlanningConfig, VFSConfig, ZarrConfig
from openhcs.errors import InvalidType, InvalidValue, UnknownName

CONFIGS = (VFSConfig, ZarrConfig, PathPlanningConfig, GlobalPipelineConfig)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_is_frozen_slotted_and_keyword_only(kind: type[Any]) -> None:
    made = kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(kind)[0].name, None)
    with pytest.raises(TypeError):
        kind("x")
    assert not hasattr(made, "__dict__")
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_defaults_are_those_of_the_reference() -> None:
    assert VFSConfig() == VFSConfig(
        intermediate_backend=Backend.MEMORY, materialization_backend=MaterializationBackend.ZARR
    )
    assert ZarrConfig() == ZarrConfig(
        store_name="images.zarr",
        compressor=ZarrCompressor.ZSTD,
        compression_level=1,
        shuffle=True,
        chunk_strategy=ZarrChunkStrategy.SINGLE,
        ome_zarr_metadata=True,
        write_plate_metadata=True,
    )
    assert PathPlanningConfig().output_dir_suffix == "_outputs"
    assert GlobalPipelineConfig().num_workers is None


REFUSED = [
    (VFSConfig, {"intermediate_backend": "memroy"}, UnknownName, "did you mean 'memory'"),
    (VFSConfig, {"intermediate_backend": 3}, InvalidType, "memory, disk, zarr"),
    (VFSConfig, {"materialization_backend": Backend.MEMORY}, InvalidType, "disk, zarr"),
    (VFSConfig, {"memory_budget": 0}, InvalidValue, "from 1 on"),
    (VFSConfig, {"memory_budget": 1.5}, InvalidType, "a whole number"),
    (VFSConfig, {"memory_budget": True}, InvalidType, "a whole number"),
    (VFSConfig, {"spill_dir": 7}, InvalidType, "a folder's path"),
    (VFSConfig, {"spill_dir": ""}, InvalidValue, "must not be empty"),
    (VFSConfig, {"spill_dir": b"x"}, InvalidType, "a folder's path"),
    (ZarrConfig, {"store_name": "images"}, InvalidValue, "ends in '.zarr'"),
    (ZarrConfig, {"store_name": ".zarr"}, InvalidValue, "ends in '.zarr'"),
    (ZarrConfig, {"store_name": "a/b.zarr"}, InvalidValue, "without slashes"),
    (ZarrConfig, {"store_name": "nul.zarr"}, InvalidValue, "reserved"),
    (ZarrConfig, {"store_name": "a\u202e.zarr"}, InvalidValue, "control"),
    (ZarrConfig, {"store_name": "x" * 251 + ".zarr"}, InvalidValue, "255 bytes"),
    (ZarrConfig, {"store_name": Path("images.zarr")}, InvalidType, "is a text"),
    (ZarrConfig, {"compressor": "zstandard"}, UnknownName, "did you mean 'zstd'"),
    (ZarrConfig, {"compression_level": 10}, InvalidValue, "compression_level for zstd is a whole number from 0 to 9"),
    (ZarrConfig, {"compression_level": 23, "shuffle": False}, InvalidValue, "from 1 to 22"),
    (ZarrConfig, {"compression_level": "1"}, InvalidType, "a whole number"),
    (ZarrConfig, {"shuffle": 1}, InvalidType, "True or False"),
    (ZarrConfig, {"ngff_version": "0.7"}, InvalidValue, "known: 0.4, 0.5, 0.6|did you mean"),
    (ZarrConfig, {"ngff_version": 0.5}, InvalidType, "is a text"),
    (ZarrConfig, {"levels": 0}, InvalidValue, "from 1 to 30"),
    (ZarrConfig, {"chunk_strategy": "custom"}, InvalidValue, "needs chunk_shape"),
    (ZarrConfig, {"chunk_shape": (1, 2)}, InvalidValue, "for chunk_strategy CUSTOM"),
    (ZarrConfig, {"chunk_strategy": "custom", "chunk_shape": (0, 2)}, InvalidValue, "from 1 on"),
    (ZarrConfig, {"chunk_strategy": "custom", "chunk_shape": 5}, InvalidType, "a tuple of sizes"),
    (
        ZarrConfig,
        {"chunk_strategy": "custom", "chunk_shape": (2, 2), "shard_shape": (3, 4)},
        InvalidValue,
        "not a multiple",
    ),
    (
        ZarrConfig,
        {"chunk_strategy": "custom", "chunk_shape": (2, 2), "shard_shape": (4,)},
        InvalidValue,
        "differ in length",
    ),
    (
        ZarrConfig,
        {"chunk_strategy": "custom", "chunk_shape": (2,), "shard_shape": (4,), "ngff_version": "0.4"},
        InvalidValue,
        "needs Zarr v3",
    ),
    (PathPlanningConfig, {"output_dir_suffix": "/x"}, InvalidValue, "without slashes"),
    (PathPlanningConfig, {"materialization_results_path": ".."}, InvalidValue, "is not a name"),
    (GlobalPipelineConfig, {"vfs": ZarrConfig()}, InvalidType, "takes a VFSConfig"),
    (GlobalPipelineConfig, {"zarr": {}}, InvalidType, "takes a ZarrConfig"),
    (GlobalPipelineConfig, {"num_workers": 0}, InvalidValue, "from 1 to 4096"),
    (GlobalPipelineConfig, {"use_threading": "yes"}, InvalidType, "True or False"),
    (GlobalPipelineConfig, {"missing": "ignore"}, InvalidValue, "error, skip, fill"),
    (GlobalPipelineConfig, {"on_error": "abort"}, InvalidValue, "continue, stop"),
    (GlobalPipelineConfig, {"durability": "none"}, InvalidValue, "full, fast"),
    (GlobalPipelineConfig, {"microscope": 5}, InvalidType, "is a text"),
    (GlobalPipelineConfig, {"verify": None}, InvalidType, "True or False"),
]


@pytest.mark.parametrize(("kind", "given", "error", "says"), REFUSED)
def test_a_wrong_value_is_refused_with_what_is_allowed(
    kind: type[Any], given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        kind(**given)


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_unknown_setting_is_a_type_error(kind: type[Any]) -> None:
    with pytest.raises(TypeError, match="colour"):
        kind(colour="red")


def test_names_stand_for_the_choices() -> None:
    made = ZarrConfig(compressor="LZ4", chunk_strategy="auto")
    assert (made.compressor, made.chunk_strategy) == (ZarrCompressor.LZ4, ZarrChunkStrategy.AUTO)
    assert GlobalPipelineConfig(microscope="opera_phenix").microscope is Microscope.OPERA_PHENIX


def test_an_installed_microscope_is_kept_by_its_name() -> None:
    assert GlobalPipelineConfig(microscope="thirdscope").microscope == "thirdscope"


def test_folders_are_kept_as_text() -> None:
    assert VFSConfig(spill_dir=Path("a/b")).spill_dir == "a/b"
    assert PathPlanningConfig(global_output_folder=Path("out")).global_output_folder == "out"


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ({}, (0, 9)),
        ({"shuffle": False}, (1, 22)),
        ({"ngff_version": "0.4"}, (1, 22)),
        ({"compressor": ZarrCompressor.ZLIB}, (0, 9)),
        ({"compressor": ZarrCompressor.LZ4, "shuffle": False}, (0, 9)),
    ],
)
def test_levels_are_those_of_the_codec_that_is_used(given: dict[str, Any], span: tuple[int, int]) -> None:
    assert ZarrConfig(**given).level_range == span


def test_toml_gives_what_it_says_and_defaults_for_the_rest() -> None:
    made = GlobalPipelineConfig.from_toml('num_workers = 3\n[zarr]\ncompressor = "zlib"\ncompression_level = 6\n')
    assert made == GlobalPipelineConfig(
        num_workers=3, zarr=ZarrConfig(compressor=ZarrCompressor.ZLIB, compression_level=6)
    )


def test_an_empty_file_is_the_defaults() -> None:
    assert GlobalPipelineConfig.from_toml("") == GlobalPipelineConfig()


def test_toml_text_is_made_to_be_read() -> None:
    text = GlobalPipelineConfig(num_workers=2).to_toml()
    assert text.startswith("num_workers = 2\n")
    assert '[zarr]\nstore_name = "images.zarr"\ncompressor = "zstd"\ncompression_level = 1\n' in text
    assert "memory_budget" not in text


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("num_worker = 2", UnknownName, "unknown setting num_worker; did you mean 'num_workers'"),
        ('[zarr]\ncompresor = "zstd"', UnknownName, "unknown setting zarr.compresor; did you mean 'compressor'"),
        ("zarr = 3", InvalidValue, "zarr is a table of settings"),
        ("num_workers = ", InvalidValue, "this is not TOML"),
        ("num_workers = 2\nnum_workers = 3", InvalidValue, "this is not TOML"),
        ("[zarr]\ncompression_level = 99", InvalidValue, "from 0 to 9"),
    ],
)
def test_wrong_toml_is_refused_with_the_place(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        GlobalPipelineConfig.from_toml(text)


def test_toml_as_bytes_is_refused() -> None:
    with pytest.raises(InvalidType, match="taken as text, not as bytes"):
        GlobalPipelineConfig.from_toml(b"num_workers = 2")
