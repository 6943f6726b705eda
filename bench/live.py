"""Rates while they are measured: for the eyes, and for the plots."""

import asyncio
import time
from collections.abc import Awaitable, Callable

TICK_S = 0.5
LEAST_TICK_S = 0.05
"""What is left of the time below this is no tick: a rate over a millisecond is noise."""

Tell = Callable[[str, float], None]


class Live:
    """Counts are looked at twice a second; nothing is done per message."""

    def __init__(self, tell: Tell = lambda _what, _rate: None) -> None:
        self.series: dict[str, list[tuple[float, float]]] = {}
        self._tell = tell

    async def during(self, seconds: float, what: str, count: Callable[[], int]) -> None:
        """Let `seconds` pass, to within a least tick. `count` only grows; the rate of each tick is told and kept."""

        async def counted() -> int:
            return count()

        await self.watch(seconds, what, counted)

    async def watch(self, seconds: float, what: str, count: Callable[[], Awaitable[int]]) -> None:
        """The same, of a count that must be asked for."""
        began = last_at = time.perf_counter()
        last = await count()
        while (left := seconds - (time.perf_counter() - began)) > LEAST_TICK_S:
            await asyncio.sleep(min(TICK_S, left))
            current = await count()
            now = time.perf_counter()
            self.told(what, now - began, (current - last) / (now - last_at))
            last, last_at = current, now

    def told(self, what: str, at_s: float, rate: float) -> None:
        """One point of a line."""
        self.series.setdefault(what, []).append((round(at_s, 2), round(rate, 1)))
        self._tell(what, rate)
