"""What connections cost that do nothing: memory of every process of the server side, and the CPU of keeping them."""

import asyncio
from typing import Any, Final

from bench.cores import Usage, memory_bytes, tree_of
from bench.live import Live
from bench.peer import Peer

AT_ONCE: Final = 64
FIRST: Final = 100  # connected before the first look, so that what is made once is not counted
SETTLE_S: Final = 1.0


async def idle(url: str, pids: dict[str, int], *, people: int, seconds: float, live: Live) -> dict[str, Any]:
    """Connect and authenticate `people`, who follow nothing, and hold them for `seconds`."""
    peers: list[Peer] = []
    gate = asyncio.Semaphore(AT_ONCE)

    async def join(number: int) -> None:
        async with gate:
            peers.append(await Peer.join(url, f"idle-{number}", None, lambda _peer, _frame: None))

    await asyncio.gather(*(join(number) for number in range(FIRST)))
    await asyncio.sleep(SETTLE_S)
    before = _memory(pids)
    connecting = asyncio.gather(*(join(FIRST + number) for number in range(people)))
    watching = asyncio.create_task(live.during(float("inf"), "connected", lambda: len(peers)))
    await connecting
    watching.cancel()
    await asyncio.sleep(SETTLE_S)
    usage = Usage(pids)
    usage.start()
    await asyncio.sleep(seconds)
    shares, after = usage.shares(), _memory(pids)
    lost = sum(peer.lost for peer in peers)
    for peer in peers:
        peer.close()
    grown = {name: (after[name] - before[name]) / people * 1000 / 1e6 for name in pids}
    return {
        "people": people,
        "mb_per_1000": round(sum(grown.values()), 2),
        "mb_per_1000_of": {name: round(value, 2) for name, value in grown.items()},
        "cores_while_idle": round(sum(shares.values()), 3),
        "connections_lost": lost,
    }


def _memory(pids: dict[str, int]) -> dict[str, int]:
    return {name: sum(memory_bytes(child) for child in tree_of(pid)) for name, pid in pids.items()}
