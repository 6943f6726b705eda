"""Many clients at once: a crowd that is cut and comes back, and everything at random for a long time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence

from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.nemesis import Nemesis
from tests.chaos.running import Run, under_load
from tests.chaos.sizes import Size, seed
from tests.kit.waiting import until

BACK_WITHIN_S = 60.0
MISSED = 50


async def crowd_returns(cluster: Cluster, size: Size) -> Figures:
    """T37 with the SDK, its backoff and its HTTP fallback: all are kept out while 50 messages are written."""
    crowd = Size(size.name, size.pick(quick=24, full=300), 2, 10.0, 0.0)

    async def act(run: Run) -> None:
        load = run.load
        cluster.proxy.refuse()
        before = len(load.stalls)
        user = min(load.history.members[load.hot])
        for _ in range(MISSED):
            load.send(user, load.hot)
        await asyncio.sleep(1.0)
        began = time.monotonic()
        cluster.proxy.pass_all()
        await until(lambda: all(person.state.value == "online" for person in load.people.values()), BACK_WITHIN_S,
                    "all are back and caught up")  # fmt: skip
        back_s = time.monotonic() - began
        attempts = [at - began for person in load.people.values() for at in person.connected_at if at > began]
        run.notes.append(
            f"{len(load.people)} clients back and caught up within {back_s:.1f} s, {len(attempts)} attempts, the last"
            f" after {max(attempts, default=0):.1f} s; {len(load.stalls) - before} messages meanwhile"
        )

    return await under_load(cluster, crowd, "T37 SDK", f"{crowd.clients} clients cut at once, then back", act)


async def soak(cluster: Cluster, size: Size) -> Figures:
    """T40: the nemesis for CHATTERBUS_CHAOS_SOAK seconds; what grows with time is in the notes."""
    duration_s = float(os.environ.get("CHATTERBUS_CHAOS_SOAK", size.pick(quick=20.0, full=120.0)))
    number = seed()

    async def act(run: Run) -> None:
        nemesis = Nemesis(cluster, number)
        await nemesis.run(duration_s)
        run.notes.append(", ".join(f"{name} x{count}" for name, count in sorted(nemesis.done.items())))
        run.notes.append(f"slopes of memory, MB per hour: {slopes(run.load.samples)}")

    return await under_load(cluster, size, "T40", f"faults at random for {duration_s:g} s", act, given_seed=number)


def slopes(samples: Sequence[tuple[float, Mapping[str, float]]], *, of: str = ".rss_mb") -> str:
    """The least squares line through the second half of the samples, by process; a restart is part of it."""
    half = samples[len(samples) // 2 :]
    names = sorted({name for _, sample in half for name in sample if name.endswith(of)})
    said = []
    for name in names:
        points = [(at, sample[name]) for at, sample in half if name in sample]
        if len(points) > 2:
            said.append(f"{name.removesuffix(of)} {slope(points) * 3600:+.0f}")
    return ", ".join(said)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Per unit of x, by least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
