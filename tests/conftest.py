"""What every suite has, and how the whole is spread over processes (`make test`: `pytest -n 2 --dist loadgroup`).

Promises: tests that start whole systems run one after another in one process, as they would without; all others go file
by file to whoever is free, so a file's tests stay together and in order.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

HERE: Final = Path(__file__).parent
SYSTEMS: Final = frozenset({"e2e", "chaos", "browser", "containers"})
ON_THEIR_OWN: Final = frozenset(
    {"test_disk_faults.py", "test_ledger_faults.py", "test_queue_faults.py"}
)  # single services


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group."""
    for item in items:
        place = item.path.relative_to(HERE)
        is_system = place.parts[0] in SYSTEMS and place.name not in ON_THEIR_OWN
        group = "systems" if is_system else place.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def cast() -> Callable[..., list[str]]:
    """User ids nobody used, by their first names."""
    mark = uuid4().hex[:8]
    return lambda *names: [f"{name}-{mark}" for name in names]


@pytest.fixture
def thread() -> str:
    """A thread id nobody used."""
    return f"t-{uuid4().hex[:12]}"
