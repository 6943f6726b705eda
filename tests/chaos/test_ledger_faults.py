"""Whatever happens between persister and PostgreSQL, at whatever moment: no false ack, nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos import figures
from tests.chaos.figures import Figures
from tests.chaos.scenarios import ledger
from tests.chaos.sizes import Size

ALL = [
    ledger.killed_at_exact_points,
    ledger.zombies,
    ledger.thieves,
    ledger.cut_at_commit,
    ledger.poisoned,
    ledger.interrupted,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.__name__)
async def test_no_ack_is_false_and_nothing_is_stored_twice_when(
    scenario: Callable[[Path, Size], Awaitable[Figures]], tmp_path: Path, size: Size
) -> None:
    result = await scenario(tmp_path, size)
    if size.is_full:
        figures.append(result)
