"""PostgreSQL, NATS or a stream of it goes away and comes back: nothing acked is lost, all resumes without a hand."""

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.keeping import Scenario, held, of_both_sizes
from tests.chaos.scenarios import dependencies, streams
from tests.chaos.sizes import Size

QUICK = [dependencies.postgres_paused, dependencies.nats_paused, dependencies.nats_restarted, streams.deleted_by_hand]
FULL = [dependencies.postgres_restarted, dependencies.nats_away]


@pytest.mark.timeout(900)
@of_both_sizes(QUICK, FULL)
async def test_nothing_acked_is_lost_and_all_recovers_when(scenario: Scenario, cluster: Cluster, size: Size) -> None:
    await held(scenario, cluster, size)
