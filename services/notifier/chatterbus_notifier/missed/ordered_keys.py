"""Keys in the order of their values. Pure.

Promises: the lowest is found, and a key's value changed, in logarithmic time; what is remembered stays proportional to
the keys, however often values change.
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=str)

SPARE: Final = 64  # outdated entries that are never worth tidying up


class OrderedKeys(Generic[K]):
    """One value per key."""

    def __init__(self) -> None:
        self._values: dict[K, float] = {}
        self._heap: list[tuple[float, K]] = []  # may hold outdated entries, found by comparing with `_values`

    def __len__(self) -> int:
        return len(self._values)

    def put(self, key: K, value: float) -> None:
        """The key has this value now."""
        if self._values.get(key) == value:
            return
        self._values[key] = value
        if len(self._heap) > 2 * len(self._values) + SPARE:
            self._heap = [(value, key) for key, value in self._values.items()]
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, (value, key))

    def discard(self, key: K) -> None:
        """The key is gone."""
        self._values.pop(key, None)

    def lowest(self) -> tuple[float, K] | None:
        """(value, key) of the lowest, None when there is no key."""
        while self._heap:
            value, key = self._heap[0]
            if self._values.get(key) == value:
                return value, key
            heapq.heappop(self._heap)
        return None
