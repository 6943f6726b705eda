"""How often something that changes is told. Pure: the caller brings the time.

Promises: of one key the first change is told at once, and then at most one in `interval_s`; the last change is always
told, `interval_s` after the one before at the latest (if the caller asks in time). Values are absolute, so what is not
told in between is not missed: that is the overflow policy, and it bounds the memory to the keys of one interval.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Pacer(Generic[K]):
    """Times are seconds of one monotonic clock."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._quiet_until: dict[K, float] = {}  # in this order, since all intervals are equally long
        self._waiting: set[K] = set()

    def touch(self, key: K, now_s: float) -> bool:
        """The key changed. True: tell it now. False: it comes out of `due`."""
        until_s = self._quiet_until.get(key)
        if until_s is not None:
            if now_s < until_s:
                self._waiting.add(key)
                return False
            del self._quiet_until[key]
            self._waiting.discard(key)
        self._quiet_until[key] = now_s + self._interval_s
        return True

    def due(self, now_s: float) -> list[K]:
        """What is to be told now."""
        ended = []
        for key, until_s in self._quiet_until.items():
            if until_s > now_s:
                break
            ended.append(key)
        told = []
        for key in ended:
            del self._quiet_until[key]
            if key in self._waiting:
                self._waiting.discard(key)
                self._quiet_until[key] = now_s + self._interval_s
                told.append(key)
        return told

    def next_due_s(self) -> float | None:
        """When to ask `due` again."""
        return next(iter(self._quiet_until.values()), None)
