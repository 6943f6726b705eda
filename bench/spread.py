"""Several runs of one figure: the smallest, the median, the largest; and its ratio to another contender's. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """`None` is never in it: a run without a figure is left out, and `runs` says how many remained."""

    least: float
    middle: float
    most: float
    runs: int

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def spread(values: Sequence[float | None]) -> Spread | None:
    """None when no run has a figure."""
    there = [value for value in values if value is not None]
    return Spread(min(there), median(there), max(there), len(there)) if there else None


def ratios(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Spread | None:
    """Ours divided by theirs, run by run: the two of one run were measured one after the other, in the same weather."""
    return spread(
        [mine / other if mine is not None and other else None for mine, other in zip(ours, theirs, strict=True)]
    )
