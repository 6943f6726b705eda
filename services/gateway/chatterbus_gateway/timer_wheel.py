"""One timer for all connections. Pure: the shell calls `turn` once a tick.

Promises: whoever is scheduled is visited once at or after that time, at most one tick late; a visit says when the next
one is due. Costs nothing for those that are not due, and no timer of the event loop for each.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

TICK_S: Final = 0.5


class Visited(Protocol):
    """What the wheel visits."""

    tick: int | None  # for the wheel's own use: the tick of the next visit

    def visit(self, now_s: float) -> float | None:
        """Do what is due; returns when the next visit is due, None for never."""


class TimerWheel:
    """Visits by tick."""

    __slots__ = ("_at", "_slots")

    def __init__(self, now_s: float) -> None:
        self._at = math.floor(now_s / TICK_S)
        self._slots: dict[int, set[Visited]] = {}

    def __len__(self) -> int:
        """Who waits for a visit."""
        return sum(map(len, self._slots.values()))

    def schedule(self, visited: Visited, at_s: float) -> None:
        """Visit at `at_s`, or earlier if that is already planned: a visit says itself what comes next."""
        tick = max(math.ceil(at_s / TICK_S), self._at + 1)
        if visited.tick is not None:
            if visited.tick <= tick:
                return
            self.forget(visited)
        visited.tick = tick
        self._slots.setdefault(tick, set()).add(visited)

    def forget(self, visited: Visited) -> None:
        """Never visit again."""
        if visited.tick is not None:
            slot = self._slots.get(visited.tick)
            if slot is not None:
                slot.discard(visited)
                if not slot:
                    del self._slots[visited.tick]
            visited.tick = None

    def turn(self, now_s: float) -> None:
        """Visit all that are due by now, also after a long stall."""
        target = math.floor(now_s / TICK_S)
        due = [tick for tick in self._slots if tick <= target] if target - self._at > len(self._slots) else None
        for tick in sorted(due) if due is not None else range(self._at + 1, target + 1):
            slot = self._slots.pop(tick, None)
            self._at = tick
            for visited in slot or ():
                if visited.tick != tick:
                    continue  # forgotten by a visit of this very tick
                visited.tick = None
                next_s = visited.visit(now_s)
                if next_s is not None:
                    self.schedule(visited, next_s)
        self._at = max(self._at, target)
