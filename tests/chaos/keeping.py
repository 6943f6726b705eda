"""How a test runs a scenario: full runs are kept for docs/chaos.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.chaos import figures
from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.sizes import Size

Scenario = Callable[[Cluster, Size], Awaitable[Figures]]
RigScenario = Callable[[Path, Size], Awaitable[Figures]]


def keep(result: Figures, size: Size) -> None:
    """Show it; a full run's is kept."""
    print(result)
    if size.is_full:
        figures.append(result)


async def held(scenario: Scenario, cluster: Cluster, size: Size) -> None:
    """The scenario raises when something did not hold."""
    keep(await scenario(cluster, size), size)


async def held_on_a_rig(scenario: RigScenario, home: Path, size: Size) -> None:
    """The same for one that starts what it breaks, in a folder of its own."""
    keep(await scenario(home, size), size)


def of_both_sizes(quick: Sequence[Scenario], full: Sequence[Scenario]) -> pytest.MarkDecorator:
    """Parametrises `scenario`: those of `full` run at full size only."""
    rest = [pytest.param(scenario, marks=pytest.mark.full_size) for scenario in full]
    return pytest.mark.parametrize("scenario", [*quick, *rest], ids=lambda scenario: scenario.__name__)
