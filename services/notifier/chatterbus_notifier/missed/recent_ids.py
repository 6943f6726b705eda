"""The ids seen lately. Pure.

Promises: an id is known until `max_ids` others came after it; no more than that are remembered.
"""

from __future__ import annotations


class RecentIds:
    """In the order in which they came."""

    def __init__(self, max_ids: int) -> None:
        self._max_ids = max_ids
        self._ids: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, name: str) -> None:
        """It was seen now."""
        self._ids.pop(name, None)
        self._ids[name] = None
        if len(self._ids) > self._max_ids:
            del self._ids[next(iter(self._ids))]
