"""Threads of thousands: what names members names the first of them, fits a NATS message, and says where others are."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import MEMBERS_PAGE_MAX
from chatterbus_contracts.queries import (
    AskChanges,
    AskMessageReceipts,
    AskReceipts,
    AskSync,
    AskThread,
    AskThreads,
)
from chatterbus_persister.reads.changes import changes, sync
from chatterbus_persister.reads.messages import message_receipts
from chatterbus_persister.reads.threads import receipts, thread, threads
from tests.kit.ledger_commands import add, remove, send
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger

MEMBERS = 5_000
NATS_PAYLOAD_MAX_BYTES = 1 << 20
T, ZOE = ThreadId("t"), UserId("zoe")
LAY_DOWN = """
INSERT INTO threads (thread_id, open, created_by, created_at, last_seq, last_rev, rev, member_count)
VALUES ('t', false, 'zoe', now(), 0, %(count)s + 2, 1, %(count)s + 1);
"""
OWN = """
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, membership_rev, rev)
VALUES ('t', 'zoe', 'user', 'owner', now(), 2, 2)
"""
FILL = """
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, membership_rev, rev)
SELECT 't', %(prefix)s || n, 'user', 'member', now(), n + 2, n + 2 FROM generate_series(1, %(count)s) n
"""


async def filled(store: PostgresStore, count: int, prefix: str = "m") -> Ledger:
    """zoe's thread with `count` others, who come before her."""
    async with store.writing() as connection:
        for statement in (LAY_DOWN, OWN, FILL):
            await connection.execute(statement, {"prefix": prefix, "count": count})
    return Ledger(store)


@pytest.fixture
async def large(postgres_store: PostgresStore) -> Ledger:
    return await filled(postgres_store, MEMBERS)


async def pages(ledger: Ledger) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = await ledger.ask(receipts, AskReceipts(thread_id=T, user_id=ZOE, after=cursor))
        assert len(page["items"]) <= MEMBERS_PAGE_MAX
        found += [member["userId"] for member in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            return found


def named(answer: dict[str, Any]) -> list[str]:
    return [member["userId"] for member in answer["members"]]


async def test_an_answer_names_the_first_members_and_its_asker_and_where_the_others_are(large: Ledger) -> None:
    first = sorted([f"m{n}" for n in range(1, MEMBERS + 1)])[:MEMBERS_PAGE_MAX]
    summary = (await large.ask(threads, AskThreads(user_id=ZOE)))["items"][0]
    for answer in (
        await large.ask(thread, AskThread(thread_id=T, user_id=ZOE)),
        await large.ask(sync, AskSync(thread_id=T, user_id=ZOE, since_rev=0)),
        summary,
    ):
        assert named(answer) == [*first, "zoe"]
        assert (answer["memberCount"], answer["membersCursor"]) == (MEMBERS + 1, first[-1])
        assert len(encode_json(answer)) < NATS_PAYLOAD_MAX_BYTES


async def test_pages_lead_through_all_members_once(large: Ledger) -> None:
    assert await pages(large) == sorted([*(f"m{n}" for n in range(1, MEMBERS + 1)), "zoe"])


async def test_ids_of_the_greatest_length_still_fit(postgres_store: PostgresStore) -> None:
    ledger = await filled(postgres_store, 1_200, "x" * 123)
    answer = await ledger.ask(sync, AskSync(thread_id=T, user_id=ZOE, since_rev=0))
    assert len(encode_json(answer)) < NATS_PAYLOAD_MAX_BYTES
    assert len(await pages(ledger)) == 1_201


async def test_members_come_and_go_in_a_large_thread(large: Ledger) -> None:
    rev = (await large.ask(sync, AskSync(thread_id=T, user_id=ZOE)))["rev"]
    await large.apply(add("t", "zoe", "new"), remove("t", "zoe", "m7"), send("t", "m9", "c1"))
    page = await large.ask(changes, AskChanges(thread_id=T, user_id=ZOE, since_rev=rev))
    assert [frame["type"] for frame in page["items"]][:2] == ["member_added", "member_removed"]
    everybody = await pages(large)
    assert ("new" in everybody, "m7" in everybody, len(everybody)) == (True, False, MEMBERS + 1)


async def test_the_receipts_of_a_message_are_paged_too(large: Ledger) -> None:
    await large.apply(send("t", "zoe", "c1"))
    found: list[str] = []
    cursor = None
    while True:
        ask = AskMessageReceipts(message_id="t~1", user_id=ZOE, after=cursor)  # type: ignore[arg-type]
        page = await large.ask(message_receipts, ask)
        found += [item["userId"] for item in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            break
    assert found == sorted(f"m{n}" for n in range(1, MEMBERS + 1))


async def test_changes_lead_through_a_large_thread_page_by_page(large: Ledger) -> None:
    since, seen = 0, 0
    while True:
        page = await large.ask(changes, AskChanges(thread_id=T, user_id=ZOE, since_rev=since))
        assert len(encode_json(page)) < NATS_PAYLOAD_MAX_BYTES
        seen += len([frame for frame in page["items"] if frame["type"] == "member_added"])
        since = page["throughRev"]
        if page["complete"]:
            break
    assert seen == MEMBERS + 1


async def test_a_small_thread_is_told_as_ever(postgres_store: PostgresStore) -> None:
    ledger = await filled(postgres_store, 3)
    for answer in (
        await ledger.ask(thread, AskThread(thread_id=T, user_id=ZOE)),
        await ledger.ask(sync, AskSync(thread_id=T, user_id=ZOE)),
    ):
        assert named(answer) == ["m1", "m2", "m3", "zoe"]
        assert not {"memberCount", "membersCursor"} & set(answer)
