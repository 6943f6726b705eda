"""Whatever happens between persister and PostgreSQL, at whatever moment: no false ack, nothing twice, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.keeping import RigScenario, held_on_a_rig
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
    scenario: RigScenario, tmp_path: Path, size: Size
) -> None:
    await held_on_a_rig(scenario, tmp_path, size)
