"""The whole system from outside: only WebSocket, REST and what `chatterbus up --json` printed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bench.stack import LIMITS_OFF
from bench.stack import stack as running_stack
from tests.e2e.deployment import Deployment
from tests.e2e.hook_receiver import HookReceiver
from tests.e2e.people import QUICK_NOTIFIER


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One running system for all tests that leave it whole; each test uses threads of its own."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder / "up.log", "--gateways", "2", "--persisters", "2") as started:
        yield Deployment(started, folder)


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system in which people come and go quickly, for the tests of presence, unread and typing."""
    folder = tmp_path_factory.mktemp("lively")
    with running_stack(folder / "up.log", "--gateways", "3", env={**LIMITS_OFF, **QUICK_NOTIFIER}) as started:
        yield Deployment(started, folder)


@pytest.fixture(scope="session")
def receiver() -> Iterator[HookReceiver]:
    """Where `hooked` delivers its webhooks."""
    made = HookReceiver()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def hooked(tmp_path_factory: pytest.TempPathFactory, receiver: HookReceiver) -> Iterator[Deployment]:
    """A system in which messages are missed, and people away, after moments."""
    folder = tmp_path_factory.mktemp("hooked")
    env = {**LIMITS_OFF, **QUICK_NOTIFIER, **receiver.env, "NOTIFIER_MISSED_AFTER_S": "1", "GATEWAY_AWAY_AFTER_S": "3"}
    with running_stack(folder / "up.log", env=env) as started:
        yield Deployment(started, folder)


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Deployment]:
    """A system of the test's own, with failpoints, for tests that break it."""
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    with running_stack(tmp_path / "up.log", env={"PERSISTER_FAILPOINTS_DIR": str(failpoints)}) as started:
        yield Deployment(started, tmp_path)


@pytest.fixture
def cast() -> Callable[..., list[str]]:
    """User ids nobody used, by their first names."""
    mark = uuid4().hex[:8]
    return lambda *names: [f"{name}-{mark}" for name in names]


@pytest.fixture
def thread() -> str:
    """A thread id nobody used."""
    return f"t-{uuid4().hex[:12]}"
