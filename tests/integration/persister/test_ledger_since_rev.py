"""state(r) + changes(since r) == state(now), for any r and any workload of every command, on PostgreSQL."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_since_rev import POLICIES, WORKLOADS, Batches, CatchingUp
from tests.kit.ledger_worker import Ledger
from tests.kit.postgres_server import Database

TIMEOUT_S = 20.0


def test_changes_lead_from_any_state_to_the_state_now(ledger_database: Database) -> None:
    with asyncio.Runner() as runner:
        store = PostgresStore(ledger_database.dsn)

        async def run(batches: Batches, policy: LedgerPolicy, chance: Random) -> None:
            async with asyncio.timeout(TIMEOUT_S):
                await store.empty()
                ledger = Ledger(store)
                try:
                    await CatchingUp(ledger, policy, chance).run(batches)
                finally:
                    await ledger.restart()

        @settings(
            max_examples=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # the same on dictionaries shrinks an example in seconds
            print_blob=True,
        )
        @given(WORKLOADS, POLICIES, st.randoms(use_true_random=False))
        def holds(batches: Batches, policy: LedgerPolicy, chance: Random) -> None:
            runner.run(run(batches, policy, chance))

        holds()
        runner.run(store.close())
