"""The whole system from outside: only WebSocket, REST and what `chatterbus up --json` printed.

`--stack` says which system: one of processes (the default), one of containers, or somebody's running one (see stacks/).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bench.stack import LIMITS_OFF
from bench.stack import stack as running_stack
from tests.containers.conftest import images as images
from tests.e2e.deployment import Deployment
from tests.e2e.hook_receiver import HookReceiver
from tests.e2e.people import QUICK_NOTIFIER
from tests.e2e.stacks import options
from tests.e2e.stacks.kind import Kind

KIND: Final = pytest.StashKey[Kind]()
LEFT_OUT: Final = pytest.StashKey[list[str]]()
HERE: Final = Path(__file__).parent
TEST_TIMEOUT_S: Final = 180  # with containers, whose making is not counted


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--stack` and what belongs to it."""
    options.add_to(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a system that cannot be had at once."""
    for name, why in options.MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {why}")
    config.stash[KIND] = options.chosen(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the chosen system cannot do."""
    kind = config.stash[KIND]
    missing = {item: options.needs(item) & kind.lacks for item in items if item.path.is_relative_to(HERE)}
    left_out = [item for item in items if missing.get(item)]
    config.stash[LEFT_OUT] = [next(iter(sorted(missing[item]))) for item in left_out]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not missing.get(item)]
    if kind.prepared_by:
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S, func_only=True))


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Which system, and what is not tried on it."""
    left_out = config.stash[LEFT_OUT]
    counts = ", ".join(f"{left_out.count(name)} {name}" for name in options.MARKERS if name in left_out)
    return f"stack: {config.stash[KIND]}" + (f"; left out: {counts}" if counts else "")


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    """What `--stack` names, ready to start systems."""
    chosen = request.config.stash[KIND]
    for fixture in chosen.prepared_by:
        request.getfixturevalue(fixture)
    return chosen


@pytest.fixture(scope="session")
def stack(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One running system for all tests that leave it whole; each test uses threads of its own."""
    folder = tmp_path_factory.mktemp("stack")
    with kind.start(folder, gateways=2, persisters=2) as started:
        yield Deployment(started, folder)


@pytest.fixture(scope="session")
def lively(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system in which people come and go quickly, for the tests of presence, unread and typing."""
    folder = tmp_path_factory.mktemp("lively")
    with kind.start(folder, gateways=3, env={**LIMITS_OFF, **QUICK_NOTIFIER}) as started:
        yield Deployment(started, folder)


@pytest.fixture(scope="session")
def receiver(kind: Kind) -> Iterator[HookReceiver]:
    """Where `hooked` delivers its webhooks."""
    made = HookReceiver(*kind.listen_at())
    yield made
    made.stop()


@pytest.fixture(scope="session")
def hooked(kind: Kind, tmp_path_factory: pytest.TempPathFactory, receiver: HookReceiver) -> Iterator[Deployment]:
    """A system in which messages are missed, and people away, after moments."""
    folder = tmp_path_factory.mktemp("hooked")
    env = {**LIMITS_OFF, **QUICK_NOTIFIER, **receiver.env, "NOTIFIER_MISSED_AFTER_S": "1", "GATEWAY_AWAY_AFTER_S": "3"}
    with kind.start(folder, env=env) as started:
        yield Deployment(started, folder)


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Deployment]:
    """A system of the test's own, with failpoints, for tests that break it."""
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    with running_stack(tmp_path / "up.log", env={"PERSISTER_FAILPOINTS_DIR": str(failpoints)}) as started:
        yield Deployment(started, tmp_path)
