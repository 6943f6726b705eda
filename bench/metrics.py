"""What is compared, which way is better, and what this project wants of it. Pure.

A goal is a ratio to a peer, never an absolute time: machines differ, and a peer measured in the same minutes on the
same cores differs with them. Memory is the exception, for it hardly depends on the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.spread import Spread

SATURATED: Final = 0.85
"""Share of its core from which the generator, not the server, may have set the pace."""
DISTURBED: Final = 0.3
"""Share of a core that others used on the cores of the measurement, from which the figures say little. The kernel's own
work for a server that commits 5,000 times a second is 0.2 of it."""
CHECKED: Final = (
    "lost",
    "doubled",
    "out_of_order",
    "holes",
    "connections_lost",
    "unanswered",
    "unacked",
    "wrong_pages",
)

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """`path` leads to the figure within a contender's figures of one run; the first part is the scenario."""

    name: str
    title: str
    unit: str
    path: tuple[str, ...]
    more_is_better: bool
    goal: float
    goal_peer: str | None
    """None: the goal is an absolute value."""

    @property
    def scenario(self) -> str:
        return self.path[0]

    def of(self, figures: Figures) -> float | None:
        """None when that contender has no such figure in this run."""
        found: Any = figures
        for part in self.path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return None if found is None else float(found)

    def met(self, value: Spread) -> bool:
        """Judged by the median."""
        return value.middle >= self.goal if self.more_is_better else value.middle <= self.goal

    @property
    def goal_text(self) -> str:
        sign, of = ("≥" if self.more_is_better else "≤"), f"x {self.goal_peer}" if self.goal_peer else f" {self.unit}"
        return f"{sign} {self.goal:g}{of}"


METRICS: Final = (
    Metric("stored", "Stored messages", "/s", ("throughput", "stored_per_s"), True, 3.0, "node-ws"),
    Metric("loaded_p50", "Ack under that load, p50", "ms", ("throughput", "p50_ms"), False, 0.35, "node-ws"),
    Metric("p50", "Delivery at 100/s, p50", "ms", ("latency", "receipt", "p50_ms"), False, 1.2, "node-ws"),
    Metric("p99", "Delivery at 100/s, p99", "ms", ("latency", "receipt", "p99_ms"), False, 1.0, "node-ws"),
    Metric("fanout", "Deliveries to 500 followers", "/s", ("fanout", "deliveries_per_s"), True, 2.0, "socket-io"),
    Metric("memory", "Memory per 1,000 idle connections", "MB", ("idle", "mb_per_1000"), False, 12.0, None),
)
ALONE: Final = (
    *(metric for metric in METRICS if metric.goal_peer is None),
    Metric(
        "return", "1,000 people catch up 50 messages each", "s", ("storm", "all_caught_up_after_s"), False, 5.0, None
    ),
    Metric(
        "page",
        "A page of history at the persister, p99",
        "ms",
        ("history", "reads", "all", "p99_ms"),
        False,
        20.0,
        None,
    ),
)
"""What is judged without a peer."""


def faults(figures: Figures) -> dict[str, int]:
    """What went wrong with messages in one contender's run, by scenario and kind; only what is not 0."""
    return {
        f"{scenario} {kind}": int(measured[kind])
        for scenario, measured in figures.items()
        for kind in CHECKED
        if measured.get(kind)
    }


def verdicts(figures: Figures) -> list[tuple[Metric, float, bool]]:
    """The goals of one run that needs no peer: what, how much, and whether that is enough."""
    found = [(metric, metric.of(figures)) for metric in ALONE]
    return [(metric, value, metric.met(Spread(value, value, value, 1))) for metric, value in found if value is not None]


def generator_limited(figures: Figures) -> list[str]:
    """The scenarios in which a process of the generator, or its cores, had no time left."""
    return [name for name, scenario in figures.items() if scenario.get("generator_core_share", 0) > SATURATED]


def disturbed(figures: Figures) -> list[str]:
    """The scenarios in which other programs were busy on these cores. They hurt a contender of one process most."""
    return [name for name, scenario in figures.items() if scenario.get("foreign_core_share", 0) >= DISTURBED]


def flat(figures: Figures, before: str = "") -> dict[str, Any]:
    """`{"ack": {"p50_ms": 2}}` as `{"ack p50_ms": 2}`: a line for each figure."""
    lines: dict[str, Any] = {}
    for name, value in figures.items():
        lines.update(flat(value, f"{before}{name} ") if isinstance(value, Mapping) else {before + name: value})
    return lines
