"""What the services stand on goes away: PostgreSQL and NATS frozen, restarted, and gone for minutes."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.chaos.cluster import Cluster, every
from tests.chaos.figures import Figures
from tests.chaos.probe import Probe
from tests.chaos.running import Run, under_load
from tests.chaos.sizes import Size
from tests.kit.checkers import Violation

FLAT_MB: Final = 64.0


async def postgres_paused(cluster: Cluster, size: Size) -> Figures:
    """T8: acks wait, none is false."""
    pause_s = size.pick(quick=5.0, full=20.0)

    async def act(run: Run) -> None:
        probe = await Probe.open(run)
        async with cluster.paused("postgres"):
            await probe.ask(pause_s)
        await probe.judge()
        _memory_is_flat(run)

    return await under_load(cluster, size, "T8", f"SIGSTOP PostgreSQL for {pause_s:g} s", act)


async def postgres_restarted(cluster: Cluster, size: Size) -> Figures:
    """T23."""

    async def act(run: Run) -> None:
        pids = cluster.stack.stack.pids
        count = await every(15.0, size.duration_s, lambda _: _stop(cluster, "postgres"))
        await cluster.until_ready()
        now = cluster.stack.stack.pids
        crashed = [name for name, pid in pids.items() if name != "postgres" and now.get(name) != pid]
        run.violations += [Violation("T23", "a service did not survive it", name) for name in crashed]
        run.notes.append(f"{count} restarts, no service had to be started again")

    return await under_load(cluster, size, "T23", "restart PostgreSQL every 15 s", act)


async def nats_paused(cluster: Cluster, size: Size) -> Figures:
    """T9: every request is answered within its deadline, retryable, and nobody's memory grows with the wait."""
    pause_s = size.pick(quick=5.0, full=20.0)

    async def act(run: Run) -> None:
        probe = await Probe.open(run)
        async with cluster.paused("nats"):
            await probe.ask(pause_s)
        await probe.judge()
        _memory_is_flat(run)

    return await under_load(cluster, size, "T9", f"SIGSTOP NATS for {pause_s:g} s", act)


async def nats_restarted(cluster: Cluster, size: Size) -> Figures:
    """T10."""
    times = size.pick(quick=1, full=6)

    async def act(run: Run) -> None:
        restarts_s = []
        for turn in range(times):
            began = time.monotonic()
            former = cluster.pid("nats")
            (cluster.kill if turn % 2 else cluster.stop)("nats")
            await cluster.until_restarted("nats", former)
            restarts_s.append(time.monotonic() - began)
            if size.is_full:
                await asyncio.sleep(max(0.0, began + 15.0 - time.monotonic()))
        run.notes.append(f"all ready {max(restarts_s):.1f} s after a restart at most")

    return await under_load(cluster, size, "T10", f"restart NATS every 15 s, {times} times", act)


async def nats_away(cluster: Cluster, size: Size) -> Figures:
    """T11: gone, not frozen: nobody listens on its port."""
    away_s = size.pick(quick=5.0, full=300.0)

    async def act(run: Run) -> None:
        await cluster.keep_down("nats", away_s)
        run.notes.append(f"ready again {await cluster.until_ready():.1f} s after it was let back")
        _memory_is_flat(run)

    # The outboxes of the clients keep what cannot be sent: a tenth of the load is enough to see it come back.
    return await under_load(cluster, _slower(size), "T11", f"NATS away for {away_s:g} s", act)


def _slower(size: Size) -> Size:
    return Size(size.name, size.clients, size.threads, size.pick(quick=size.rate, full=10.0), size.duration_s)


def _memory_is_flat(run: Run) -> None:
    """No service took more than FLAT_MB above its first sample."""
    if not run.load.samples:
        return
    first = run.load.samples[0][1]
    for name, value in run.load.most.items():
        if name.endswith(".rss_mb") and not name.startswith("nats") and value > first.get(name, value) + FLAT_MB:
            run.violations.append(Violation("G12", "memory grew", f"{name}: {first[name]:g} to {value:g}"))


def _stop(cluster: Cluster, name: str) -> None:
    cluster.stop(name)
