"""The whole system from outside: only WebSocket, REST and what `chatterbus up --json` printed."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bench.stack import stack as running_stack
from tests.e2e.deployment import Deployment


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One running system for all tests that leave it whole; each test uses threads of its own."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder / "up.log", "--gateways", "2", "--persisters", "2") as started:
        yield Deployment(started, folder)


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Deployment]:
    """A system of the test's own, with failpoints, for tests that break it."""
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    with running_stack(tmp_path / "up.log", env={"PERSISTER_FAILPOINTS_DIR": str(failpoints)}) as started:
        yield Deployment(started, tmp_path)


@pytest.fixture
def thread() -> str:
    """A thread id nobody used."""
    return f"t-{uuid4().hex[:12]}"
