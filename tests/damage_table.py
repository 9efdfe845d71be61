"""The tables of damage: what is done to a plate, and the codes that tell it; other modules fill them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from damage import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from damage import Store

NEWER = ("0.5", "0.6")
CHANGED = "document-changed"
GONE = "document-missing"
OBJECT = "object-damaged"
SIZE = "object-size"
LOST = "object-missing"
STRANGER = "stranger"


@dataclass(frozen=True)
class Damage:
    """One kind: ``code`` tells it in a plate without records, ``record`` in one with."""

    name: str
    harm: Callable[[Store], Any]
    code: str
    record: str
    deep: bool = False
    versions: tuple[str, ...] = VERSIONS


KINDS: list[Damage] = []


def kind(code: str, record: str = CHANGED, *, deep: bool = False, versions: tuple[str, ...] = VERSIONS) -> Any:
    """Register a function that does damage; its name says what."""

    def register(harm: Callable[[Store], Any]) -> Callable[[Store], Any]:
        name = harm.__name__.replace("_", " ")
        KINDS.append(Damage(name, harm, code, record, deep, versions))
        return harm

    return register


LABELS: list[Damage] = []


def label(code: str, *, versions: tuple[str, ...] = VERSIONS) -> Any:
    def register(harm: Callable[[Store], Any]) -> Callable[[Store], Any]:
        LABELS.append(Damage(harm.__name__.replace("_", " "), harm, code, "", False, versions))
        return harm

    return register
