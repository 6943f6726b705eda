"""A system to break: one for all quick tests, one for each full one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.cluster import Cluster, new_stack, open_cluster
from tests.chaos.sizes import Size, chosen
from tests.e2e.deployment import Deployment


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs its full size to say anything is part of `make chaos` only."""
    if chosen().is_full:
        return
    left_out = [item for item in items if item.get_closest_marker("full_size")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def size() -> Size:
    """CHATTERBUS_CHAOS=full, or quick."""
    return chosen()


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Quick tests break the same system one after another."""
    with new_stack(tmp_path_factory.mktemp("chaos"), NOTIFIER_OFFLINE_DEBOUNCE_S="1") as stack:
        yield stack


@pytest.fixture
def chaos_stack(request: pytest.FixtureRequest, tmp_path: Path, size: Size) -> Iterator[Deployment]:
    """A running system."""
    if not size.is_full:
        yield request.getfixturevalue("shared_stack")
        return
    with new_stack(tmp_path) as stack:
        yield stack


@pytest_asyncio.fixture
async def cluster(chaos_stack: Deployment) -> AsyncIterator[Cluster]:
    """The system behind its balancer, with hands on its processes."""
    async with open_cluster(chaos_stack) as made:
        yield made
