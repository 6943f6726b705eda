"""Receipts with their times, and threads too large to tell each of them. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.queries import AskChanges, AskMessageReceipts, AskReceipts, AskSync
from chatterbus_persister.frames import time_text
from chatterbus_persister.ledger.policy import LedgerPolicy
from chatterbus_persister.reads.changes import changes, sync
from chatterbus_persister.reads.messages import message_receipts
from chatterbus_persister.reads.threads import receipts
from tests.kit.ledger_commands import add, create, move, own, remove, send
from tests.kit.ledger_worker import Ledger


async def times(ledger: Ledger, seq: int) -> dict[str, tuple[str | None, str | None]]:
    """(delivered, read) by member, as ann is told."""
    ask = AskMessageReceipts(message_id=f"t~{seq}", user_id="ann")  # type: ignore[arg-type]
    answer = await ledger.ask(message_receipts, ask)
    assert answer["messageId"] == f"t~{seq}"
    return {item["userId"]: (item["deliveredAt"], item["readAt"]) for item in answer["items"]}


async def at_of(ledger: Ledger, *commands: Any) -> str:
    """Apply them as one batch; its time."""
    await ledger.apply(*commands)
    steps = (await ledger.store.read_tables()).steps.values()
    return time_text(max(step.at for step in steps))


@pytest.fixture
async def three(ledger: Ledger) -> Ledger:
    await ledger.apply(create("t", "ann", "bob", "cid"), *(send("t", "ann", f"c{n}") for n in range(3)))
    return ledger


async def test_a_message_nobody_has_is_said_to_be_with_nobody(three: Ledger) -> None:
    assert await times(three, 1) == {"bob": (None, None), "cid": (None, None)}


async def test_the_first_moment_counts(three: Ledger) -> None:
    early = await at_of(three, move("t", "bob", delivered=2))
    later = await at_of(three, move("t", "bob", delivered=3))
    reading = await at_of(three, move("t", "bob", read=2))
    await at_of(three, move("t", "cid", read=1))
    await three.apply(move("t", "bob", read=3), move("t", "bob", delivered=1, read=1))
    assert (await times(three, 1))["bob"] == (early, reading)
    assert (await times(three, 2))["bob"] == (early, reading)
    assert (await times(three, 3))["bob"][0] == later
    assert ((await times(three, 3))["bob"][1] or "") > reading


async def test_reading_implies_delivered(three: Ledger) -> None:
    reading = await at_of(three, move("t", "bob", read=2))
    assert [(await times(three, seq))["bob"] for seq in (1, 2, 3)] == [(reading, reading)] * 2 + [(None, None)]


async def test_answering_is_reading_what_came_before(three: Ledger) -> None:
    answering = await at_of(three, send("t", "bob", "a1"))
    assert (await times(three, 3))["bob"] == (answering, answering)
    await three.apply(send("t", "bob", "a2"), send("t", "bob", "a3"))
    steps = [step for step in (await three.store.read_tables()).steps.values() if step.user_id == "bob"]
    assert len(steps) == 1  # one's own messages need no receipt
    assert "bob" not in await times(three, 4)


async def test_cursors_that_move_twice_in_a_batch_leave_one_step(three: Ledger) -> None:
    at = await at_of(three, *(move("t", "bob", read=seq, delivered=seq) for seq in (1, 2, 3)))
    assert [(await times(three, seq))["bob"] for seq in (1, 2, 3)] == [(at, at)] * 3


async def test_the_receipts_of_a_message_are_those_of_its_members_now(three: Ledger) -> None:
    await three.apply(move("t", "bob", read=3), remove("t", "ann", "bob"), add("t", "ann", "dan"))
    assert await times(three, 3) == {"cid": (None, None), "dan": (None, None)}
    await three.apply(add("t", "ann", "bob"))
    assert (await times(three, 3))["bob"][1] is not None


async def test_a_private_reader_is_shown_to_have_a_message_and_not_to_have_read_it(three: Ledger) -> None:
    await three.apply(own("t", "bob", show_receipts=False))
    having = await at_of(three, move("t", "bob", delivered=2))
    await three.apply(move("t", "bob", read=3))
    assert (await times(three, 2))["bob"] == (having, None)
    assert (await times(three, 3))["bob"] == (None, None)


async def test_the_cursors_of_a_thread_are_the_shown_ones(three: Ledger) -> None:
    await three.apply(own("t", "bob", show_receipts=False), move("t", "bob", read=3), move("t", "cid", read=2))
    answer = await three.ask(receipts, AskReceipts(thread_id="t", user_id="ann"))  # type: ignore[arg-type]
    assert [(item["userId"], item["deliveredSeq"], item["readSeq"]) for item in answer["items"]] == [
        ("ann", 3, 3),
        ("bob", 0, 0),
        ("cid", 2, 2),
    ]


@pytest.fixture
async def large(ledger: Ledger) -> Ledger:
    """A thread of three, where two are told of each other's receipts."""
    ledger.policy = LedgerPolicy(receipts_broadcast_max_members=2)
    await ledger.apply(create("t", "ann", "bob", "cid"), *(send("t", "ann", f"c{n}") for n in range(3)))
    return ledger


async def test_in_a_large_thread_receipts_are_kept_and_not_told(large: Ledger) -> None:
    before = (await large.store.read_tables()).threads
    said = await large.apply(move("t", "bob", delivered=2), move("t", "bob", read=2), move("t", "cid", read=3))
    assert said.events == []
    assert (await large.store.read_tables()).threads == before
    answer = await large.ask(sync, AskSync(thread_id="t", user_id="ann"))  # type: ignore[arg-type]
    assert [(each["userId"], each["deliveredSeq"], each["readSeq"]) for each in answer["members"]] == [
        ("ann", 3, 3),
        ("bob", 2, 2),
        ("cid", 3, 3),
    ]
    assert (await times(large, 2))["bob"][1] is not None
    page = await large.ask(changes, AskChanges(thread_id="t", user_id="ann", since_rev=0))  # type: ignore[arg-type]
    assert page["complete"]
    assert {item["userId"] for item in page["items"] if "userId" in item} <= {"ann"}


async def test_a_sender_is_told_with_the_message_in_a_large_thread_too(large: Ledger) -> None:
    said = await large.apply(send("t", "bob", "c9"))
    assert [frame["type"] for frame in said.frames] == ["message"]
    bob = (await large.store.read_tables()).members[(ThreadId("t"), UserId("bob"))]
    assert (bob.shown_read_seq, bob.read_rev) == (4, said.frames[0]["rev"])


async def test_a_thread_that_became_small_tells_again(large: Ledger) -> None:
    await large.apply(move("t", "bob", read=1), remove("t", "cid", "cid"))
    said = await large.apply(move("t", "bob", read=2))
    assert [(frame["type"], frame["seq"]) for frame in said.frames] == [("read_receipt", 2)]
    said = await large.apply(add("t", "ann", "dan"), move("t", "bob", read=3))
    assert [frame["type"] for frame in said.frames] == ["member_added"]


async def test_receipts_are_told_up_to_a_hundred_members_by_default(ledger: Ledger) -> None:
    for name, count, told in (("t", 99, ["read_receipt"]), ("u", 100, [])):
        members = [NewMember(user_id=f"m{number}") for number in range(count)]
        await ledger.apply(create(name, "ann", members=members), send(name, "ann", "c1"))
        said = await ledger.apply(move(name, "m1", read=1))
        assert [frame["type"] for frame in said.frames] == told
