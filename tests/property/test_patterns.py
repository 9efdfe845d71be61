"""A name made from a pattern is read back as what it was made from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.wells import row_name, well_name
from openhcs.microscopes.patterns import FIELDS, Pattern

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="/_{}*", exclude_categories=("Cs", "Cc")), min_size=1)
NUMBERS = st.integers(0, 10**9 - 1).map(str)
VALUES = {
    "well": st.builds(well_name, st.integers(0, 31), st.integers(0, 47)),
    "row": st.integers(0, 31).map(row_name),
    "column": st.integers(1, 48).map("{:02d}".format),
    "channel": TEXTS,
    "plate": TEXTS,
    **dict.fromkeys(("site", "z", "t"), NUMBERS),
}


@st.composite
def named(draw: st.DrawFn) -> tuple[Pattern, dict[str, str]]:
    fields = draw(st.lists(st.sampled_from(FIELDS), unique=True, min_size=1))
    if ("row" in fields) != ("column" in fields):
        fields = [name for name in fields if name not in {"row", "column"}] or ["well"]
    texts = [draw(st.sampled_from(("_", "_s", "_ch_", "__"))) for _ in fields]
    folder = draw(st.sampled_from(("", "images/")))
    pattern = folder + "".join(f"{text}{{{name}}}" for text, name in zip(texts, fields, strict=True))
    return Pattern(f"{pattern}_.tif"), {name: draw(VALUES[name]) for name in fields}


@given(named())
def test_matching_undoes_formatting(case: tuple[Pattern, dict[str, str]]) -> None:
    pattern, values = case
    name = pattern.format(values)
    found = pattern.match(name)
    assert found == values
    assert pattern.format(found) == name
