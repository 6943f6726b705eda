"""P1 on PostgreSQL: the machine of tests/properties, with fewer and shorter runs."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.kit.ledger_machine import LedgerMachine
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.postgres_server import Database


def test_the_ledger_agrees_with_its_model_on_postgresql(ledger_database: Database) -> None:
    with asyncio.Runner() as runner:
        store = PostgresStore(ledger_database.dsn)
        run_state_machine_as_test(
            lambda: LedgerMachine(store, runner),
            settings=settings(
                max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        runner.run(store.close())
