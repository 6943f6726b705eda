"""Own states reach whoever follows, on dictionaries; tests/integration/persister counts them on PostgreSQL."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_fake import FakeStore
from tests.kit.ledger_since_rev import POLICIES, WORKLOADS, Batches
from tests.kit.ledger_unread import Counting
from tests.kit.ledger_worker import Ledger


@settings(max_examples=25, deadline=None)
@given(batches=WORKLOADS, policy=POLICIES, chance=st.randoms(use_true_random=False))
def test_who_follows_events_and_own_states_knows_what_each_member_has_read_marked_and_muted(
    batches: Batches, policy: LedgerPolicy, chance: Random
) -> None:
    asyncio.run(Counting(Ledger(FakeStore()), policy, chance, sql=False).run(batches))
