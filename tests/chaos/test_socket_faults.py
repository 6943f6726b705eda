"""Hostile and unlucky sockets: bounded memory, bounded latency for the others, and all given back."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from bench.stack import LIMITS_OFF
from bench.stack import stack as running_stack
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.keeping import Scenario, held
from tests.chaos.scenarios import comings, sockets
from tests.chaos.sizes import Size
from tests.e2e.deployment import Deployment

# Of a typing flood and of many sockets of one user, not of what is tested here.
QUICK_TIMES = {
    "GATEWAY_HEARTBEAT_INTERVAL_S": "1",
    "GATEWAY_HEARTBEAT_TIMEOUT_S": "4",
    "GATEWAY_ATTACHMENT_IDLE_TIMEOUT_S": "4",
    "GATEWAY_ATTACHMENT_TRANSFERS_PER_USER_MAX": "100",
}
FULL_TIMES = {"GATEWAY_ATTACHMENT_TRANSFERS_PER_USER_MAX": "100"}


@pytest.fixture(scope="module")
def hostile_stack(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Iterator[Deployment]:
    """A system with the usual limits on memory, and none on how many sockets come from here."""
    folder = tmp_path_factory.mktemp("hostile")
    env = LIMITS_OFF | size.pick(quick=QUICK_TIMES, full=FULL_TIMES)
    with running_stack(folder / "up.log", "--gateways", "2", "--persisters", "2", env=env) as started:
        yield Deployment(started, folder)


@pytest_asyncio.fixture
async def hostile(hostile_stack: Deployment) -> AsyncIterator[Cluster]:
    async with open_cluster(hostile_stack) as cluster:
        yield cluster


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "scenario",
    [sockets.readers_stop, sockets.mute_and_zero_window, comings.storm, comings.churn, sockets.typing_flood],
    ids=lambda scenario: scenario.__name__,
)
async def test_the_others_and_the_gateway_do_not_suffer_from(scenario: Scenario, hostile: Cluster, size: Size) -> None:
    await held(scenario, hostile, size)
