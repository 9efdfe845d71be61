"""Whatever other tools write into a document, reading and rendering it again loses nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.ngff import parse, render

KEYS = st.text("abcxyz_", min_size=4, max_size=7).map("x_".__add__)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
EXTRA = st.dictionaries(KEYS, VALUES, max_size=2)
NUMBERS = st.floats(0.1, 9, allow_nan=False) | st.integers(0, 9)


@st.composite
def with_extra(draw: st.DrawFn, **known: Any) -> dict[str, Any]:
    """An object with known keys, each a strategy, and some nobody knows."""
    return {**{key: draw(value) for key, value in known.items()}, **draw(EXTRA)}


def some(**known: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An object in which every one of these keys may be absent."""
    return st.fixed_dictionaries({}, optional=known)


@st.composite
def plates(draw: st.DrawFn) -> dict[str, Any]:
    version = st.just("0.4")
    named = lambda name: with_extra(name=st.just(name))  # noqa: E731
    rows = [draw(named(name)) for name in ("A", "B")]
    columns = [draw(named(name)) for name in ("1", "02")]
    well = with_extra(path=st.just("B/02"), rowIndex=st.just(1), columnIndex=st.just(1))
    acquisition = with_extra(id=st.integers(0, 3), name=st.text(max_size=3))
    body = draw(
        with_extra(
            version=version, rows=st.just(rows), columns=st.just(columns), wells=st.lists(well, min_size=1, max_size=2)
        )
    )
    body |= draw(some(name=st.text(max_size=4), field_count=st.integers(1, 4)))
    body |= draw(some(acquisitions=st.lists(acquisition, min_size=1, max_size=2)))
    return {"plate": body, **draw(EXTRA), **draw(some(openhcs=EXTRA))}


@st.composite
def wells(draw: st.DrawFn) -> dict[str, Any]:
    image = with_extra(path=st.text("09a", min_size=1, max_size=2))
    body = draw(with_extra(version=st.just("0.4"), images=st.lists(image, max_size=2)))
    return {"well": body, **draw(EXTRA), **draw(some(openhcs=EXTRA))}


@st.composite
def images(draw: st.DrawFn) -> dict[str, Any]:
    axes = [draw(with_extra(name=st.just(name), type=st.just("space"))) for name in ("Y", "x")]
    pair = st.lists(NUMBERS, min_size=2, max_size=2)
    scale = st.fixed_dictionaries({"type": st.just("scale"), "scale": pair})
    shift = st.fixed_dictionaries({"type": st.just("translation"), "translation": pair})
    other = st.fixed_dictionaries({"type": st.just("affine"), "affine": VALUES})
    steps = st.tuples(scale, shift).map(list) | scale.map(lambda one: [one]) | st.tuples(scale, shift, other).map(list)
    level = with_extra(path=st.text("0a/", min_size=1, max_size=3), coordinateTransformations=steps)
    first = draw(
        with_extra(version=st.just("0.4"), axes=st.just(axes), datasets=st.lists(level, min_size=1, max_size=2))
    )
    first |= draw(some(name=st.text(max_size=3), type=st.text(max_size=3), metadata=EXTRA))
    window = with_extra(min=NUMBERS, max=NUMBERS, start=NUMBERS, end=NUMBERS)
    channel = with_extra() | with_extra(color=st.text("0F", min_size=6, max_size=6), window=window | st.none())
    omero = with_extra(version=st.just("0.4"), channels=st.lists(channel, max_size=2))
    document = {"multiscales": [first, *draw(st.lists(with_extra(), max_size=1))]}
    return {**document, **draw(some(omero=omero)), **draw(EXTRA), **draw(some(openhcs=EXTRA))}


def newer(document: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    """The document as 0.5 has it: wrapped, versions moved, more keys beside it."""
    body = {key: value for key, value in document.items() if key != "openhcs"}
    for key in ("plate", "well"):
        body |= {key: body[key] | {"version": "0.5"}} if key in body else {}
    if "multiscales" in body:
        first, *rest = body["multiscales"]
        body["multiscales"] = [{key: value for key, value in first.items() if key != "version"}, *rest]
    if "omero" in body:
        body["omero"] = {key: value for key, value in body["omero"].items() if key != "version"}
    own = {"openhcs": document["openhcs"]} if "openhcs" in document else {}
    return {"ome": {"version": "0.5", **body}, **own, **beside}


@settings(max_examples=60, deadline=None)
@given(plates(), EXTRA)
def test_plates_keep_every_key(document: dict[str, Any], beside: dict[str, Any]) -> None:
    assert render.plate_document(parse.plate(document), "0.4") == document
    document = newer(document, beside)
    assert render.plate_document(parse.plate(document), "0.5") == document


@settings(max_examples=60, deadline=None)
@given(wells(), EXTRA)
def test_wells_keep_every_key(document: dict[str, Any], beside: dict[str, Any]) -> None:
    assert render.well_document(parse.well(document), "0.4") == document
    document = newer(document, beside)
    assert render.well_document(parse.well(document), "0.5") == document


@settings(max_examples=100, deadline=None)
@given(images(), EXTRA)
def test_images_keep_every_key(document: dict[str, Any], beside: dict[str, Any]) -> None:
    assert render.image_document(parse.image(document), "0.4") == document
    document = newer(document, beside)
    assert render.image_document(parse.image(document), "0.5") == document
