"""What every suite has, and how the whole is spread over processes (`make test`: `pytest -n 2`).

Promises: tests that start whole systems run one after another in one process, as they would without (containers and
browsers have to: Chromium drops its requests when a container's network comes or goes); all others go file by file to
whoever is free, so a file's tests stay together and in order.
"""

from collections.abc import Callable
from pathlib import PurePath
from typing import Final
from uuid import uuid4

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SYSTEMS: Final = frozenset({"e2e", "chaos", "browser", "containers"})
ON_THEIR_OWN: Final = frozenset(
    {"test_disk_faults.py", "test_ledger_faults.py", "test_queue_faults.py"}
)  # single services


class Groups(LoadScopeScheduling):
    """Which tests stay together. By their place and not by the mark `xdist_group`, which xdist 3.8 sets in vain with
    pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        place = PurePath(nodeid.partition("::")[0])
        is_system = SYSTEMS & set(place.parts) and place.name not in ON_THEIR_OWN
        return "systems" if is_system else str(place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Instead of xdist's own."""
    return Groups(config, log)


@pytest.fixture
def cast() -> Callable[..., list[str]]:
    """User ids nobody used, by their first names."""
    mark = uuid4().hex[:8]
    return lambda *names: [f"{name}-{mark}" for name in names]


@pytest.fixture
def thread() -> str:
    """A thread id nobody used."""
    return f"t-{uuid4().hex[:12]}"
