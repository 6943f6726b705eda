"""What is unread, positions and previews, case by case, on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.limits import PREVIEW_CHARS
from chatterbus_contracts.queries import AskPositions, AskUnread
from chatterbus_contracts.states import Role
from chatterbus_persister.reads import unread as unread_reads
from tests.kit.ledger_commands import (
    add,
    create,
    delete,
    edit,
    file_id,
    mark,
    move,
    own,
    register,
    remove,
    send,
)
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_unread import all_positions, answer
from tests.kit.ledger_worker import Ledger

NATS_PAYLOAD_MAX_BYTES = 1 << 20


@pytest.fixture
def ledger(postgres_store: PostgresStore) -> Ledger:
    return Ledger(postgres_store)


async def unread_of(ledger: Ledger, user: str = "bob") -> dict[str, Any]:
    return await answer(ledger, "unread", AskUnread(user_id=user))  # type: ignore[arg-type]


async def mentions_of(ledger: Ledger, user: str = "bob") -> list[int]:
    """By positions, and as many by `unread`."""
    (item,) = await all_positions(ledger, [user], 5, "t")
    counts = {item["threadId"]: item["mentions"] for item in (await unread_of(ledger, user))["items"]}
    assert counts.get("t", 0) == len(item["mentionSeqs"])
    return list(item["mentionSeqs"])


async def test_mentions_are_those_of_unread_messages_that_are_not_deleted(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", "cid"))
    named = (["bob"], ["cid"], [], ["cid", "bob", "bob"], ["bob"])
    await ledger.apply(*(send("t", "ann", f"c{n}", mentions=users) for n, users in enumerate(named)))
    assert await mentions_of(ledger) == [5, 4, 1]
    assert await mentions_of(ledger, "cid") == [4, 2]
    await ledger.apply(edit("t", "ann", 4, "edited"), delete("t", "ann", 5))
    assert await mentions_of(ledger) == [4, 1]
    await ledger.apply(move("t", "bob", read=3))
    assert await mentions_of(ledger) == [4]
    await ledger.apply(mark("t", "bob", 1))
    assert await mentions_of(ledger) == [4, 1]
    await ledger.apply(send("t", "bob", "own", mentions=["bob"]))
    assert await mentions_of(ledger) == []


async def test_who_mentions_nobody_stores_no_mentions_and_nor_does_a_deleted_message(
    ledger: Ledger, postgres_store: PostgresStore
) -> None:
    await ledger.apply(create("t", "ann"), register("t", "ann", 1))
    await ledger.apply(send("t", "ann", "c1"), send("t", "ann", "c2", mentions=["bob"]))
    await ledger.apply(send("t", "ann", "c3", attachment_ids=[file_id("t", 1)]), delete("t", "ann", 2))
    async with postgres_store.reading() as connection:
        cursor = await connection.execute("SELECT count(*), count(mentions) FROM messages")
        assert await cursor.fetchone() == (3, 0)


async def test_more_mentions_than_the_limit_are_counted_as_the_limit(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = {
        name: getattr(unread_reads, name).replace("LIMIT 1000\n", "LIMIT 2\n") for name in ("UNREAD", "POSITIONS")
    }
    await ledger.apply(create("t", "ann", "bob"))
    await ledger.apply(*(send("t", "ann", f"c{n}", mentions=["bob"]) for n in range(4)))
    for name, statement in limited.items():
        assert statement != getattr(unread_reads, name)
        monkeypatch.setattr(unread_reads, name, statement)
    (item,) = await all_positions(ledger, ["bob"], 5)
    assert item["mentionSeqs"] == [4, 3]
    assert (await unread_of(ledger))["items"][0]["mentions"] == 2


async def test_the_last_message_is_shown_in_short_and_nothing_of_a_deleted_one(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), register("t", "ann", 1), register("t", "ann", 2))
    await ledger.apply(send("t", "ann", "c1", "👩" * 500, attachment_ids=[file_id("t", 1), file_id("t", 2)]))
    shown = (await unread_of(ledger))["items"][0]["lastMessage"]
    assert (shown["content"], shown["attachments"], shown["deleted"]) == ("👩" * PREVIEW_CHARS, 2, False)
    await ledger.apply(delete("t", "ann", 1))
    shown = (await unread_of(ledger))["items"][0]["lastMessage"]
    assert (shown["content"], shown["attachments"], shown["deleted"]) == ("", 0, True)
    await ledger.apply(move("t", "bob", read=1))
    assert (await unread_of(ledger))["items"] == []
    (item,) = await all_positions(ledger, ["bob"], 5)
    assert item["lastMessage"] is None


async def test_the_newest_activity_comes_first_and_the_total_counts_what_is_left_out(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        await ledger.apply(create(name, "ann", "bob"), send(name, "ann", "c1"))
    await ledger.apply(own("c", "bob", muted=True), send("a", "ann", "c2"))
    found = await unread_of(ledger)
    assert [item["threadId"] for item in found["items"]] == ["a", "d", "c", "b"]
    assert found["totalUnread"] == 4
    monkeypatch.setattr(unread_reads, "UNREAD_ITEMS_MAX", 2)
    found = await unread_of(ledger)
    assert ([item["threadId"] for item in found["items"]], found["totalUnread"]) == (["a", "d"], 4)


async def test_the_heaviest_answers_fit_a_nats_message_and_pages_go_on(
    ledger: Ledger, postgres_store: PostgresStore
) -> None:
    await ledger.apply(create("t", "ann"))
    async with postgres_store.writing() as connection:
        await connection.execute(HEAVY)
    found = await unread_of(ledger)
    assert len(encode_json(found)) < NATS_PAYLOAD_MAX_BYTES
    assert 200 < len(found["items"]) < HEAVY_THREADS
    assert found["totalUnread"] == HEAVY_THREADS * 3
    ask = AskPositions(user_ids=["bob"])  # type: ignore[list-item]
    page = await answer(ledger, "positions", ask)
    assert len(encode_json(page)) < NATS_PAYLOAD_MAX_BYTES
    assert page["nextCursor"] is not None
    items = await all_positions(ledger, ["bob"], 2_000)
    assert len({item["threadId"] for item in items}) == len(items) == HEAVY_THREADS


HEAVY_THREADS = 1_200
ID = "lpad(n::text, 128, 'x')"
HEAVY = f"""
INSERT INTO threads (thread_id, created_by, created_at, last_seq, last_rev)
SELECT {ID}, 'ann', now(), 3, 9 FROM generate_series(1, {HEAVY_THREADS}) n;
INSERT INTO members (thread_id, user_id, user_type, role, joined_at)
SELECT {ID}, 'bob', 'user', 'member', now() FROM generate_series(1, {HEAVY_THREADS}) n;
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, mentions,
                      created_at, created_rev)
SELECT {ID}, seq, 1 + seq, repeat('s', 128), repeat('u', 128), 'c' || seq, 'text', repeat(E'\\x01', 16000),
       ARRAY['bob'], now(), 1 + seq
FROM generate_series(1, {HEAVY_THREADS}) n, generate_series(1, 3) seq;
"""


async def test_positions_are_of_the_users_asked_about_in_all_threads_or_in_one(ledger: Ledger) -> None:
    for name in ("t", "u", "v"):
        await ledger.apply(create(name, "ann", "bob", "cid"), send(name, "ann", "c1"))
    await ledger.apply(remove("u", "ann", "bob"), add("v", "ann", "rea", Role.READER))
    everywhere = await all_positions(ledger, ["rea", "bob", "eve", "bob"], 2)
    places = [(item["userId"], item["threadId"]) for item in everywhere]
    assert places == [("bob", "t"), ("bob", "v"), ("rea", "v")]
    for limit in (1, 2, 3):
        here = await all_positions(ledger, ["cid", "ann", "bob", "rea"], limit, "u")
        assert [(item["userId"], item["threadId"]) for item in here] == [("ann", "u"), ("cid", "u")]
    assert await all_positions(ledger, ["bob"], 1, "nowhere") == []


@pytest.mark.parametrize("cursor", ["", "é", "W10=", "eyJhIjoxfQ==", "WyJib2IiLCIqIl0="])
async def test_a_cursor_that_is_not_ours_is_refused(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(Refusal) as refused:
        await answer(ledger, "positions", AskPositions(user_ids=["bob"], cursor=cursor))  # type: ignore[list-item]
    assert refused.value.code == "BAD_REQUEST"
