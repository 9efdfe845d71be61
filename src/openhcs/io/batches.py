"""Many values at once: refused together before anything is done, or done at the same time."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from openhcs.errors import InvalidType, InvalidValue, OpenHCSError
from openhcs.io.backend import GivesBack, KeepsStores
from openhcs.io.values import array_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from openhcs.io.backend import Backend

    Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]

MOST_THREADS = 16
PROBES = 2
"""Calls that are timed: the first alone may be slow because files are opened or modules imported."""
WORTH_A_THREAD_S = 0.001
"""A call shorter than this is mostly Python, which runs one thread at a time."""


def check_batch(backend: Backend, values: Sequence[Any], paths: Sequence[str]) -> None:
    """Refuse a batch that is not one: other lengths, a path twice, mixed dtypes or stores."""
    if len(values) != len(paths):
        raise InvalidValue(f"{len(values)} values for {len(paths)} paths; nothing was written")
    seen: dict[str, int] = {}
    for number, path in enumerate(paths):
        if path in seen:
            raise InvalidValue(f"items {seen[path]} and {number} both go to {path}; nothing was written", path=path)
        seen[path] = number
    check_kinds(values, paths)
    check_stores(backend, paths)


def check_kinds(values: Sequence[Any], paths: Sequence[str]) -> None:
    """Refuse values that are not all arrays of one dtype, up to byte order, or all something else.

    Raises
    ------
    InvalidType
        names the first item that differs.
    """
    plain = {value.dtype if type(value) is np.ndarray else None for value in values}
    if None not in plain and len(plain) < 2:
        return
    kinds = [_kind(value) for value in values]
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise InvalidType(
                f"item {number} ({paths[number]}) is {kind}, item 0 is {kinds[0]}: a batch holds one kind and casts "
                "nothing. Make a batch of each dtype.",
                path=paths[number],
            )


def check_stores(backend: Backend, paths: Sequence[str]) -> None:
    """Refuse paths that lie in more than one store.

    Raises
    ------
    InvalidValue
        names the first item that differs.
    """
    if not isinstance(backend, KeepsStores):
        return
    stores = [backend.store(path) for path in paths]
    for number, store in enumerate(stores):
        if store != stores[0]:
            raise InvalidValue(
                f"item {number} ({paths[number]}) lies in {store}, item 0 in {stores[0]}: a batch has one store",
                path=paths[number],
            )


def _kind(value: Any) -> str:
    array = array_of(value) if not hasattr(value, "dtype") else value
    if array is None:
        return "no array"
    dtype = array.dtype
    if isinstance(dtype, np.dtype):
        dtype = dtype.newbyteorder("=")
    return f"an array of {str(dtype).removeprefix('torch.')}"


def run_batch(backend: Backend, calls: Sequence[Call], paths: Sequence[str]) -> list[Any]:
    """Make the calls and return what they return, in order; an error names its item.

    The first two calls are made in turn. Threads follow only where both took long enough to have
    waited for something: short calls, and all of a backend whose values lie in this process, are
    faster in turn.
    """
    jobs = [(number, call, paths[number], len(calls)) for number, call in enumerate(calls)]
    found = []
    quickest = math.inf
    for job in jobs[:PROBES]:
        started = time.perf_counter()
        found.append(_item(job))
        quickest = min(quickest, time.perf_counter() - started)
    rest = jobs[PROBES:]
    if len(rest) < 2 or quickest < WORTH_A_THREAD_S or isinstance(backend, GivesBack):
        return found + [_item(job) for job in rest]
    threads = min(len(rest), MOST_THREADS, 2 * (os.cpu_count() or 1))
    with ThreadPoolExecutor(threads, thread_name_prefix="openhcs-batch") as pool:
        futures = [pool.submit(_item, job) for job in rest]
        try:
            return found + [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _item(job: tuple[int, Call, str, int]) -> Any:
    number, (verb, given, flags), path, count = job
    try:
        return verb(*given, **flags)
    except OpenHCSError as error:
        error.message = f"item {number} of {count} ({path}): {error.message}"
        raise
