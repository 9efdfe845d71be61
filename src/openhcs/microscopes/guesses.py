"""Common forms of file names, tried in turn on a folder nobody described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhcs.microscopes.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_WELL = (
    "{well}_s{site}_a*_c{channel}_z{z}_t{t}.*",
    "{well}_s{site}_c{channel}_z{z}_t{t}.*",
    "{well}_s{site}_w{channel}_z{z}_t{t}.*",
    "{well}_t{t}_s{site}_w{channel}_z{z}.*",
    "{well}_s{site}_w{channel}_t{t}.*",
    "{well}_s{site}_w{channel}_z{z}.*",
    "{well}_s{site}_w{channel}.*",
    "{well}_s{site}_c{channel}.*",
    "{well}_s{site}_{channel}.*",
    "{well}_w{channel}.*",
    "{well}_T{t}F{site}L*A*Z{z}C{channel}.*",
    "{well}_f{site}_z{z}_c{channel}.*",
    "{well}_f{site}_c{channel}.*",
    "{well}_{site}_{channel}.*",
    "{well}_s{site}.*",
    "{well}_{site}.*",
    "{well}_{channel}.*",
    "{well}-{site}-{channel}.*",
    "{well}-{channel}.*",
    "{well}.*",
)
WITHOUT_WELL = (
    "s{site}_w{channel}_z{z}_t{t}.*",
    "s{site}_c{channel}_z{z}_t{t}.*",
    "s{site}_w{channel}.*",
    "s{site}_c{channel}.*",
    "c{channel}_z{z}_t{t}.*",
    "t{t}_z{z}_c{channel}.*",
    "z{z}_c{channel}.*",
    "c{channel}_z{z}.*",
    "t{t}_c{channel}.*",
    "s{site}.*",
    "z{z}.*",
    "t{t}.*",
    "w{channel}.*",
    "ch{channel}.*",
    "c{channel}.*",
)
BEFORE = ("", "*_", "*-")
LOOKED_AT = 800
ENOUGH = 0.5
"""A form that fits fewer of the files than this share is no form of this folder."""


def guess(paths: Sequence[str]) -> Pattern | None:
    """Return the form that tells most of the files apart, the first of equals; None where none fits."""
    step = max(1, -(-len(paths) // LOOKED_AT))
    sample = paths[::step]
    best, most = None, ENOUGH * len(sample)
    for form in _forms():
        matched = (form.match(path) for path in sample)
        found = [tuple(values.items()) for values in matched if values is not None and _likely(values)]
        if len(set(found)) > most:
            best, most = form, len(set(found))
            if most == len(sample):
                break
    return best


def _likely(values: dict[str, str]) -> bool:
    """Return whether fields look like what they are called: z1, t1 and c1 are seldom wells."""
    channel = values.get("channel", "")
    return values.get("well", "A1").isupper() and channel.strip("-_") == channel


def _forms() -> list[Pattern]:
    """Return every form, those with a well and without text before it first."""
    wells = [Pattern(before + form) for form in WITH_WELL for before in BEFORE]
    return wells + [Pattern(before + form) for form in WITHOUT_WELL for before in BEFORE]
