"""What a thread is to one member alone: archived, muted, marked, read in private. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import Command
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.queries import AskMessageReceipts, AskThread, AskThreads, AskUnread
from chatterbus_persister.ledger.rows import MemberRow
from chatterbus_persister.reads.messages import message_receipts
from chatterbus_persister.reads.threads import thread, threads
from chatterbus_persister.reads.unread import unread
from tests.kit.ledger_commands import create, mark, move, own, remove, send
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger, Said, codes


async def bobs(ledger: Ledger) -> MemberRow:
    return (await ledger.store.read_tables()).members[(ThreadId("t"), UserId("bob"))]


async def state(ledger: Ledger) -> dict[str, Any]:
    answer = await ledger.ask(thread, AskThread(thread_id="t", user_id="bob"))  # type: ignore[arg-type]
    return dict(answer["own"])


async def seen_by_ann(ledger: Ledger) -> dict[str, Any]:
    """Bob, as ann sees him."""
    answer = await ledger.ask(thread, AskThread(thread_id="t", user_id="ann"))  # type: ignore[arg-type]
    return next(dict(member) for member in answer["members"] if member["userId"] == "bob")


@pytest.fixture
async def three(ledger: Ledger) -> Ledger:
    """Three messages by ann; bob has them and has read none."""
    await ledger.apply(create("t", "ann", "bob"), *(send("t", "ann", f"c{n}") for n in range(3)))
    await ledger.apply(move("t", "bob", delivered=3))
    return ledger


async def quietly(ledger: Ledger, *commands: Command) -> Said:
    """Applied, acked, and nobody is told: no event, no rev."""
    before = (await ledger.store.read_tables()).threads
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["ack"] * len(commands)
    assert said.events == []
    assert (await ledger.store.read_tables()).threads == before
    return said


async def test_ones_own_state_takes_no_rev_and_is_no_event(three: Ledger) -> None:
    told = await seen_by_ann(three)
    commands = [own("t", "bob", archived=True, muted=True, show_receipts=False), mark("t", "bob", 2), own("t", "bob")]
    await quietly(three, *commands)
    assert await seen_by_ann(three) == told
    assert await state(three) == {
        "readSeq": 0,
        "unread": 3,
        "markedUnreadSeq": 2,
        "archived": True,
        "muted": True,
        "showReceipts": False,
    }
    await quietly(three, own("t", "bob", archived=False, muted=False, show_receipts=True))
    own_state = await state(three)
    assert (own_state["archived"], own_state["muted"], own_state["showReceipts"]) == (False, False, True)


async def test_a_new_message_brings_an_archived_thread_back(three: Ledger) -> None:
    await quietly(three, own("t", "bob", archived=True))
    await three.apply(send("t", "ann", "c9"))
    assert (await state(three))["archived"] is False
    await quietly(three, own("t", "bob", archived=True))
    assert (await state(three))["archived"] is True


async def test_a_muted_thread_stays_archived_until_it_is_heard_again(three: Ledger) -> None:
    await quietly(three, own("t", "bob", archived=True, muted=True))
    await three.apply(send("t", "ann", "c9"))
    assert (await state(three))["archived"] is True
    await quietly(three, own("t", "bob", muted=False))
    assert (await state(three))["archived"] is False


async def test_an_empty_thread_can_be_archived_and_its_first_message_brings_it_back(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), own("t", "bob", archived=True))
    assert (await state(ledger))["archived"] is True
    await ledger.apply(send("t", "bob", "c1"))
    assert (await state(ledger))["archived"] is False


async def test_a_private_reader_has_read_and_nobody_is_told(three: Ledger) -> None:
    told = await seen_by_ann(three)
    await quietly(three, own("t", "bob", show_receipts=False), move("t", "bob", read=3))
    own_state = await state(three)
    assert (own_state["readSeq"], own_state["unread"]) == (3, 0)
    assert await seen_by_ann(three) == told
    for seq in (1, 3):
        assert await read_at(three, seq) is None


async def read_at(ledger: Ledger, seq: int) -> str | None:
    ask = AskMessageReceipts(message_id=f"t~{seq}", user_id="ann")  # type: ignore[arg-type]
    (item,) = (await ledger.ask(message_receipts, ask))["items"]
    assert item["userId"] == "bob"
    at: str | None = item["readAt"]
    return at


async def test_reading_in_private_does_not_even_tell_that_a_message_arrived(three: Ledger) -> None:
    await three.apply(own("t", "bob", show_receipts=False), send("t", "ann", "c9"))
    told = await seen_by_ann(three)
    await quietly(three, move("t", "bob", read=4))
    assert await seen_by_ann(three) == told
    said = await three.apply(move("t", "bob", delivered=4))
    assert [(frame["type"], frame["seq"]) for frame in said.frames] == [("delivered_receipt", 4)]
    assert (await seen_by_ann(three))["readSeq"] == 0


async def test_what_was_read_in_private_is_not_told_later_and_what_is_read_later_is(three: Ledger) -> None:
    await quietly(three, own("t", "bob", show_receipts=False), move("t", "bob", read=3))
    await quietly(three, own("t", "bob", show_receipts=True), move("t", "bob", read=3))
    assert (await seen_by_ann(three))["readSeq"] == 0
    said = await three.apply(send("t", "ann", "c9"), move("t", "bob", read=4))
    assert [(frame["type"], frame.get("seq")) for frame in said.frames] == [("message", None), ("read_receipt", 4)]
    assert (await seen_by_ann(three))["readSeq"] == 4


async def test_who_answers_has_read_in_private_or_not(three: Ledger) -> None:
    await three.apply(own("t", "bob", show_receipts=False), send("t", "bob", "c9"))
    assert (await seen_by_ann(three))["readSeq"] == 4
    assert await read_at(three, 2) is not None


async def test_a_mark_makes_unread_from_there_on_until_one_reads(three: Ledger) -> None:
    await three.apply(move("t", "bob", read=3))
    told = await seen_by_ann(three)
    await quietly(three, mark("t", "bob", 2))
    assert await seen_by_ann(three) == told
    own_state = await state(three)
    assert (own_state["readSeq"], own_state["unread"], own_state["markedUnreadSeq"]) == (3, 2, 2)
    await quietly(three, move("t", "bob", delivered=3))
    assert (await state(three))["unread"] == 2
    await quietly(three, move("t", "bob", read=3))
    own_state = await state(three)
    assert (own_state["unread"], own_state["markedUnreadSeq"]) == (0, None)


async def test_sending_clears_the_mark(three: Ledger) -> None:
    await three.apply(move("t", "bob", read=3), mark("t", "bob", 1), send("t", "bob", "c9"))
    own_state = await state(three)
    assert (own_state["unread"], own_state["markedUnreadSeq"]) == (0, None)


async def test_a_mark_beyond_what_is_read_makes_nothing_read(three: Ledger) -> None:
    await quietly(three, mark("t", "bob", 3))
    assert (await state(three))["unread"] == 3


async def test_a_mark_names_a_message(three: Ledger) -> None:
    ahead, stranger = mark("t", "bob", 4), mark("t", "eve", 1)
    said = await three.apply(ahead, stranger)
    assert codes(said, [ahead, stranger]) == ["MESSAGE_NOT_FOUND", "THREAD_NOT_FOUND"]
    assert (await bobs(three)).marked_unread_seq is None


async def test_marking_and_reading_in_one_batch_leaves_what_came_last(three: Ledger) -> None:
    await three.apply(move("t", "bob", read=3), mark("t", "bob", 2), move("t", "bob", read=3))
    assert (await state(three))["unread"] == 0
    await three.apply(mark("t", "bob", 2), move("t", "bob", read=3), mark("t", "bob", 1))
    assert (await state(three))["unread"] == 3


# The list and the counts are one statement each, so PostgreSQL has to answer.


@pytest.fixture
async def inbox(postgres_store: PostgresStore) -> Ledger:
    """Threads a to d of ann and bob with one, two, three and four messages by ann."""
    ledger = Ledger(postgres_store)
    for count, name in enumerate("abcd", start=1):
        await ledger.apply(create(name, "ann", "bob"), *(send(name, "ann", f"c{n}") for n in range(count)))
    return ledger


async def listed(ledger: Ledger, *, archived: bool = False) -> list[str]:
    ask = AskThreads(user_id="bob", archived=archived)  # type: ignore[arg-type]
    return [item["id"] for item in (await ledger.ask(threads, ask))["items"]]


async def counts(ledger: Ledger) -> tuple[dict[str, int], int]:
    answer = await ledger.ask(unread, AskUnread(user_id="bob"))  # type: ignore[arg-type]
    return {item["threadId"]: item["unread"] for item in answer["items"]}, answer["totalUnread"]


async def test_archived_threads_are_listed_apart_and_come_back(inbox: Ledger) -> None:
    await inbox.apply(own("b", "bob", archived=True), own("c", "bob", archived=True, muted=True))
    assert (await listed(inbox), await listed(inbox, archived=True)) == (["d", "a"], ["c", "b"])
    await inbox.apply(send("b", "ann", "new"), send("c", "ann", "new"))
    assert (await listed(inbox), await listed(inbox, archived=True)) == (["b", "d", "a"], ["c"])
    await inbox.apply(own("c", "bob", archived=False), remove("d", "bob", "bob"))
    assert (await listed(inbox), await listed(inbox, archived=True)) == (["c", "b", "a"], [])


async def test_unread_is_counted_by_the_private_truth_and_the_mark(inbox: Ledger) -> None:
    assert await counts(inbox) == ({"a": 1, "b": 2, "c": 3, "d": 4}, 10)
    await inbox.apply(own("d", "bob", show_receipts=False), move("d", "bob", read=3), move("a", "bob", read=1))
    assert await counts(inbox) == ({"b": 2, "c": 3, "d": 1}, 6)
    await inbox.apply(mark("d", "bob", 2), mark("a", "bob", 1), own("c", "bob", muted=True))
    assert await counts(inbox) == ({"a": 1, "b": 2, "c": 3, "d": 3}, 6)  # a muted thread is listed and not counted
    await inbox.apply(remove("d", "bob", "bob"), move("a", "bob", read=1))
    assert await counts(inbox) == ({"b": 2, "c": 3}, 2)


async def test_the_list_says_the_same_as_the_thread(inbox: Ledger) -> None:
    await inbox.apply(mark("d", "bob", 2), own("b", "bob", muted=True, show_receipts=False), move("b", "bob", read=2))
    items = (await inbox.ask(threads, AskThreads(user_id="bob")))["items"]  # type: ignore[arg-type]
    details = [await inbox.ask(thread, AskThread(thread_id=item["id"], user_id="bob")) for item in items]  # type: ignore[arg-type]
    more = ("unread", "readSeq", "lastMessage")
    assert [{name: item[name] for name in item if name not in more} for item in items] == details
    assert [(item["unread"], item["readSeq"]) for item in items] == [
        (detail["own"]["unread"], detail["own"]["readSeq"]) for detail in details
    ]
