"""Counts by SQL, counts from positions and what is told of own states agree: the property of unread on PostgreSQL."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_since_rev import POLICIES, WORKLOADS, Batches
from tests.kit.ledger_unread import Counting
from tests.kit.ledger_worker import Ledger
from tests.kit.postgres_server import Database

TIMEOUT_S = 20.0


def test_unread_is_the_same_counted_by_sql_or_from_positions_or_from_the_tables(ledger_database: Database) -> None:
    with asyncio.Runner() as runner:
        store = PostgresStore(ledger_database.dsn)

        async def run(batches: Batches, policy: LedgerPolicy, chance: Random) -> None:
            async with asyncio.timeout(TIMEOUT_S):
                await store.empty()
                ledger = Ledger(store)
                try:
                    await Counting(ledger, policy, chance, sql=True).run(batches)
                finally:
                    await ledger.restart()

        @settings(
            max_examples=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),
            print_blob=True,
        )
        @given(WORKLOADS, POLICIES, st.randoms(use_true_random=False))
        def agree(batches: Batches, policy: LedgerPolicy, chance: Random) -> None:
            runner.run(run(batches, policy, chance))

        agree()
        runner.run(store.close())
