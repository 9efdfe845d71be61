"""Harmony's documents, by property: records by pattern are those of the parser, profiles read back as written."""

from __future__ import annotations

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.errors import FormatError
from openhcs.microscopes.harmony.flatfield import KEYS, parse_profiles
from openhcs.microscopes.harmony.index_xml import parse_harmony

NUMBERS = st.sampled_from(["1", "2", "12", "012", " 3 ", "99", "100", "", "-1", "1.5", "&#49;", "<!-- -->1", "x"])
REALS = st.sampled_from(["0", "-0.000322907", "1E-06", "INF", "NaN", "", " 2e3 ", "1e999", "0x1", "١"])
TEXTS = st.sampled_from(["a.tiff", "", "b&amp;c", "µ", "<![CDATA[<x>]]>", "a\r\nb", " a ", "]]&gt;"])
CHILDREN = st.one_of(
    st.tuples(st.sampled_from(["Row", "Col", "FieldID", "PlaneID", "ChannelID", "FlimID", "TimepointID"]), NUMBERS),
    st.tuples(st.sampled_from(["PositionX", "PositionZ Unit='m'", "MeasurementTimeOffset", "ObjectiveNA"]), REALS),
    st.tuples(st.sampled_from(["URL", "State", "AbsTime", "ChannelName", "Other", "h:URL", "id"]), TEXTS),
    st.tuples(st.just("Image"), st.just("")),
)
NEEDED = [("Row", "1"), ("Col", "2"), ("FieldID", "1"), ("ChannelID", "1"), ("URL", "a.tiff")]


@st.composite
def records(draw: st.DrawFn) -> str:
    children = draw(st.permutations(NEEDED)) if draw(st.booleans()) else list(NEEDED)
    children += draw(st.lists(CHILDREN, max_size=3))
    space = draw(st.sampled_from(["", "\n  "]))
    inside = "".join(f"{space}<{name}>{text}</{name.partition(' ')[0]}>" for name, text in children)
    return f"<Image xmlns:h='h'>{inside}{space}</Image>"


@settings(max_examples=300)
@given(st.lists(records(), min_size=1, max_size=4), st.lists(st.integers(0, 3), max_size=12))
def test_a_document_says_the_same_by_pattern_and_element_by_element(kinds: list[str], order: list[int]) -> None:
    body = "".join(kinds[number % len(kinds)] for number in order)
    data = f"<EvaluationInputData><Images>{body}</Images></EvaluationInputData>".encode()
    assert outcome(data, by_pattern=True) == outcome(data, by_pattern=False)


def outcome(data: bytes, *, by_pattern: bool) -> object:
    try:
        return parse_harmony(data, "Index.xml", by_pattern=by_pattern)
    except FormatError as error:
        return str(error)


WORDS = st.from_regex(
    r"[A-Za-z0-9()\[:;.+-]([A-Za-z0-9 ,()\[\]:;.+-]{0,20}[A-Za-z0-9()\[;.+-])?", fullmatch=True
).filter(lambda word: not any(key in word for key in KEYS))
REAL = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: float(f"{number:.8g}"))
LISTS = st.recursive(st.lists(REAL, max_size=4), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
VALUE_KEYS = st.sampled_from([key for key in KEYS if key != "ChannelName"])
INNER = st.recursive(
    st.dictionaries(VALUE_KEYS, st.one_of(REAL, st.just(math.inf), LISTS, WORDS), max_size=5),
    lambda inner: st.dictionaries(VALUE_KEYS, inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    st.text(alphabet='abE,:{}[]()"\\ 1µ', max_size=12)
    .map(str.strip)
    .filter(lambda name: not name.startswith('"') and not any(key in name for key in KEYS))
)
PROFILES = st.builds(
    lambda inner, name, at: dict([*list(inner.items())[:at], *name, *list(inner.items())[at:]]),
    INNER,
    st.lists(st.tuples(st.just("ChannelName"), NAMES), max_size=1),
    st.integers(0, 5),
)


def spelt(value: object) -> str:
    """Return a value in Harmony's own spelling."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {spelt(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelt, value)) + "]"
    if isinstance(value, float):
        return "INF" if math.isinf(value) else f"{value:.8g}"
    return str(value)


def is_text(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word.upper() not in {"INF", "NAN"} and "[" not in word[:1]
    return False


def plain(value: object) -> bool:
    """Return whether every text in a value is one that can be told from a number, a list or a quoted text."""
    if isinstance(value, dict):
        return all(plain(one) for key, one in value.items() if key != "ChannelName")
    return is_text(value) if isinstance(value, str) else True


@settings(max_examples=300)
@given(PROFILES.filter(plain))
def test_a_profile_reads_back_as_it_is_spelt(profile: dict[str, object]) -> None:
    assert parse_profiles(spelt(profile)) == profile


@given(PROFILES)
def test_the_json_spelling_reads_as_json(profile: dict[str, object]) -> None:
    text = json.dumps(profile)
    assert parse_profiles(text) == json.loads(text, parse_int=float)


@given(st.text() | st.text(alphabet='{}[]:,"\\ aMean1INF', max_size=60).map(lambda text: "{" + text))
def test_any_text_is_a_profile_or_refused(text: str) -> None:
    said = ""
    try:
        assert isinstance(parse_profiles(text), dict)
    except FormatError as error:
        said = str(error)
    assert not said or said.startswith("the flat-field profile ")
