"""Whatever of the system is killed, stopped or frozen: nothing acked is lost, nothing is stored twice, all recovers."""

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.keeping import Scenario, held
from tests.chaos.scenarios import processes
from tests.chaos.sizes import Size

QUICK = [
    processes.persisters_killed,
    processes.gateways_killed,
    processes.notifier_killed,
    processes.rolling_restart,
]
FULL = [
    processes.all_killed,
    processes.persister_paused,
    processes.gateway_paused,
    processes.handovers,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.__name__)
async def test_nothing_acked_is_lost_and_all_recovers_when(scenario: Scenario, cluster: Cluster, size: Size) -> None:
    await held(scenario, cluster, size)


@pytest.mark.full_size
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", FULL, ids=lambda scenario: scenario.__name__)
async def test_nothing_acked_is_lost_after_a_long_time_either_when(
    scenario: Scenario, cluster: Cluster, size: Size
) -> None:
    await held(scenario, cluster, size)
