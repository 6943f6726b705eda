"""How a test runs a scenario: full runs are kept for docs/chaos.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.chaos import figures
from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.sizes import Size

Scenario = Callable[[Cluster, Size], Awaitable[Figures]]


async def held(scenario: Scenario, cluster: Cluster, size: Size) -> None:
    """The scenario raises when something did not hold."""
    result = await scenario(cluster, size)
    if size.is_full:
        figures.append(result)
