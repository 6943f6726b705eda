"""Readiness of each service goes red while what it needs is away, and green again without a hand (G14)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.chaos.cluster import GATEWAYS, PERSISTERS, Cluster
from tests.kit.waiting import until

NATS_RED_S = 20.0  # two unanswered pings, 5 s apart
STORE_RED_S = 10.0  # the persister's pulse, the gateway's question about the store
FOR_EVER_S = 3_600.0


async def is_red(client: httpx.AsyncClient, url: str) -> bool:
    """It is up and says that it is not ready."""
    try:
        return (await client.get(f"{url}/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE
    except httpx.HTTPError:
        return False


async def all_were_red(cluster: Cluster, wanted: set[str], seen: set[str]) -> bool:
    """Asks all at once: who does not answer must not make the others late."""
    urls = {name: url for name in wanted if (url := cluster.usage.url(name)) is not None}
    async with httpx.AsyncClient(timeout=2) as client:
        red = await asyncio.gather(*(is_red(client, url) for url in urls.values()))
    seen |= {name for name, is_so in zip(urls, red, strict=True) if is_so}
    return wanted <= seen


@contextlib.asynccontextmanager
async def away(cluster: Cluster, *names: str) -> AsyncIterator[None]:
    """Killed, and killed again when they were started."""
    tasks = [asyncio.create_task(cluster.keep_down(name, FOR_EVER_S)) for name in names]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def frozen(cluster: Cluster, *names: str) -> AsyncIterator[None]:
    """There, and silent."""
    async with contextlib.AsyncExitStack() as paused:
        for name in names:
            await paused.enter_async_context(cluster.paused(name))
        yield


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", [away, pytest.param(frozen, marks=pytest.mark.full_size)], ids=["away", "frozen"])
@pytest.mark.parametrize(
    ("names", "wanted", "within_s"),
    [
        (("nats",), {*GATEWAYS, *PERSISTERS, "notifier"}, NATS_RED_S),
        (("postgres",), {*GATEWAYS, *PERSISTERS}, STORE_RED_S),
        (PERSISTERS, {*GATEWAYS}, STORE_RED_S),
    ],
    ids=["nats", "the database", "all persisters"],
)
async def test_who_needs_it_is_unready_and_ready_again_without_a_hand(
    cluster: Cluster, names: tuple[str, ...], wanted: set[str], within_s: float, how: Callable[..., Any]
) -> None:
    seen: set[str] = set()
    async with how(cluster, *names):
        began = time.monotonic()
        try:
            await until(lambda: all_were_red(cluster, wanted, seen), within_s, "all of them were red")
        except AssertionError:
            raise AssertionError(f"only {sorted(seen)} of {sorted(wanted)} were red within {within_s} s") from None
        print(f"{', '.join(names)} {how.__name__}: all red after {time.monotonic() - began:.1f} s")
    await cluster.until_ready()
