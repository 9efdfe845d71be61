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


@st.composite
def newest_images(draw: st.DrawFn) -> dict[str, Any]:
    """An image as 0.6 has it: named coordinate systems, one transformation per level."""
    axis = lambda name: with_extra(name=st.just(name), type=st.just("space"))  # noqa: E731
    system = st.just("world") | st.just("physical")
    intrinsic = draw(with_extra(name=system, axes=st.tuples(axis("y"), axis("x")).map(list)))
    others = draw(st.lists(with_extra(name=st.just("stage"), axes=st.just([{"name": "x"}])), max_size=1))
    systems = draw(st.permutations([intrinsic, *others]))
    pair = st.lists(NUMBERS, min_size=2, max_size=2)
    scale = st.fixed_dictionaries({"type": st.just("scale"), "scale": pair})
    shift = st.fixed_dictionaries({"type": st.just("translation"), "translation": pair})
    both = st.tuples(scale, shift).map(lambda parts: {"type": "sequence", "transformations": list(parts)})
    levels = []
    for path in draw(st.lists(st.sampled_from("012"), min_size=1, max_size=2)):
        step = draw(both | scale) | {"input": {"path": path}, "output": {"name": intrinsic["name"]}} | draw(EXTRA)
        levels.append({"path": path, "coordinateTransformations": [step], **draw(EXTRA)})
    first: dict[str, Any] = {"coordinateSystems": systems, "datasets": levels}
    ends = {"input": {"name": intrinsic["name"]}, "output": {"name": "stage"}}
    first |= {"coordinateTransformations": [{"type": "affine", "path": "a", **ends}]} if others else {}
    first |= draw(some(name=st.text(max_size=3), type=st.text(max_size=3), metadata=EXTRA)) | draw(EXTRA)
    return {"ome": {"version": "0.6", "multiscales": [first], **draw(EXTRA)}, **draw(some(openhcs=EXTRA))}


@settings(max_examples=100, deadline=None)
@given(newest_images())
def test_images_of_0_6_keep_every_key_through_the_older_versions_too(document: dict[str, Any]) -> None:
    model = parse.image(document)
    assert render.image_document(model, "0.6") == document
    for version in ("0.4", "0.5"):
        older = render.image_document(model, version)
        assert render.image_document(parse.image(older), "0.6") == document


@st.composite
def label_images(draw: st.DrawFn) -> dict[str, Any]:
    rgba = st.lists(st.integers(0, 255), min_size=4, max_size=4)
    known = with_extra(**{"label-value": NUMBERS, "rgba": rgba}) | with_extra(**{"label-value": NUMBERS})
    colors = st.lists(known, min_size=1, max_size=2)
    properties = st.lists(with_extra(**{"label-value": st.integers(0, 9)}), min_size=1, max_size=2)
    told = draw(with_extra(version=st.just("0.4"), colors=colors))
    told |= draw(some(properties=properties, source=with_extra(image=st.just("../../"))))
    return {**draw(images()), "image-label": told}


@settings(max_examples=60, deadline=None)
@given(label_images(), st.lists(st.text("abc/", min_size=1, max_size=4), max_size=3), EXTRA)
def test_labels_keep_every_key(document: dict[str, Any], names: list[str], extra: dict[str, Any]) -> None:
    assert render.image_document(parse.image(document), "0.4") == document
    group = {"ome": {"version": "0.6", "labels": names, **extra}}
    assert render.labels_document(parse.labels(group), "0.6") == group


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abc/", min_size=1, max_size=4), max_size=3), EXTRA)
def test_collections_keep_every_key(series: list[str], extra: dict[str, Any]) -> None:
    for body in ({"bioformats2raw.layout": 3}, {"series": series}):
        for document in ({**body, **extra}, {"ome": {"version": "0.5", **body, **extra}}):
            version = "0.5" if "ome" in document else "0.4"
            assert render.collection_document(parse.collection(document), version) == document


def test_what_0_5_says_for_all_levels_is_multiplied_into_each_for_0_6() -> None:
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 3]}]}
    shared = [{"type": "scale", "scale": [10, 10]}, {"type": "translation", "translation": [1, 2]}]
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    first = {"axes": axes, "datasets": [level], "coordinateTransformations": shared}
    made = render.image_document(parse.image({"ome": {"version": "0.5", "multiscales": [first]}}), "0.6")
    step = made["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]
    parts = [{"type": "scale", "scale": [20, 30]}, {"type": "translation", "translation": [1, 2]}]
    ends = {"input": {"path": "0"}, "output": {"name": "physical"}}
    assert step == {"type": "sequence", "transformations": parts, **ends}
    assert "coordinateTransformations" not in made["ome"]["multiscales"][0]
