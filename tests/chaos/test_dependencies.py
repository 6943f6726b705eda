"""PostgreSQL and NATS go away and come back: nothing acked is lost, no ack is false, all resumes without a hand."""

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.keeping import Scenario, held
from tests.chaos.scenarios import dependencies
from tests.chaos.sizes import Size

QUICK = [dependencies.postgres_paused, dependencies.nats_paused, dependencies.nats_restarted]
FULL = [dependencies.postgres_restarted, dependencies.nats_away]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", [*QUICK, *FULL], ids=lambda scenario: scenario.__name__)
async def test_nothing_acked_is_lost_and_all_recovers_when(scenario: Scenario, cluster: Cluster, size: Size) -> None:
    if scenario in FULL and not size.is_full:
        pytest.skip("at full size only: make chaos")
    await held(scenario, cluster, size)
