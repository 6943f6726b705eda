"""A whole system to be broken: two gateways, two persisters, a notifier, NATS and PostgreSQL, behind one address.

Promises: clients have one address, a balancer that sends new connections to a gateway which is ready; processes are
named as in `chatterbus up`; whatever was paused is resumed at the end. Does not promise to start what was killed:
`up` does that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from bench.cores import tree_of
from bench.stack import stack as running_stack
from tests.chaos.usage import Usage
from tests.e2e.deployment import Deployment
from tests.kit.tcp_proxy import TcpProxy, open_proxy
from tests.kit.waiting import until

GATEWAYS: Final = ("gateway-1", "gateway-2")
PERSISTERS: Final = ("persister-1", "persister-2")
SERVICES: Final = (*GATEWAYS, *PERSISTERS, "notifier")
PROBE_EVERY_S: Final = 0.2
PROBE_TIMEOUT_S: Final = 1.0
READY_WITHIN_S: Final = 60.0
ENV: Final = {"GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "100000"}


class Cluster:
    """Made with `open_cluster`."""

    def __init__(self, stack: Deployment, proxy: TcpProxy, balancer: Balancer) -> None:
        self.stack = stack
        self.proxy = proxy
        self.balancer = balancer
        self.usage = Usage(self)
        self._paused: dict[str, list[int]] = {}

    @property
    def url(self) -> str:
        """The one address."""
        return f"http://127.0.0.1:{self.proxy.port}"

    @property
    def dsn(self) -> str:
        """PostgreSQL as the persister knows it."""
        return str(self.stack.stack.ready["postgres"])

    def pid(self, name: str) -> int | None:
        """None while the process is down."""
        return self.stack.stack.pids.get(name)

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Whether the process was there to be told."""
        pid = self.pid(name)
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def kill(self, name: str) -> bool:
        """As a crash."""
        return self.signal(name, signal.SIGKILL)

    def stop(self, name: str) -> bool:
        """In order, as a deploy does: PostgreSQL by a fast shutdown, the others by SIGTERM. `up` starts it again."""
        return self.signal(name, signal.SIGINT if name == "postgres" else signal.SIGTERM)

    def pause(self, name: str) -> None:
        """Freeze it, its children too. Who is down is left alone."""
        pid = self.pid(name)
        pids = [] if pid is None else tree_of(pid)
        self._paused.setdefault(name, []).extend(pids)
        for one in pids:
            _tell(one, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Go on."""
        for one in self._paused.pop(name, ()):
            _tell(one, signal.SIGCONT)

    @contextlib.asynccontextmanager
    async def paused(self, name: str) -> AsyncIterator[None]:
        """For as long as the block lasts."""
        self.pause(name)
        try:
            yield
        finally:
            self.resume(name)

    async def keep_down(self, name: str, seconds: float) -> None:
        """Kill it, and again whenever it was started: away for so long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            self.kill(name)
            await asyncio.sleep(0.05)

    async def until_restarted(self, name: str, former_pid: int | None) -> None:
        """A new process has that name, and it is ready."""
        await until(lambda: self.pid(name) not in (None, former_pid), READY_WITHIN_S, f"{name} was started again")
        await self.until_ready()

    def heal(self) -> None:
        """Take back every fault that lasts."""
        for name in tuple(self._paused):
            self.resume(name)
        self.proxy.delay_s = 0.0
        self.proxy.trigger = None
        self.proxy.pass_all()

    async def until_ready(self, within_s: float = READY_WITHIN_S) -> float:
        """All processes are there and all services ready. How long that took, in seconds."""
        began = time.monotonic()

        async def ready() -> bool:
            pids = self.stack.stack.pids
            names = [*SERVICES, "nats", "postgres"]
            return all(name in pids for name in names) and await self.usage.all_ready()

        await until(ready, within_s, "all services are ready")
        await until(lambda: len(self.balancer.live) == len(GATEWAYS), within_s, "the balancer knows both gateways")
        return time.monotonic() - began


class Balancer:
    """Knows which gateways are ready, as a load balancer does: by asking each again and again."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls
        self.live: set[str] = set(urls)

    def choose(self) -> tuple[str, int]:
        """A ready one; any, when none is."""
        url = urlsplit(random.choice(sorted(self.live) or self._urls))
        return str(url.hostname), int(url.port or 0)

    async def watch(self) -> None:
        """For ever."""
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S) as client:
            await asyncio.gather(*(self._watch_one(client, url) for url in self._urls))

    async def _watch_one(self, client: httpx.AsyncClient, url: str) -> None:
        while True:
            try:
                ready = (await client.get(f"{url}/readyz")).is_success
            except httpx.HTTPError:
                ready = False
            (self.live.add if ready else self.live.discard)(url)
            await asyncio.sleep(PROBE_EVERY_S)


@asynccontextmanager
async def open_cluster(stack: Deployment) -> AsyncIterator[Cluster]:
    """A running stack behind its balancer, healed and ready at the beginning and healed at the end."""
    balancer = Balancer(stack.gateways)
    async with open_proxy(balancer.choose) as proxy:
        watching = asyncio.create_task(balancer.watch())
        cluster = Cluster(stack, proxy, balancer)
        try:
            await cluster.until_ready()
            yield cluster
        finally:
            cluster.heal()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@contextlib.contextmanager
def new_stack(folder: Path, **settings: str) -> Iterator[Deployment]:
    """A system of its own, with failpoints (see Deployment.arm)."""
    failpoints = folder / "failpoints"
    failpoints.mkdir()
    env = {**ENV, **settings, "PERSISTER_FAILPOINTS_DIR": str(failpoints)}
    with running_stack(folder / "up.log", "--gateways", "2", "--persisters", "2", env=env) as started:
        yield Deployment(started, folder)


async def every(seconds: float, duration_s: float, act: Callable[[int], Awaitable[None] | None]) -> int:
    """Do it again and again; the number of times."""
    loop = asyncio.get_running_loop()
    began, count = loop.time(), 0
    while loop.time() - began < duration_s:
        done = act(count)
        if done is not None:
            await done
        count += 1
        await asyncio.sleep(max(0.0, began + count * seconds - loop.time()))
    return count


def _tell(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
