"""Readiness of each service goes red while what it needs is away, and green again without a hand (G14)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.chaos.cluster import GATEWAYS, PERSISTERS, Cluster
from tests.chaos.sizes import Size
from tests.kit.waiting import until

RED_WITHIN_S = 45.0  # a frozen NATS is seen by two unanswered pings, 5 s apart; a frozen database by its deadline, 15 s
FOR_EVER_S = 3_600.0


async def reds(cluster: Cluster) -> set[str]:
    """Services whose process is up and says that it is not ready."""
    found: set[str] = set()
    async with httpx.AsyncClient(timeout=2) as client:
        for name in (*GATEWAYS, *PERSISTERS, "notifier"):
            url = cluster.usage._url(name)
            if url is None:
                continue
            try:
                if (await client.get(f"{url}/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    found.add(name)
            except httpx.HTTPError:
                continue
    return found


async def all_were_red(cluster: Cluster, wanted: set[str], seen: set[str]) -> bool:
    seen |= await reds(cluster)
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
@pytest.mark.parametrize("how", [away, frozen], ids=["away", "frozen"])
@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("nats",), {*GATEWAYS, *PERSISTERS, "notifier"}),
        (("postgres",), {*GATEWAYS, *PERSISTERS}),
        (PERSISTERS, {*GATEWAYS}),
    ],
    ids=["nats", "the database", "all persisters"],
)
async def test_who_needs_it_is_unready_and_ready_again_without_a_hand(
    cluster: Cluster, size: Size, names: tuple[str, ...], wanted: set[str], how: Callable[..., Any]
) -> None:
    if how is frozen and not size.is_full:
        pytest.skip("at full size only: make chaos")
    seen: set[str] = set()
    async with how(cluster, *names):
        try:
            await until(lambda: all_were_red(cluster, wanted, seen), RED_WITHIN_S, "all of them were red")
        except AssertionError:
            raise AssertionError(f"only {sorted(seen)} of {sorted(wanted)} were red within {RED_WITHIN_S} s") from None
    await cluster.until_ready()
