"""Own states that no event tells are announced, each once and as the batch left it. On dictionaries and PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.own_states import OwnStateChanged
from chatterbus_contracts.subjects import partition_of
from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_commands import add, create, mark, move, own, remove, send
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.ledger_worker import Ledger, Said


def state(user: str, read: int, marked: int | None = None, *, muted: bool = False, thread: str = "t") -> Any:
    return OwnStateChanged(
        thread_id=thread,  # type: ignore[arg-type]
        user_id=user,  # type: ignore[arg-type]
        read_seq=read,
        marked_unread_seq=marked,
        muted=muted,
    )


def types(said: Said) -> list[str]:
    return [event.type for event in said.events]


@pytest.fixture
async def three(ledger: Ledger) -> Ledger:
    """Three messages by ann in a thread of four."""
    await ledger.apply(create("t", "ann", "bob", "cid", readers=["rea"]))
    await ledger.apply(*(send("t", "ann", f"c{n}") for n in range(3)))
    return ledger


async def test_what_events_tell_is_not_told_twice(three: Ledger) -> None:
    said = await three.apply(
        send("t", "bob", "c9"), move("t", "cid", read=4), move("t", "rea", delivered=2), add("t", "ann", "dan")
    )
    assert types(said) == ["message", "read_receipt", "delivered_receipt", "member_added"]
    assert said.own_states == []


async def test_reading_in_private_is_told_to_oneself(three: Ledger) -> None:
    said = await three.apply(own("t", "bob", show_receipts=False), move("t", "bob", read=2))
    assert (types(said), said.own_states) == ([], [state("bob", 2)])
    assert (await three.apply(move("t", "bob", read=2))).own_states == []
    assert (await three.apply(move("t", "bob", delivered=3))).own_states == []


async def test_reading_in_a_thread_too_large_for_receipts_is_told_to_oneself(ledger: Ledger) -> None:
    ledger.policy = LedgerPolicy(receipts_broadcast_max_members=2)
    await ledger.apply(create("t", "ann", "bob", "cid"), send("t", "ann", "c1"), send("t", "ann", "c2"))
    said = await ledger.apply(move("t", "bob", read=1), move("t", "cid", delivered=1))
    assert (types(said), said.own_states) == ([], [state("bob", 1)])
    said = await ledger.apply(send("t", "bob", "c3"))
    assert (types(said), said.own_states) == (["message"], [])


async def test_a_mark_is_told_and_so_is_its_end_by_reading_or_answering(three: Ledger) -> None:
    await three.apply(move("t", "bob", read=3))
    assert (await three.apply(mark("t", "bob", 2))).own_states == [state("bob", 3, 2)]
    assert (await three.apply(mark("t", "bob", 2))).own_states == []
    assert (await three.apply(move("t", "bob", delivered=3))).own_states == []
    said = await three.apply(move("t", "bob", read=3))
    assert (types(said), said.own_states) == ([], [state("bob", 3)])
    await three.apply(mark("t", "bob", 1))
    said = await three.apply(send("t", "bob", "c9"))
    assert (types(said), said.own_states) == (["message"], [state("bob", 4)])


async def test_muting_is_told_and_what_counts_for_nothing_is_not(three: Ledger) -> None:
    assert (await three.apply(own("t", "bob", muted=True))).own_states == [state("bob", 0, muted=True)]
    assert (await three.apply(own("t", "bob", muted=True, archived=True, show_receipts=False))).own_states == []
    assert (await three.apply(own("t", "bob", archived=False))).own_states == []
    assert (await three.apply(own("t", "bob", muted=False))).own_states == [state("bob", 0)]


async def test_a_batch_tells_each_member_once_as_it_left_him(three: Ledger) -> None:
    await three.apply(create("u", "bob", "ann"), send("u", "bob", "c1"))
    said = await three.apply(
        mark("t", "bob", 1),
        own("t", "bob", muted=True),
        mark("t", "ann", 2),
        mark("u", "ann", 1),
        mark("t", "bob", 3),
        move("t", "ann", read=3),
    )
    told = {(line.thread_id, line.user_id): line for line in said.own_states}
    assert len(told) == len(said.own_states)
    assert list(told.values()) == sorted(
        [state("bob", 0, 3, muted=True), state("ann", 3), state("ann", 0, 1, thread="u")],
        key=lambda line: (partition_of(line.thread_id, PARTITIONS), line.user_id != "bob"),
    )


async def test_who_is_refused_or_gone_is_not_told_of(three: Ledger) -> None:
    said = await three.apply(
        mark("t", "bob", 9), mark("t", "eve", 1), mark("t", "cid", 1), remove("t", "ann", "cid"), mark("t", "cid", 2)
    )
    assert said.own_states == []


async def test_own_states_that_were_committed_and_not_announced_are_told_after_the_crash(three: Ledger) -> None:
    await three.apply(own("t", "rea", show_receipts=False), mark("t", "cid", 1), move("t", "bob", read=1))
    three.publish(
        own("t", "ann", muted=True),
        mark("t", "bob", 2),
        send("t", "cid", "c9"),
        move("t", "rea", read=3),
        own("t", "bob", archived=True),
    )
    lost = await three.crash()
    assert lost.own_states == [state("ann", 3, muted=True), state("bob", 1, 2), state("cid", 4), state("rea", 3)]
    again = await three.work()
    assert again.own_states == lost.own_states


async def test_what_a_later_command_undid_in_part_is_told_whole_after_a_crash(three: Ledger) -> None:
    three.publish(own("t", "bob", muted=True, archived=True), own("t", "bob", archived=False), mark("t", "bob", 1))
    three.publish(mark("t", "bob", 2), send("t", "ann", "c9"), remove("t", "ann", "ann"), mark("t", "rea", 1))
    await three.crash()
    fresh = move("t", "rea", read=1)
    said = await three.apply(fresh)
    assert {line.user_id: line for line in said.own_states} == {
        "bob": state("bob", 0, 2, muted=True),
        "rea": state("rea", 1),
        "ann": state("ann", 4),
    }


async def test_delivery_and_what_was_refused_leave_nothing_to_tell_after_a_crash(three: Ledger) -> None:
    three.publish(move("t", "bob", delivered=3), own("t", "bob", archived=True), mark("t", "eve", 1))
    await three.crash()
    assert (await three.work()).own_states == []
