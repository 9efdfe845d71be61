"""What a storage backend must do: five verbs, and what some can do beside.

Paths reach a backend in normal form (see `openhcs.io.paths`): text, forward slashes, no ``..``.
A backend keeps values whole: a failed or killed ``save`` leaves what was there before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from openhcs.core.arrays import ArraySpec

    Array = np.ndarray[Any, np.dtype[Any]]


class Backend(Protocol):
    """The whole duty of a backend."""

    name: str

    def load(self, path: str) -> Any:
        """Return the whole value; `NotFound` if there is none."""

    def save(self, value: Any, path: str, *, overwrite: bool = False, hand_over: bool = False) -> None:
        """Store ``value`` whole; `AlreadyExists` unless ``overwrite``.

        A value may be `openhcs.io.blocks.Blocks`, an array to be read part by part; ``__array__``
        gives all of it.
        """

    def exists(self, path: str) -> bool:
        """Return whether `load` or `list` would find something there."""

    def list(self, path: str, *, recursive: bool = False) -> Iterator[str]:
        """Yield the paths in a directory, values and directories, in no set order."""

    def is_dir(self, path: str) -> bool:
        """Return whether ``path`` is a directory."""

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Remove a value or a directory; `NotFound` if there is none."""


@runtime_checkable
class MakesDirs(Protocol):
    """A backend in which an empty directory can exist."""

    def make_dir(self, path: str) -> None:
        """Make a directory and its parents; no error if it is there."""


@runtime_checkable
class OpensArrays(Protocol):
    """A backend that reads parts of an array."""

    def open_array(self, path: str) -> ArrayHandle:
        """Open an array without reading pixels."""


@runtime_checkable
class HoldsArrays(OpensArrays, Protocol):
    """A backend that reads and writes parts of an array."""

    def create_array(self, path: str, spec: ArraySpec, *, overwrite: bool = False) -> ArrayHandle:
        """Make an array to be filled through its handle."""


@runtime_checkable
class KeepsStores(Protocol):
    """A backend that keeps many values in one store."""

    def store(self, path: str) -> str:
        """Return the store that a value at ``path`` belongs to."""


@runtime_checkable
class KeepsForm(Protocol):
    """A backend that can give a value another path without decoding it."""

    def transfer(self, src: str, dst: str, *, overwrite: bool = False, move: bool = False) -> bool:
        """Copy or move a value as it is stored; False, and nothing done, where it must be loaded and saved."""


@runtime_checkable
class CountsUsage(Protocol):
    """A backend that knows what it holds."""

    def usage(self) -> Usage:
        """Return bytes and items held."""


@runtime_checkable
class GivesBack(Protocol):
    """A backend that can hand its value over to the caller for good."""

    def take(self, path: str) -> Any:
        """Return the value and forget it; an array is the caller's own and writable."""


class Usage(Protocol):
    """Bytes and items that a backend holds."""

    @property
    def bytes(self) -> int:
        """Bytes of all values."""

    @property
    def items(self) -> int:
        """Number of values."""


class ArrayHandle(Protocol):
    """One stored array, opened."""

    @property
    def spec(self) -> ArraySpec:
        """Shape, dtype and layout."""

    def read(self, region: tuple[Any, ...] = (), *, out: Array | None = None) -> Array:
        """Return a part (numpy basic indexing, steps of 1 or more), decoded into ``out`` where given."""

    def write(self, region: tuple[Any, ...], data: Array) -> None:
        """Write a part; shapes must agree, nothing is broadcast or cast."""
