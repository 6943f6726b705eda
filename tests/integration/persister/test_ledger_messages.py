"""Sending: numbers, retries, order, content. One suite, on dictionaries and on PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.envelopes import Event
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskChanges
from chatterbus_contracts.states import MessageType
from chatterbus_persister.reads.changes import changes
from tests.kit.ledger_commands import add, create, move, send
from tests.kit.ledger_worker import Ledger, Said, codes, events_of

HOSTILE_TEXTS = [
    "quotes \" and '",
    "back\\slash \\\\ \\n",
    "{braces},{commas},",
    "NULL",
    "null",
    '{"NULL"}',
    "",
    " ",
    "line\nbreak\r\n\ttab",
    "emoji 👩‍👩‍👧‍👦 🏳️‍🌈",
    "\u202e right to left",
    "\x01\x1b[31m\x7f",
    "$1 %s %(name)s :name",
    "'; DROP TABLE messages; --",
    "\ufffd\ufeff\U0010ffff",
]


def revs(said: Said, thread: str) -> list[int]:
    return [frame["rev"] for frame in events_of(said, thread)]


async def test_seq_and_rev_are_gapless_from_one(ledger: Ledger) -> None:
    first = await ledger.apply(create("t", "ann", "bob"))
    assert revs(first, "t") == [1, 2, 3]  # the thread, two members
    sends = [send("t", ("ann", "bob")[number % 2], f"c{number}") for number in range(10)]
    together = await ledger.apply(*sends[:7], move("t", "bob", read=3), *sends[7:])
    assert [together.answer(each)["seq"] for each in sends] == list(range(1, 11))
    assert revs(together, "t") == list(range(4, 4 + len(together.events)))
    thread = (await ledger.store.read_tables()).threads[ThreadId("t")]
    assert (thread.last_seq, thread.last_rev) == (10, revs(together, "t")[-1])


async def test_a_retry_gets_the_same_answer_and_causes_no_event(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    first = await ledger.answer(send("t", "ann", "c1", "said once", metadata={"b": 1, "aa": 2.0, "a": 1e16}))
    await ledger.apply(send("t", "ann", "c2"), send("t", "ann", "c3"))
    again = send("t", "ann", "c1", "said differently")
    said = await ledger.apply(again)
    assert said.answer(again) == first
    assert said.events == []
    stored = (await ledger.store.read_tables()).messages
    assert [row.content for row in stored.values()] == ["said once", "hello", "hello"]


async def test_a_retry_within_the_same_batch_is_the_same_message(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    first, again = send("t", "ann", "c1"), send("t", "ann", "c1")
    said = await ledger.apply(first, again)
    assert said.answer(first) == said.answer(again)
    assert len(said.events) == 1
    assert len((await ledger.store.read_tables()).messages) == 1


async def test_two_senders_with_the_same_client_message_id_are_two_messages(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"))
    of_ann, of_bob = send("t", "ann", "c1"), send("t", "bob", "c1")
    said = await ledger.apply(of_ann, of_bob)
    assert [said.answer(of_ann)["seq"], said.answer(of_bob)["seq"]] == [1, 2]


async def test_the_same_client_message_id_in_two_threads_is_two_messages(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"), create("u", "ann"))
    in_t, in_u = send("t", "ann", "c1"), send("u", "ann", "c1")
    said = await ledger.apply(in_t, in_u)
    assert (said.answer(in_t)["serverMessageId"], said.answer(in_u)["serverMessageId"]) == ("t~1", "u~1")


async def test_every_threads_order_is_kept_in_a_batch_over_many_threads(ledger: Ledger) -> None:
    threads = [f"t{number}" for number in range(20)]
    await ledger.apply(*(create(thread, "ann", "bob") for thread in threads))
    sends = [send(thread, "ann", f"c{turn}", f"{thread} {turn}") for turn in range(15) for thread in threads]
    said = await ledger.apply(*sends)
    stored = (await ledger.store.read_tables()).messages
    for thread in threads:
        told = events_of(said, thread)
        assert [frame["data"]["content"] for frame in told] == [f"{thread} {turn}" for turn in range(15)]
        assert [stored[(ThreadId(thread), seq)].content for seq in range(1, 16)] == [
            f"{thread} {turn}" for turn in range(15)
        ]


async def test_the_senders_cursor_moves_with_the_message_under_its_rev(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), send("t", "bob", "c1"))
    sent = await ledger.answer(send("t", "ann", "c2"))
    members = {member.user_id: member for member in (await ledger.store.read_tables()).members.values()}
    ann, bob = members["ann"], members["bob"]
    assert (ann.read_seq, ann.delivered_seq, ann.read_rev, ann.rev) == (2, 2, sent["rev"], sent["rev"])
    assert (bob.read_seq, bob.delivered_seq) == (1, 1)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
async def test_any_text_comes_back_as_it_was_sent(ledger: Ledger, text: str) -> None:
    metadata = {text: [text, {"deep": text}], "number": 1.5, "none": None, "yes": True}
    sent = send("t", "ann", "c1", text, metadata=metadata, mentions=["a", "b|c", "d=e"])
    said = await ledger.apply(create("t", "ann", title=text or None, metadata=metadata), sent)
    (row,) = (await ledger.store.read_tables()).messages.values()
    assert (row.content, row.metadata, row.mentions) == (text, metadata, ["a", "b|c", "d=e"])
    told = events_of(said, "t")[-1]["data"]
    assert (told["content"], told["metadata"]) == (text, metadata)
    thread = (await ledger.store.read_tables()).threads[ThreadId("t")]
    assert (thread.title, thread.metadata) == (text or None, metadata)


@pytest.mark.parametrize("mention", HOSTILE_TEXTS)
async def test_mentions_come_back_whatever_they_hold(ledger: Ledger, mention: str) -> None:
    sent = send("t", "ann", "c1").model_copy(update={"mentions": [mention, "NULL", mention]})
    await ledger.apply(create("t", "ann"))
    await ledger.apply_batch(0, sent)
    (row,) = (await ledger.store.read_tables()).messages.values()
    assert row.mentions == [mention, "NULL", mention]


@pytest.mark.parametrize("kind", list(MessageType))
async def test_every_type_of_message_is_kept(ledger: Ledger, kind: MessageType) -> None:
    said = await ledger.apply(create("t", "ann"), send("t", "ann", "c1", message_type=kind))
    assert events_of(said, "t")[-1]["data"]["messageType"] == kind
    (row,) = (await ledger.store.read_tables()).messages.values()
    assert row.message_type is kind


async def test_a_reply_names_a_message_of_this_thread(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"), create("u", "ann"), send("t", "ann", "c1"), send("u", "ann", "c1"))
    good, itself, ahead, elsewhere = (
        send("t", "ann", f"r{number}", reply_to_id=target)
        for number, target in enumerate(["t~1", "t~3", "t~99", "u~1"])
    )
    said = await ledger.apply(good, itself, ahead, elsewhere)
    assert codes(said, [good, itself, ahead, elsewhere]) == ["message_ack"] + ["REPLY_TARGET_NOT_FOUND"] * 3
    assert events_of(said, "t")[0]["data"]["replyToId"] == "t~1"


async def test_a_reply_may_name_a_message_of_the_same_batch(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    reply = send("t", "ann", "c2", reply_to_id="t~1")
    said = await ledger.apply(send("t", "ann", "c1"), reply)
    assert said.answer(reply)["seq"] == 2


async def test_a_refused_message_changes_nothing(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", readers=["rea"]), send("t", "ann", "c1"))
    before = await ledger.store.read_tables()
    refused: list[Any] = [
        send("t", "rea", "c1"),
        send("t", "eve", "c1"),
        send("nowhere", "ann", "c1"),
        send("t", "ann", "c2", reply_to_id="t~9"),
        create("t", "eve"),
        add("t", "rea", "eve"),
        move("t", "eve", read=1),
    ]
    said = await ledger.apply(*refused)
    assert [frame["fate"] for frame in map(said.answer, refused)] == ["rejected"] * len(refused)
    assert said.events == []
    after = await ledger.store.read_tables()
    assert (after.threads, after.members, after.messages) == (before.threads, before.members, before.messages)


async def test_a_refusal_carries_what_its_sender_matches_it_by(ledger: Ledger) -> None:
    refused = send("nowhere", "ann", "c1", ref="r1")
    assert (await ledger.answer(refused)).items() >= {"clientMessageId": "c1", "ref": "r1"}.items()


async def test_a_live_event_and_a_page_of_changes_carry_the_same_bytes(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    metadata = {"b": 1, "aa": 2.0, "a": 1e16, "c": {"z": 1e300, "y": -0.0}}
    (live,) = (await ledger.apply(send("t", "ann", "c1", metadata=metadata))).events
    async with ledger.store.reading() as connection:
        page = await changes(connection, AskChanges(thread_id="t", user_id="ann", since_rev=live.rev - 1))
    assert [encode_json(item) for item in page["items"] if item["type"] == "message"] == [live.frame]


async def test_times_are_told_in_utc_with_milliseconds(ledger: Ledger) -> None:
    said = await ledger.apply(create("t", "ann"), send("t", "ann", "c1"))
    assert {event_time(event) for event in said.events if event.type == "message"} == {"2026-01-31T12:00:01.500Z"}


def event_time(event: Event) -> str:
    return str(json.loads(event.frame)["data"]["createdAt"])
