"""state(r) + changes(since r) == state(now), on dictionaries; tests/integration/persister has it on PostgreSQL."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_fake import FakeStore
from tests.kit.ledger_since_rev import POLICIES, WORKLOADS, Batches, CatchingUp
from tests.kit.ledger_worker import Ledger


@settings(max_examples=60, deadline=None)
@given(WORKLOADS, POLICIES, st.randoms(use_true_random=False))
def test_changes_lead_from_any_state_to_the_state_now(batches: Batches, policy: LedgerPolicy, chance: Random) -> None:
    asyncio.run(CatchingUp(Ledger(FakeStore()), policy, chance).run(batches))
