"""Options change what they name and leave the rest of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openhcs.cli import options
from openhcs.cli.parser import Parser
from openhcs.constants.constants import Microscope, WellFilterMode
from openhcs.core.config import GlobalPipelineConfig, ZarrConfig
from openhcs.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace


def parse(*words: str) -> Namespace:
    parser = Parser(prog="openhcs run")
    for add in (options.add_plate, options.add_wells, options.add_store, options.add_work, options.add_events):
        add(parser)
    return parser.parse_args(words)


def test_no_option_leaves_the_pipelines_configuration_as_it_is() -> None:
    base = GlobalPipelineConfig(num_workers=3, use_threading=True, missing="skip", zarr=ZarrConfig(ngff_version="0.4"))
    assert options.config_from(parse(), base) == base


def test_each_option_reaches_its_field() -> None:
    words = "--workers 2 --threads --missing fill --on-error stop --ngff 0.4 --levels 3 --microscope generic".split()  # noqa: SIM905 - as typed
    config = options.config_from(parse(*words))
    assert (config.num_workers, config.use_threading, config.missing, config.on_error) == (2, True, "fill", "stop")
    assert (config.zarr.ngff_version, config.zarr.levels) == ("0.4", 3)
    assert config.microscope is Microscope.GENERIC


@pytest.mark.parametrize("words", ["--workers 0", "--levels 0", "--levels x", "--missing maybe", "--ngff 1"])
def test_a_value_that_cannot_be_is_a_usage_error(words: str) -> None:
    with pytest.raises(UsageError):
        options.config_from(parse(*words.split()))


def test_a_microscope_may_be_one_that_a_plugin_brings() -> None:
    assert options.microscope_from(parse("--microscope", "mine")) == "mine"
    assert options.microscope_from(parse("--microscope", "Opera_Phenix")) is Microscope.OPERA_PHENIX
    assert options.microscope_from(parse()) is Microscope.AUTO


def test_exclude_turns_the_filter_round_and_needs_one() -> None:
    assert options.wells_from(parse("--wells", "A01")) == ("A01", WellFilterMode.INCLUDE)
    assert options.wells_from(parse("--wells", "A01", "--exclude")) == ("A01", WellFilterMode.EXCLUDE)
    with pytest.raises(UsageError, match="--wells"):
        options.wells_from(parse("--exclude"))
