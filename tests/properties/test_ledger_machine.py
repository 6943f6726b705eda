"""P1 on dictionaries; tests/integration/persister runs the same machine on PostgreSQL."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.kit.ledger_fake import FakeStore
from tests.kit.ledger_machine import LedgerMachine


def test_the_ledger_agrees_with_its_model_whatever_happens() -> None:
    with asyncio.Runner() as runner:
        run_state_machine_as_test(
            lambda: LedgerMachine(FakeStore(), runner),
            settings=settings(
                max_examples=120, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
