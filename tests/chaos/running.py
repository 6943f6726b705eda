"""One run: base load, a fault, and what was right at the end, as a row of figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos import truth
from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.load import Load
from tests.chaos.sizes import Size, seed
from tests.chaos.usage import grown
from tests.kit.checkers import Violation
from tests.kit.waiting import until

WARM_WITHIN_S: Final = 30.0
SHOWN: Final = 12
CHECKED: Final = "C1 C2 C3 C4 C5 C6"
DRAINED_IN_QUICK: Final = frozenset({"T2", "T10"})  # C7 waits for what times out; the quick runs do it twice


@dataclass(slots=True)
class Run:
    """What a fault may look at, and add to: its own violations and notes."""

    cluster: Cluster
    size: Size
    load: Load
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Fault = Callable[[Run], Awaitable[None]]


async def under_load(
    cluster: Cluster, size: Size, scenario: str, fault: str, act: Fault, *, given_seed: int | None = None
) -> Figures:
    """Run it. Raises AssertionError with the seed and what was wrong; the history is beside the log then."""
    number = seed() if given_seed is None else given_seed
    print(f"{scenario}: {fault}; CHATTERBUS_CHAOS_SEED={number}", flush=True)
    began = time.monotonic()
    base = await cluster.usage.now()
    load = Load(cluster, size, number)
    run = Run(cluster, size, load)
    try:
        await load.open()
        opened_s = time.monotonic() - began
        load.start()
        await until(lambda: len(load.stalls) >= min(20, size.rate), WARM_WITHIN_S, "the load runs")
        await act(run)
        cluster.heal()
        whole_s = await cluster.until_ready()
        answered_s = await load.stop()
        run.violations += await truth.read_stored(load)
        quiet_s, late = await truth.quiet(load)
        run.violations += late
        await truth.ask_again(load)
        truth.note_views(load)
        unread_s, wrong = await truth.unread_converges(load)
        run.violations += wrong
        run.violations += truth.judged(load)
        presence_s, wrong = await truth.presence_converges(load)
        run.violations += wrong
    finally:
        await load.close()
    back_s: float | None = None
    if size.is_full or scenario in DRAINED_IN_QUICK:
        back_s, kept = await truth.drained(load, base, size)
        run.violations += kept
    run.notes += [
        (
            f"whole again {whole_s:.1f} s after the last fault, then all answered in {answered_s:.1f} s, views"
            f" {quiet_s:.1f} s, unread {unread_s:.1f} s, presence {presence_s:.1f} s"
            + ("" if back_s is None else f"; what the run took given back in {back_s:.1f} s")
        ),
        f"memory at most {grown(base, load.most)}",
    ]
    found = Counter(violation.kind for violation in run.violations)
    figures = Figures(
        scenario=scenario,
        fault=fault,
        sent=len(load.sent_at),
        acked=len(load.history.acked),
        lost=found["lost"],
        duplicated=found["stored twice"],
        worst_stall_s=round(worst_stall_s(load), 2),
        invariants=CHECKED + (" C7" if back_s is not None else "")
        if not run.violations
        else ", ".join(f"{kind}: {count}" for kind, count in found.items()),
        notes="; ".join(run.notes),
        seed=number,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )
    print(f"opened in {opened_s:.1f} s", figures, flush=True)
    if run.violations:
        _fail(run, figures)
    return figures


def worst_stall_s(load: Load) -> float:
    """The longest time between a send and its ack, those that never came counted until now."""
    now = time.monotonic()
    waiting = [now - load.sent_at[value] for value in load.unanswered]
    return max([*load.stalls.values(), *waiting], default=0.0)


def _fail(run: Run, figures: Figures) -> None:
    kept: Path = run.cluster.stack.folder / f"history-{figures.scenario.split()[0]}-{figures.seed}.jsonl"
    run.load.history.write(kept)
    shown = "\n".join(f"  {v.checker} {v.kind}: {v.about}" for v in run.violations[:SHOWN])
    raise AssertionError(
        f"{figures.scenario} with CHATTERBUS_CHAOS_SEED={figures.seed}: {len(run.violations)} violations, history in"
        f" {kept}\n{shown}"
    )
