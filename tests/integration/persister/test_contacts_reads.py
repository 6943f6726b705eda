"""Who shares a thread with whom, on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.queries import AskContacts, AskSharing
from chatterbus_persister.reads import contacts
from tests.kit.ledger_commands import add, create, remove
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_unread import answer
from tests.kit.ledger_worker import Ledger

USERS = ["ann", "bob", "cid", "dan", "eve"]


@pytest.fixture(params=["few", "many"])
async def ledger(
    request: pytest.FixtureRequest, postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    """Bob shares t with ann and u with ann and cid; dan and eve have v to themselves. By either way of `sharing`."""
    if request.param == "many":
        monkeypatch.setattr(contacts, "FEW_THREADS", 0)
    ledger = Ledger(postgres_store)
    await ledger.apply(create("t", "ann", "bob"), create("u", "ann", "bob", readers=["cid"]), create("v", "dan", "eve"))
    return ledger


async def shared(ledger: Ledger, user: str) -> list[str]:
    """By `sharing`, and the same by pages of `contacts`."""
    ask: Any = AskSharing(user_id=user, others=[*reversed(USERS), "ann", "nobody"])  # type: ignore[arg-type,list-item]
    found = sorted((await answer(ledger, "sharing", ask))["userIds"])
    listed: list[str] = []
    after: Any = None
    for _ in USERS:
        page = await answer(ledger, "contacts", AskContacts(user_id=user, after=after, limit=1))  # type: ignore[arg-type]
        listed += page["userIds"]
        after = page["nextCursor"]
        if after is None:
            break
    assert listed == found
    return found


async def test_contacts_are_the_other_members_of_ones_threads_each_once(ledger: Ledger) -> None:
    assert await shared(ledger, "bob") == ["ann", "cid"]
    assert await shared(ledger, "eve") == ["dan"]
    assert await shared(ledger, "nobody") == []


async def test_former_members_share_nothing_until_they_are_back(ledger: Ledger) -> None:
    await ledger.apply(remove("u", "ann", "cid"), remove("t", "ann", "bob"))
    assert await shared(ledger, "bob") == ["ann"]
    assert await shared(ledger, "cid") == []
    await ledger.apply(remove("u", "bob", "bob"))
    assert (await shared(ledger, "bob"), await shared(ledger, "ann")) == ([], [])
    await ledger.apply(add("u", "ann", "cid"), add("u", "ann", "bob"))
    assert await shared(ledger, "cid") == ["ann", "bob"]


async def test_nobody_is_asked_about(ledger: Ledger) -> None:
    assert await answer(ledger, "sharing", AskSharing(user_id="bob", others=[])) == {"userIds": []}  # type: ignore[arg-type]
