"""What other validators refuse: the whole store by yaozarrs, each document by the JSON schemas and ome-zarr-models."""

from __future__ import annotations

import copy
import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from damage import Store

MODELS = {"plate": "plate", "well": "well", "multiscales": "image", "image-label": "label"}
WRONG = (None, True, -1, 0, 7, 1.5, "", "x", "0 1", "../0", [], {}, [1], 10**30)


def groups(store: Store) -> list[str]:
    """Return the groups of a store that have OME-Zarr metadata."""
    found = []
    for folder, _, files in os.walk(store.path):
        name = ".zattrs" if store.v2 else "zarr.json"
        if name not in files or ".zarray" in files:
            continue
        document = json.loads((Path(folder) / name).read_bytes())
        body = document if store.v2 else document["attributes"].get("ome", {})
        if {"plate", "well", "multiscales", "labels"} & set(body) and document.get("node_type") != "array":
            found.append(
                os.path.relpath(folder, store.path).replace(".", "")
                if folder == str(store.path)
                else os.path.relpath(folder, store.path)
            )
    return sorted(found)


def refused(store: Store) -> list[str]:
    """Return who refuses a store, with the first words of why."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [*_by_yaozarrs(store), *_by_schemas(store)]


def _by_yaozarrs(store: Store) -> Iterator[str]:
    import yaozarrs

    if store.version == "0.6":
        return
    try:
        yaozarrs.validate_zarr_store(str(store.path))
    except Exception as error:
        yield f"yaozarrs: {type(error).__name__}: {error!s:.300}"


def _by_schemas(store: Store) -> Iterator[str]:
    import jsonschema
    from ngff_zarr.validate import validate

    for group in groups(store):
        document = json.loads(store.read(store.document_of(group)))
        attributes = document if store.v2 else document["attributes"]
        body = attributes if store.v2 else attributes["ome"]
        for key, model in MODELS.items():
            if key not in body:
                continue
            try:
                validate(attributes, version=store.version, model=model)
            except jsonschema.ValidationError as error:
                yield f"schema {model} of {group}: {error.message:.200}"


def spoil(store: Store, chance: random.Random) -> str:
    """Change one value in one document at random; return what was done."""
    group = chance.choice(groups(store))
    with store.group(group) as body:
        kept = copy.deepcopy(body)
        places = [one for one in _places(body) if one[0] not in ("openhcs", "metadata")]
        place = chance.choice(places)
        told = _change(body, place, chance)
        if body == kept:
            told += " (nothing)"
    return f"{group}: {'.'.join(map(str, place))} {told}"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        if key in ("openhcs", "metadata"):
            continue
        yield (*path, key)
        yield from _places(one, (*path, key))


def _change(body: Any, place: tuple[Any, ...], chance: random.Random) -> str:
    holder = body
    for key in place[:-1]:
        holder = holder[key]
    key = place[-1]
    if chance.random() < 0.35:
        del holder[key]
        return "is gone"
    if isinstance(holder, list) and chance.random() < 0.3:
        holder.append(copy.deepcopy(holder[key]))
        return "is there twice"
    holder[key] = copy.deepcopy(chance.choice(WRONG))
    return f"is {holder[key]!r}"
