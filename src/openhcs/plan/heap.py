"""How much a process grows for the buffers of a task: more than their sum, since freed blocks leave gaps.

A block takes the smallest gap that is large enough, else the heap grows. Workers keep freed blocks for
the next buffers (`openhcs.run.worker.keep_freed_memory`), so a gap that nothing fits stays a part of
the process.
"""

from __future__ import annotations

from bisect import bisect_left


class Heap:
    """Blocks and the gaps between them, by address; ``top`` is the most bytes it has reached.

    >>> heap = Heap()
    >>> first, second = heap.take(10), heap.take(20)
    >>> heap.free(first, 10)
    >>> heap.take(15), heap.top
    (30, 45)
    """

    def __init__(self) -> None:
        self.top = 0
        self._end = 0
        self._starts: list[int] = []
        self._sizes: dict[int, int] = {}

    def take(self, size: int) -> int:
        """Return the address of a block of ``size`` bytes."""
        gap = min((start for start in self._starts if self._sizes[start] >= size), key=self._size, default=None)
        if gap is not None:
            rest = self._remove(gap) - size
            if rest:
                self._insert(gap + size, rest)
            return gap
        last = self._starts[-1] if self._starts else None
        if last is not None and last + self._sizes[last] == self._end:
            self._remove(last)
            self._end = last
        address = self._end
        self._end += size
        self.top = max(self.top, self._end)
        return address

    def free(self, address: int, size: int) -> None:
        """Give a block back; gaps that touch become one."""
        place = bisect_left(self._starts, address)
        if place < len(self._starts) and self._starts[place] == address + size:
            size += self._remove(self._starts[place])
        if place and self._starts[place - 1] + self._sizes[self._starts[place - 1]] == address:
            before = self._starts[place - 1]
            address, size = before, size + self._remove(before)
        self._insert(address, size)

    def _size(self, start: int) -> int:
        return self._sizes[start]

    def _insert(self, start: int, size: int) -> None:
        self._starts.insert(bisect_left(self._starts, start), start)
        self._sizes[start] = size

    def _remove(self, start: int) -> int:
        self._starts.remove(start)
        return self._sizes.pop(start)
