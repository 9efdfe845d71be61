"""Names, units, colours and facts."""

from __future__ import annotations

import json

import pytest

from openhcs.core.plate import Acquisition, Channel
from openhcs.errors import FormatError, InvalidValue
from openhcs.ngff.colors import channel_color, wavelength_color
from openhcs.ngff.describe import epoch_seconds, even_step
from openhcs.ngff.facts import FORMAT, PlateFacts
from openhcs.ngff.naming import image_paths, well_path
from openhcs.ngff.units import canonical, in_micrometers


def test_images_are_named_by_their_place_among_the_plates_sites() -> None:
    assert image_paths({0: [7, 3], 2: [3, 4]}) == {(0, 3): "0", (0, 7): "1", (2, 3): "a2s0", (2, 4): "a2s1"}


def test_every_name_of_an_image_is_alphanumeric_and_its_own() -> None:
    names = list(image_paths({number: range(40) for number in range(12)}).values())
    assert all(name.isalnum() for name in names)
    assert len({name.lower() for name in names}) == len(names)


def test_rows_and_columns_that_the_format_forbids_are_refused() -> None:
    assert well_path("A", "01") == "A/01"
    with pytest.raises(InvalidValue, match="letters and digits"):
        well_path("A", "0 1")


@pytest.mark.parametrize("unit", ["µm", "μm", "um", "micron", "Microns", "micrometre", "micrometers", " micrometer "])
def test_a_micrometer_is_known_however_it_is_spelt(unit: str) -> None:
    assert canonical(unit, "space") == "micrometer"


def test_units_of_time_are_known() -> None:
    assert [canonical(unit, "time") for unit in ("s", "ms", "min", "hours")] == [
        "second",
        "millisecond",
        "minute",
        "hour",
    ]


@pytest.mark.parametrize(("unit", "kind"), [("parrot", "space"), ("second", "space"), ("µm", "time"), ("", "space")])
def test_an_unknown_unit_is_refused(unit: str, kind: str) -> None:
    with pytest.raises(InvalidValue, match="no unit"):
        canonical(unit, kind)


def test_lengths_come_in_micrometers() -> None:
    assert in_micrometers(650, "nm") == pytest.approx(0.65)
    assert in_micrometers(0.65, "µm") == 0.65
    assert in_micrometers(1, "mile") is None
    assert in_micrometers(1, "parrot") is None


def test_units_agree_with_those_a_judge_allows() -> None:
    from yaozarrs import _axis

    from openhcs.ngff import units

    source = " ".join(f"{value}" for value in vars(_axis).values())
    assert all(unit in source for unit in [*units._SPACE.split(), *units._TIME.split()])


@pytest.mark.parametrize(
    ("channel", "color"),
    [
        (Channel(number=1, name="DAPI"), "0000FF"),
        (Channel(number=1, name="Hoechst 33342"), "0000FF"),
        (Channel(number=1, name="Alexa 488"), "00FF00"),
        (Channel(number=1, name="Far Red"), "FF00FF"),
        (Channel(number=1, name="DAPI", color="#73ff00"), "73FF00"),
        (Channel(number=1, name="DAPI", color="73FF00FF"), "73FF00"),
        (Channel(number=1, name="DAPI", color="red-ish"), "0000FF"),
        (Channel(number=1, name="w1", emission_nm=470.0), "00FFFF"),
    ],
)
def test_colours_come_from_what_is_known(channel: Channel, color: str) -> None:
    assert channel_color(channel) == color


def test_channels_of_which_nothing_is_known_differ() -> None:
    colors = [channel_color(Channel(number=n, name=f"w{n}"), n) for n in range(5)]
    assert len(set(colors)) == 5
    assert wavelength_color(800) == "FF00FF"


def test_uneven_z_planes_have_no_step() -> None:
    assert even_step(0.5, (1, 2, 3)) == 0.5
    assert even_step(0.5, (1, 3, 5)) == 1.0
    assert even_step(0.5, (1, 2, 5)) is None
    assert even_step(0.5, (4,)) == 0.5
    assert even_step(None, (1, 2)) is None


def test_a_start_time_without_a_zone_is_not_guessed() -> None:
    assert epoch_seconds("2024-05-01T10:00:00+00:00") == 1714557600
    assert epoch_seconds("2024-05-01T10:00:00") is None
    assert epoch_seconds("yesterday") is None
    assert epoch_seconds(None) is None


FACTS = PlateFacts(
    name="p",
    microscope="m",
    plan="x",
    rows=("A",),
    columns=("1",),
    channels=(Channel(number=2, name="GFP", emission_nm=520.0),),
    acquisitions=(Acquisition(number=1, name="projection", projection=True, start_time="now"),),
    pixel_size_um=(0.5, 0.25),
    z_step_um=2.0,
    positions={("A01", 3): (1.5, -2.0)},
    vendor_files={"a.HTD": "ff", "b.HTD": ""},
)


def test_facts_come_back_from_json() -> None:
    assert PlateFacts.from_json(json.loads(json.dumps(FACTS.to_json()))) == FACTS


@pytest.mark.parametrize("told", [None, [], {}, {"version": 1}, {"version": 1, "plate": "p", "rows": 3, "columns": []}])
def test_what_are_no_facts_is_refused(told: object) -> None:
    with pytest.raises(FormatError, match="facts"):
        PlateFacts.from_json(told)


def test_facts_of_a_newer_version_are_refused() -> None:
    with pytest.raises(FormatError, match="update"):
        PlateFacts.from_json(FACTS.to_json() | {"version": FORMAT + 1})


def test_a_well_beyond_the_known_rows_makes_them_longer() -> None:
    facts = FACTS.including(["C02"])
    assert facts.rows == ("A", "B", "C")
    assert facts.columns == ("1", "02")


def test_many_vendor_files_are_counted_not_listed() -> None:
    facts = PlateFacts(name="p", rows=("A",), columns=("1",), vendor_files={f"{n}.txt": "" for n in range(100)})
    assert len(facts.own()["vendor_files"]) == 64
    assert facts.own()["more_vendor_files"] == 36
