"""Whatever of the system is killed, stopped or frozen: nothing acked is lost, nothing is stored twice, all recovers."""

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.keeping import Scenario, held, of_both_sizes
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
@of_both_sizes(QUICK, FULL)
async def test_nothing_acked_is_lost_and_all_recovers_when(scenario: Scenario, cluster: Cluster, size: Size) -> None:
    await held(scenario, cluster, size)
