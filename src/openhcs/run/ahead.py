"""Read the next planes of a well while its functions work, so that storage that answers late is not waited for."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.plan.peak import AHEAD, reads_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from openhcs.core.plate import Key
    from openhcs.plan.parts import Layer

    Array = np.ndarray[Any, np.dtype[Any]]


class Ahead:
    """The planes of a well in the order in which they are read.

    At most `openhcs.plan.peak.AHEAD` planes beyond the one that is taken are held or under way; the plan counts them.

    Parameters
    ----------
    keys
        planes in the order in which they will be taken.
    layer
        their shape and dtype.
    read
        fills an array (y, x) with the pixels of a plane; called in other threads.
    """

    def __init__(self, keys: Sequence[Key], layer: Layer, read: Callable[[Key, Array], None]) -> None:
        self._layer = layer
        self._read = read
        self._next = deque(keys)
        self._coming: dict[Key, Future[Array]] = {}
        many = reads_ahead(layer) and len(keys) > 1
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="openhcs-ahead") if many else None

    def into(self, key: Key, room: Array) -> None:
        """Fill ``room`` (y, x) with the pixels of a plane."""
        if self._pool is None:
            self._read(key, room)
            return
        coming = self._coming.pop(key, None)
        if coming is None:
            while self._next and self._next.popleft() != key:
                pass
            self._begin()
            self._read(key, room)
            return
        room[...] = coming.result()
        del coming
        self._begin()

    def _begin(self) -> None:
        while self._pool is not None and self._next and len(self._coming) < AHEAD:
            key = self._next.popleft()
            # Made here: memory that another thread asks for is not used again by this one.
            room = np.empty(self._layer.plane_shape, self._layer.dtype)
            self._coming[key] = self._pool.submit(self._plane, key, room)

    def _plane(self, key: Key, room: Array) -> Array:
        self._read(key, room)
        return room

    def close(self) -> None:
        """Wait for what is under way and forget it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._coming.clear()
