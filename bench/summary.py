"""Runs made into a table: each metric's spread for each contender, its ratios, and whether the goals are met. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.metrics import METRICS, Figures, Metric, disturbed, faults, generator_limited
from bench.spread import Spread, ratios, spread

Run = Mapping[str, Figures]
"""By contender; within it by scenario."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. `ratios` are the product's value divided by each peer's."""

    metric: Metric
    values: dict[str, list[float | None]]
    spreads: dict[str, Spread | None]
    ratios: dict[str, Spread | None]
    met: bool | None
    """None: nothing to judge by (the peer of the goal was not measured)."""


@dataclass(frozen=True, slots=True)
class Summary:
    names: tuple[str, ...]
    rows: list[Row]
    faults: dict[str, dict[str, Spread]]
    """By contender and kind: how many in a run."""
    limited: dict[str, list[str]]
    """By contender: the scenarios in which at least one run had the generator at its limit."""
    disturbed: dict[str, list[str]]
    """By contender: those in which at least one run shared its cores with other programs."""

    def doubts(self) -> list[str]:
        """What a reader must know before using the figures; nothing when all is well."""
        return [
            f"{name}: {says} in {', '.join(scenarios)}"
            for says, found in (
                ("the generator was the limit, so the server may do more,", self.limited),
                ("other programs were busy on these cores, so the figures are not to be used,", self.disturbed),
            )
            for name, scenarios in found.items()
            if scenarios
        ]


def summarise(product: str, runs: Sequence[Run]) -> Summary:
    """A contender that is missing in a run is left out of that run's figures."""
    names = tuple(dict.fromkeys(name for run in runs for name in run))
    names = tuple(sorted(names, key=lambda name: name != product))
    rows = [_row(metric, product, names, runs) for metric in METRICS]
    faults_of = {name: _faults(name, runs) for name in names}
    return Summary(names, rows, faults_of, _where(generator_limited, names, runs), _where(disturbed, names, runs))


def _row(metric: Metric, product: str, names: Sequence[str], runs: Sequence[Run]) -> Row:
    values = {name: [metric.of(run.get(name, {})) for run in runs] for name in names}
    over = {name: ratios(values[product], values[name]) for name in names if name != product and product in values}
    spreads = {name: spread(values[name]) for name in names}
    judged = spreads.get(product) if metric.goal_peer is None else over.get(metric.goal_peer)
    return Row(metric, values, spreads, over, metric.met(judged) if judged else None)


def _faults(name: str, runs: Sequence[Run]) -> dict[str, Spread]:
    found = [faults(run[name]) for run in runs if name in run]
    kinds = sorted({kind for each in found for kind in each})
    return {kind: there for kind in kinds if (there := spread([each.get(kind, 0) for each in found]))}


def _where(judge: Callable[[Figures], list[str]], names: Sequence[str], runs: Sequence[Run]) -> dict[str, list[str]]:
    return {name: sorted({each for run in runs for each in judge(run.get(name, {}))}) for name in names}
