"""Names that can be stored anywhere."""

from __future__ import annotations

import pytest

from openhcs.core.checks import name_problem, plain_name
from openhcs.errors import InvalidType, InvalidValue


@pytest.mark.parametrize("name", ["images.zarr", "A01_s1", "µm × 2", "日本", "a b", ".hidden", "console", "x" * 255])
def test_a_plain_name_is_kept_as_it_is(name: str) -> None:
    assert plain_name(name, "store_name") == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is not a name"),
        (".", "is not a name"),
        ("..", "is not a name"),
        ("a/b", "slashes"),
        ("a\\b", "slashes"),
        ("a\nb", "control"),
        ("a\x00", "control"),
        ("a\x7f", "control"),
        ("gnp\u202e.exe", "control"),
        ("CON", "reserved"),
        ("lpt1.zarr", "reserved"),
        ("é" * 128, "255 bytes"),
    ],
)
def test_a_name_that_some_system_cannot_hold_says_why(name: str, says: str) -> None:
    assert says in str(name_problem(name))


def test_a_refused_name_says_which_setting_it_is_for() -> None:
    with pytest.raises(InvalidValue, match=r"store_name: '\.\.' is not a name"):
        plain_name("..", "store_name")
    with pytest.raises(InvalidType, match="store_name is a text, not 5"):
        plain_name(5, "store_name")
