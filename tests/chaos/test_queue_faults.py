"""The queue repeats, refuses, forgets, or is another one: nothing acked is lost, nothing is stored twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.keeping import RigScenario, held_on_a_rig, keep
from tests.chaos.scenarios import full_queue, queue, restore
from tests.chaos.sizes import Size

ALL = [
    queue.delivered_again,
    queue.retried_late,
    full_queue.queue_full,
    queue.acks_lost,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.__name__)
async def test_every_message_is_stored_once_under_one_seq_when(
    scenario: RigScenario, tmp_path: Path, size: Size
) -> None:
    await held_on_a_rig(scenario, tmp_path, size)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if case.quick else pytest.mark.full_size) for name, case in restore.CASES.items()],
)
async def test_what_was_acked_stays_and_what_comes_is_stored_with(name: str, tmp_path: Path, size: Size) -> None:
    keep(await restore.restored(tmp_path, size, name), size)
