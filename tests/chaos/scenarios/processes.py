"""Services that are killed, stopped in order, and frozen, under load."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Final

from tests.chaos.cluster import GATEWAYS, PERSISTERS, SERVICES, Cluster, every
from tests.chaos.figures import Figures
from tests.chaos.plain import PlainFollowers
from tests.chaos.running import Run, under_load
from tests.chaos.sizes import Size
from tests.kit.checkers import Violation

RECONNECT_CODES: Final = range(4000, 4500)


async def persisters_killed(cluster: Cluster, size: Size) -> Figures:
    """T1."""
    pause_s = 3.0

    async def act(run: Run) -> None:
        killed = 0

        def kill(turn: int) -> None:
            nonlocal killed
            first, second = PERSISTERS[turn % 2], PERSISTERS[(turn + 1) % 2]
            killed += cluster.kill(first) or cluster.kill(second)

        await every(pause_s, size.duration_s, kill)
        run.notes.append(f"{killed} kills")

    return await under_load(cluster, size, "T1", "kill -9 a persister every 3 s", act)


async def gateways_killed(cluster: Cluster, size: Size) -> Figures:
    """T2."""
    pause_s = size.pick(quick=4.0, full=5.0)

    async def act(run: Run) -> None:
        killed = 0

        def kill(turn: int) -> None:
            nonlocal killed
            killed += cluster.kill(GATEWAYS[turn % 2])

        await every(pause_s, size.duration_s, kill)
        run.notes.append(f"{killed} kills")

    return await under_load(cluster, size, "T2", f"kill -9 a gateway every {pause_s:g} s", act)


async def notifier_killed(cluster: Cluster, size: Size) -> Figures:
    """T3."""

    async def act(run: Run) -> None:
        await every(
            size.pick(quick=4.0, full=10.0),
            size.pick(quick=3.0, full=size.duration_s),
            lambda _: _kill(cluster, "notifier"),
        )
        run.notes.append("in the middle of the load; counts are those of the store, within the time below")

    return await under_load(cluster, size, "T3", "kill -9 the notifier", act)


async def all_killed(cluster: Cluster, size: Size) -> Figures:
    """T4."""

    async def act(run: Run) -> None:
        for _ in range(size.pick(quick=1, full=2)):
            began, former = time.monotonic(), cluster.stack.stack.pids
            for name in SERVICES:
                cluster.kill(name)
            for name in SERVICES:
                await cluster.until_restarted(name, former.get(name))
            await cluster.until_ready()
            run.notes.append(f"ready after {time.monotonic() - began:.1f} s")
            await asyncio.sleep(size.pick(quick=1.0, full=5.0))

    return await under_load(cluster, size, "T4", "kill -9 all gateways, persisters and the notifier at once", act)


async def rolling_restart(cluster: Cluster, size: Size) -> Figures:
    """T5: nobody is refused, sockets close with a code that says come back, nobody is seen to leave."""

    async def act(run: Run) -> None:
        load = run.load
        followers = PlainFollowers(cluster, load.hot, load.names[0], count=size.pick(quick=3, full=8))
        await followers.open()
        began = time.monotonic()
        try:
            for name in SERVICES:
                former = cluster.pid(name)
                cluster.stop(name)
                await cluster.until_restarted(name, former)
        finally:
            await followers.close()
        codes = sorted(set(followers.codes))
        run.violations += [Violation("T5", "a close that is not a reconnect", f"{code}") for code in codes
                           if code not in RECONNECT_CODES]  # fmt: skip
        refused = [one.value for one in load.history.attempts if one.outcome == "fail"]
        run.violations += [Violation("T5", "rejected", value) for value in refused]
        flaps = [f"{person.user} of {who}" for person in load.people.values() for who in person.told_offline]
        run.violations += [Violation("T5", "a presence flap", about) for about in flaps]
        attempts = [at for person in load.people.values() for at in person.connected_at if at > began]
        busiest = max((sum(1 for at in attempts if start <= at < start + 1) for start in attempts), default=0)
        if len(attempts) > 4 * len(load.people):
            run.violations.append(Violation("T5", "too many reconnects", f"{len(attempts)}"))
        run.notes.append(
            f"rolled in {time.monotonic() - began:.0f} s; {len(refused)} refused, {len(flaps)} presence flaps, close"
            f" codes {codes}, {len(attempts)} connection attempts of {len(load.people)} clients, {busiest} of them in"
            " the busiest second"
        )

    return await under_load(cluster, size, "T5", "SIGTERM to every service, one after another", act)


async def persister_paused(cluster: Cluster, size: Size) -> Figures:
    """T6: frozen between the applied batch and its commit as chance has it."""
    pause_s = size.pick(quick=8.0, full=45.0)

    async def act(run: Run) -> None:
        async with cluster.paused("persister-1"):
            await asyncio.sleep(pause_s)
        run.notes.append("persister-1 holds two of four partitions")

    return await under_load(cluster, size, "T6", f"SIGSTOP a persister for {pause_s:g} s", act)


async def gateway_paused(cluster: Cluster, size: Size) -> Figures:
    """T7."""
    pause_s = size.pick(quick=8.0, full=30.0)

    async def act(run: Run) -> None:
        async with cluster.paused("gateway-1"):
            await asyncio.sleep(pause_s)
        await asyncio.sleep(1.0)
        run.notes.append(f"{sum(person.resyncs for person in run.load.people.values())} resync notices")

    return await under_load(cluster, size, "T7", f"SIGSTOP a gateway for {pause_s:g} s", act)


async def handovers(cluster: Cluster, size: Size) -> Figures:
    """T33: one hot thread, eight senders; its partition changes hands, in order and by force, every 5 s."""
    pause_s = size.pick(quick=4.0, full=5.0)

    async def act(run: Run) -> None:
        load = run.load
        senders = sorted(load.history.members[load.hot])[:8]
        flood = asyncio.create_task(_flood(run, senders, rate=size.pick(quick=60.0, full=150.0)))

        def hand_over(turn: int) -> None:
            number = signal.SIGTERM if turn % 2 else signal.SIGKILL
            cluster.signal(PERSISTERS[turn // 2 % 2], number)

        try:
            turns = await every(pause_s, size.duration_s, hand_over)
        finally:
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)
        run.notes.append(f"{turns} handovers, hot thread of 8 more senders, poller failed {load.poller.failures} times")

    return await under_load(cluster, size, "T33", f"one hot thread, its partition handed over every {pause_s:g} s", act)


async def _flood(run: Run, senders: list[str], rate: float) -> None:
    loop = asyncio.get_running_loop()
    began, count = loop.time(), 0
    while True:
        run.load.send(senders[count % len(senders)], run.load.hot)
        count += 1
        await asyncio.sleep(max(0.0, began + count / rate - loop.time()))


def _kill(cluster: Cluster, name: str) -> None:
    cluster.kill(name)
