"""Faults at random: one after another, drawn from a seed, until the time is over.

Promises: the sequence of faults follows from the seed; each is taken back before the next but for those that heal by
themselves (a killed process is started by `up`). Which message meets which fault is the machine's chance.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from tests.chaos.cluster import GATEWAYS, PERSISTERS, SERVICES, Cluster

PAUSE_S: Final = (1.0, 6.0)
BETWEEN_S: Final = (2.0, 8.0)
DELAY_S: Final = 0.05

Fault = Callable[["Nemesis"], Awaitable[None]]


class Nemesis:
    """`run` until the time is over; `done` counts what it did."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._random = random.Random(seed)
        self.done: Counter[str] = Counter()

    async def run(self, duration_s: float) -> None:
        """Break, wait, break."""
        end = time.monotonic() + duration_s
        names = sorted(FAULTS)
        while (left_s := end - time.monotonic()) > 0:
            name = self._random.choice(names)
            self.done[name] += 1
            await FAULTS[name](self)
            await asyncio.sleep(min(self._random.uniform(*BETWEEN_S), max(0.0, left_s)))
        self._cluster.heal()

    async def _kill_persister(self) -> None:
        self._cluster.kill(self._random.choice(PERSISTERS))

    async def _kill_gateway(self) -> None:
        self._cluster.kill(self._random.choice(GATEWAYS))

    async def _kill_notifier(self) -> None:
        self._cluster.kill("notifier")

    async def _stop_service(self) -> None:
        self._cluster.stop(self._random.choice(SERVICES))

    async def _restart_nats(self) -> None:
        self._random.choice((self._cluster.stop, self._cluster.kill))("nats")

    async def _restart_postgres(self) -> None:
        self._cluster.stop("postgres")

    async def _pause_service(self) -> None:
        await self._pause(self._random.choice(SERVICES))

    async def _pause_nats(self) -> None:
        await self._pause("nats")

    async def _pause_postgres(self) -> None:
        await self._pause("postgres")

    async def _cut_clients(self) -> None:
        self._cluster.proxy.cut()

    async def _slow_clients(self) -> None:
        self._cluster.proxy.delay_s = DELAY_S
        await asyncio.sleep(self._random.uniform(*PAUSE_S))
        self._cluster.proxy.delay_s = 0.0

    async def _hold_clients(self) -> None:
        self._cluster.proxy.blackhole()
        await asyncio.sleep(self._random.uniform(*PAUSE_S))
        self._cluster.proxy.pass_all()

    async def _pause(self, name: str) -> None:
        async with self._cluster.paused(name):
            await asyncio.sleep(self._random.uniform(*PAUSE_S))


FAULTS: Final[dict[str, Fault]] = {
    "kill a persister": Nemesis._kill_persister,
    "kill a gateway": Nemesis._kill_gateway,
    "kill the notifier": Nemesis._kill_notifier,
    "stop a service": Nemesis._stop_service,
    "restart NATS": Nemesis._restart_nats,
    "restart PostgreSQL": Nemesis._restart_postgres,
    "pause a service": Nemesis._pause_service,
    "pause NATS": Nemesis._pause_nats,
    "pause PostgreSQL": Nemesis._pause_postgres,
    "cut all clients": Nemesis._cut_clients,
    "slow all clients": Nemesis._slow_clients,
    "hold all clients": Nemesis._hold_clients,
}
