"""Every configuration that can be made comes back from its TOML text."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from openhcs.constants.constants import Backend, MaterializationBackend, Microscope, ZarrChunkStrategy, ZarrCompressor
from openhcs.core.checks import name_problem
from openhcs.core.config import GlobalPipelineConfig, PathPlanningConfig, VFSConfig, ZarrConfig

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = texts.filter(lambda name: name_problem(name) is None)
booleans = st.booleans()
vfs = st.builds(
    VFSConfig,
    intermediate_backend=st.sampled_from(Backend),
    materialization_backend=st.sampled_from(MaterializationBackend),
    memory_budget=st.none() | st.integers(1, 2**62),
    spill_dir=st.none() | texts,
)
paths = st.builds(
    PathPlanningConfig,
    output_dir_suffix=names,
    global_output_folder=st.none() | texts,
    materialization_results_path=names,
)


@st.composite
def zarrs(draw: st.DrawFn) -> ZarrConfig:
    strategy = draw(st.sampled_from(ZarrChunkStrategy))
    version = draw(st.sampled_from(["0.4", "0.5"]))
    chunks = shards = None
    if strategy is ZarrChunkStrategy.CUSTOM:
        chunks = tuple(draw(st.lists(st.integers(1, 4096), min_size=1, max_size=5)))
        if version == "0.5" and draw(booleans):
            shards = tuple(size * draw(st.integers(1, 5)) for size in chunks)
    return ZarrConfig(
        store_name=draw(names.map(lambda name: name[:8] + ".zarr").filter(lambda name: name_problem(name) is None)),
        compressor=draw(st.sampled_from(ZarrCompressor)),
        compression_level=draw(st.integers(1, 9)),
        shuffle=draw(booleans),
        chunk_strategy=strategy,
        ome_zarr_metadata=draw(booleans),
        write_plate_metadata=draw(booleans),
        ngff_version=version,
        chunk_shape=chunks,
        shard_shape=shards,
        levels=draw(st.none() | st.integers(1, 30)),
    )


configs = st.builds(
    GlobalPipelineConfig,
    vfs=vfs,
    zarr=zarrs(),
    path_planning=paths,
    num_workers=st.none() | st.integers(1, 4096),
    use_threading=booleans,
    microscope=st.sampled_from(Microscope) | texts,
    missing=st.sampled_from(["error", "skip", "fill"]),
    on_error=st.sampled_from(["continue", "stop"]),
    durability=st.sampled_from(["full", "fast"]),
    verify=booleans,
)


@given(configs)
def test_a_configuration_comes_back_from_its_toml(config: GlobalPipelineConfig) -> None:
    assert GlobalPipelineConfig.from_toml(config.to_toml()) == config


@given(configs)
def test_the_text_is_toml_for_everybody(config: GlobalPipelineConfig) -> None:
    data = tomllib.loads(config.to_toml())
    assert data["zarr"]["store_name"] == config.zarr.store_name
    assert ("levels" in data["zarr"]) is (config.zarr.levels is not None)
