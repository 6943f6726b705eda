"""Numbers that order what is told of a user. Pure, but for the clock it is given.

Promises: every number is higher than all before it, of this clock and of whoever had the shard before (`floor`); it is
about the time in milliseconds, so that a restart needs to remember nothing but the floor.
"""

from __future__ import annotations

from collections.abc import Callable


class VersionClock:
    """`now_ms` is unix time in milliseconds."""

    __slots__ = ("_last", "_now_ms")

    def __init__(self, now_ms: Callable[[], int], floor: int = 0) -> None:
        self._now_ms = now_ms
        self._last = floor

    @property
    def last(self) -> int:
        """The highest number so far."""
        return self._last

    def next(self) -> int:
        """A new number."""
        self._last = max(self._now_ms(), self._last + 1)
        return self._last

    def raise_to(self, floor: int) -> None:
        """Numbers up to `floor` were used by somebody else."""
        self._last = max(self._last, floor)
