"""A crowd comes back whole, and faults at random for a long time leave nothing behind."""

import os

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.keeping import held
from tests.chaos.scenarios import crowds
from tests.chaos.scenarios.crowds import slope
from tests.chaos.sizes import Size

SOAK_S = float(os.environ.get("CHATTERBUS_CHAOS_SOAK", "120"))


@pytest.mark.full_size
@pytest.mark.timeout(600)
async def test_a_crowd_that_is_cut_at_once_comes_back_and_has_missed_nothing(cluster: Cluster, size: Size) -> None:
    await held(crowds.crowd_returns, cluster, size)


@pytest.mark.full_size
@pytest.mark.timeout(SOAK_S + 600)
async def test_faults_at_random_lose_nothing_and_leave_nothing_behind(cluster: Cluster, size: Size) -> None:
    await held(crowds.soak, cluster, size)


def test_a_slope_is_that_of_the_line_through_the_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(1, 3), (1, 5)]) == 0
