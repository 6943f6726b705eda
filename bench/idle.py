"""What connections cost that do nothing: memory of every process of the server side, and the CPU of keeping them."""

import asyncio
from functools import partial
from typing import Any, Final

from bench.cores import Usage, memory_bytes, tree_of
from bench.crew import Seat, crew
from bench.live import Live
from bench.peer import Peer

AT_ONCE: Final = 64
FIRST: Final = 100  # connected before the first look, so that what is made once is not counted
SETTLE_S: Final = 1.0


class _Part:
    """The connections of one process of the generator."""

    def __init__(self, seat: Seat, *, url: str) -> None:
        self._seat = seat
        self._url = url
        self._gate = asyncio.Semaphore(max(1, AT_ONCE // seat.of))
        self._peers: list[Peer] = []

    async def join(self, after: int, until: int) -> None:
        await asyncio.gather(*(self._join(number) for number in self._seat.numbers(until) if number >= after))

    async def _join(self, number: int) -> None:
        async with self._gate:
            self._peers.append(await Peer.join(self._url, f"idle-{number}", None, lambda _peer, _frame: None))

    async def connected(self) -> int:
        return len(self._peers)

    async def leave(self) -> int:
        """How many had been cut off before."""
        lost = sum(peer.lost for peer in self._peers)
        for peer in self._peers:
            peer.close()
        return lost


async def idle(
    url: str, pids: dict[str, int], *, people: int, seconds: float, live: Live, generators: int = 1
) -> dict[str, Any]:
    """Connect and authenticate `people`, who follow nothing, and hold them for `seconds`."""
    async with crew(generators, partial(_Part, url=url)) as parts:
        await parts.each(_Part.join, 0, FIRST)
        await asyncio.sleep(SETTLE_S)
        before = _memory(pids)
        watching = asyncio.create_task(
            live.watch(float("inf"), "connected", lambda: parts.sum(_Part.connected)),
        )
        await parts.each(_Part.join, FIRST, FIRST + people)
        watching.cancel()
        await asyncio.sleep(SETTLE_S)
        usage = Usage(pids)
        usage.start()
        await asyncio.sleep(seconds)
        shares, after = usage.shares(), _memory(pids)
        lost = await parts.sum(_Part.leave)
    grown = {name: (after[name] - before[name]) / people * 1000 / 1e6 for name in pids}
    return {
        "people": people,
        "mb_per_1000": round(sum(grown.values()), 2),
        "mb_per_1000_of": {name: round(value, 2) for name, value in grown.items()},
        "cores_while_idle": round(sum(shares.values()), 3),
        "connections_lost": lost,
        "generators": generators,
    }


def _memory(pids: dict[str, int]) -> dict[str, int]:
    return {name: sum(memory_bytes(child) for child in tree_of(pid)) for name, pid in pids.items()}
