"""Edits, tombstones and what they leave behind. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import Command
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskHistory, AskMessage, AskRevisions
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.policy import LedgerPolicy
from chatterbus_persister.ledger.rows import MessageRow
from chatterbus_persister.reads.messages import history, message, revisions
from tests.kit.ledger_commands import add, create, delete, edit, file_id, react, register, send
from tests.kit.ledger_worker import Ledger, Said, codes

T = ThreadId("t")


async def row(ledger: Ledger, seq: int = 1) -> MessageRow:
    return (await ledger.store.read_tables()).messages[(T, seq)]


async def former_texts(ledger: Ledger, seq: int = 1, user: str = "ann") -> list[tuple[str, str]]:
    """(text, who replaced it), newest first, as members read them."""
    page = await ledger.ask(revisions, AskRevisions(message_id=f"t~{seq}", user_id=user))  # type: ignore[arg-type]
    return [(item["content"], item["editedBy"]) for item in page["items"]]


def told(said: Said) -> list[tuple[str, int, str]]:
    return [(frame["type"], frame["rev"], frame["data"]["content"]) for frame in said.frames if "data" in frame]


async def test_an_edit_changes_the_text_and_keeps_place_time_and_the_old_text(ledger: Ledger) -> None:
    sent = send("t", "bob", "c1", "one", mentions=["ann"], metadata={"k": 1})
    first = (await ledger.apply(create("t", "ann", "bob"), sent)).frames[-1]["data"]
    said = await ledger.apply(edit("t", "bob", 1, "two"))
    (frame,) = said.frames
    assert (frame["type"], frame["rev"]) == ("message_updated", 5)
    changed = {"content": "two", "rev": 5, "edited": True}
    times = {name: frame["data"][name] for name in ("editedAt", "updatedAt")}
    assert frame["data"] == first | changed | times
    assert times["editedAt"] == times["updatedAt"] > first["createdAt"]
    assert await former_texts(ledger) == [("one", "bob")]
    assert await ledger.ask(message, AskMessage(message_id="t~1", user_id="ann")) == frame["data"]  # type: ignore[arg-type]


async def test_edits_in_one_batch_each_have_their_own_rev_and_text_and_the_last_one_stands(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"), send("t", "ann", "c1", "zero"))
    edits = [edit("t", "ann", 1, text) for text in ("one", "two", "three")]
    said = await ledger.apply(*edits)
    assert told(said) == [("message_updated", 4 + n, text) for n, text in enumerate(("one", "two", "three"))]
    assert [said.answer(each)["rev"] for each in edits] == [4, 5, 6]
    assert [content for content, _ in await former_texts(ledger)] == ["two", "one", "zero"]
    stored = await row(ledger)
    assert (stored.content, stored.rev, stored.revisions, stored.created_rev) == ("three", 6, 3, 3)


async def test_a_message_edited_in_the_batch_that_brings_it_is_told_as_it_was_and_then_as_it_is(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    sent = send("t", "ann", "c1", "one", mentions=["bob"])
    said = await ledger.apply(sent, edit("t", "ann", 1, "two"), react("t", "ann", 1), send("t", "ann", "c2"))
    assert told(said) == [
        ("message", 3, "one"),
        ("message_updated", 4, "two"),
        ("message_updated", 5, "two"),
        ("message", 6, "hello"),
    ]
    assert [len(frame["data"]["reactions"]) for frame in said.frames] == [0, 0, 1, 0]
    assert said.answer(sent)["rev"] == 3
    again = send("t", "ann", "c1", "one")
    assert (await ledger.answer(again))["rev"] == 3
    assert await former_texts(ledger) == [("one", "ann")]
    assert ((await row(ledger)).content, (await row(ledger)).mentions) == ("two", ["bob"])


async def test_the_same_text_is_no_change(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"), send("t", "ann", "c1", "one"))
    same = edit("t", "ann", 1, "one")
    said = await ledger.apply(same)
    assert (said.answer(same)["type"], said.answer(same)["rev"], said.events) == ("ack", 3, [])
    back = [edit("t", "ann", 1, "two"), edit("t", "ann", 1, "one")]
    assert len((await ledger.apply(*back)).events) == 2
    assert [content for content, _ in await former_texts(ledger)] == ["two", "one"]


async def test_only_the_author_edits_unless_owners_may(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", "cid"), send("t", "bob", "c1", "one"), send("t", "ann", "c2"))
    commands = [edit("t", "ann", 1, "x"), edit("t", "cid", 1, "x"), edit("t", "eve", 1, "x")]
    assert codes(await ledger.apply(*commands), commands) == ["FORBIDDEN", "FORBIDDEN", "THREAD_NOT_FOUND"]
    await ledger.restart()
    ledger.policy = LedgerPolicy(owners_may_edit=True)
    commands = [edit("t", "ann", 1, "by ann"), edit("t", "cid", 1, "x"), edit("t", "bob", 2, "x")]
    assert codes(await ledger.apply(*commands), commands) == ["ack", "FORBIDDEN", "FORBIDDEN"]
    assert await former_texts(ledger) == [("one", "ann")]
    assert (await row(ledger)).sender_id == "bob"


@pytest.mark.parametrize("text", ["", " \n\t", "x" * 16_001])
async def test_an_edit_obeys_the_rules_of_content(ledger: Ledger, text: str) -> None:
    await ledger.apply(create("t", "ann"), register("t", "ann", 1), send("t", "ann", "c1", "one"))
    await ledger.apply(send("t", "ann", "c2", "", attachment_ids=[file_id("t", 1)]))
    plain, with_file = edit("t", "ann", 1, text), edit("t", "ann", 2, text)
    said = await ledger.apply(plain, with_file)
    if text.strip():
        assert codes(said, [plain, with_file]) == ["CONTENT_TOO_LONG"] * 2
    else:
        assert codes(said, [plain, with_file]) == ["CONTENT_EMPTY", "ack"]
    assert (await row(ledger)).content == "one"


async def test_what_is_not_there_or_elsewhere_is_not_found(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"), create("u", "ann"), send("u", "ann", "c1"))
    elsewhere = {"message_id": "u~1"}
    commands: list[Command] = [
        edit("t", "ann", 1, "x"),
        delete("t", "ann", 1),
        react("t", "ann", 1),
        edit("t", "ann", 1, "x").model_copy(update=elsewhere),
        delete("t", "ann", 1).model_copy(update=elsewhere),
        react("t", "ann", 1).model_copy(update=elsewhere),
        edit("t", "ann", 999_999_999_999_999, "x"),
    ]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["MESSAGE_NOT_FOUND"] * len(commands)
    assert said.events == []


async def test_readers_may_not_write_edit_delete_react_or_upload(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "rea"), send("t", "rea", "c1"), add("t", "ann", "rea", Role.READER))
    commands: list[Command] = [
        send("t", "rea", "c2"),
        edit("t", "rea", 1, "x"),
        delete("t", "rea", 1),
        react("t", "rea", 1),
        register("t", "rea", 1),
    ]
    assert codes(await ledger.apply(*commands), commands) == ["FORBIDDEN"] * len(commands)


async def full_message(ledger: Ledger) -> None:
    """A message of bob's with everything."""
    await ledger.apply(create("t", "ann", "bob", "cid"), register("t", "bob", 1), register("t", "bob", 2))
    sent = send("t", "bob", "c1", "alpha", mentions=["ann"], metadata={"k": 1}, attachment_ids=[file_id("t", 1)])
    await ledger.apply(
        sent, edit("t", "bob", 1, "omega"), react("t", "cid", 1), send("t", "cid", "c2", reply_to_id="t~1")
    )


def is_tombstone(state: dict[str, Any]) -> bool:
    gone = {"content": "", "mentions": [], "metadata": None, "attachments": [], "reactions": [], "deleted": True}
    return {name: state[name] for name in gone} == gone


@pytest.mark.parametrize("by", ["bob", "ann"])
async def test_a_deleted_message_keeps_its_place_and_nothing_else(ledger: Ledger, by: str) -> None:
    await full_message(ledger)
    before = (await ledger.store.read_tables()).messages
    said = await ledger.apply(delete("t", by, 1))
    (frame,) = said.frames
    state = frame["data"]
    assert (frame["type"], is_tombstone(state)) == ("message_deleted", True)
    assert (state["seq"], state["senderId"], state["clientMessageId"]) == (1, "bob", "c1")
    assert state["deletedAt"] == state["updatedAt"] > state["createdAt"]
    tables = await ledger.store.read_tables()
    assert (tables.revisions, len(tables.messages)) == ({}, len(before))
    assert await former_texts(ledger) == []
    files = {file.attachment_id: (file.seq, file.removed_at) for file in tables.attachments.values()}
    assert files == {file_id("t", 1): (1, tables.messages[(T, 1)].deleted_at), file_id("t", 2): (None, None)}
    assert "alpha" not in str(tables) + str(frame)
    assert "omega" not in str(tables) + str(frame)


async def test_a_reply_to_a_deleted_message_quotes_nothing(ledger: Ledger) -> None:
    await full_message(ledger)
    ask = AskHistory(thread_id="t", user_id="ann")  # type: ignore[arg-type]
    quote = (await ledger.ask(history, ask))["items"][1]["replyTo"]
    assert quote == {"id": "t~1", "senderId": "bob", "content": "omega", "deleted": False}
    await ledger.apply(delete("t", "bob", 1))
    assert (await ledger.ask(history, ask))["items"][1]["replyTo"] == quote | {"content": "", "deleted": True}


async def test_deleting_again_is_acked_and_nothing_else_touches_a_tombstone(ledger: Ledger) -> None:
    await full_message(ledger)
    gone = delete("t", "bob", 1)
    await ledger.apply(gone)
    again, by_owner, stranger = delete("t", "bob", 1), delete("t", "ann", 1), delete("t", "cid", 1)
    others = [edit("t", "bob", 1, "x"), react("t", "cid", 1), react("t", "cid", 1, on=False)]
    said = await ledger.apply(again, by_owner, stranger, *others)
    assert codes(said, [again, by_owner, stranger, *others]) == ["ack", "ack", "FORBIDDEN"] + ["MESSAGE_DELETED"] * 3
    assert said.events == []
    assert said.answer(again)["rev"] == (await row(ledger)).rev


async def test_only_the_author_and_owners_delete(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", "cid"), send("t", "bob", "c1"), send("t", "ann", "c2"))
    commands = [delete("t", "cid", 1), delete("t", "bob", 2), delete("t", "eve", 1)]
    assert codes(await ledger.apply(*commands), commands) == ["FORBIDDEN", "FORBIDDEN", "THREAD_NOT_FOUND"]


async def test_a_message_may_come_change_and_go_within_one_batch(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    commands: list[Command] = [
        register("t", "ann", 1),
        send("t", "ann", "c1", "one", attachment_ids=[file_id("t", 1)]),
        edit("t", "ann", 1, "two"),
        react("t", "ann", 1),
        delete("t", "ann", 1),
        edit("t", "ann", 1, "three"),
        react("t", "ann", 1),
        delete("t", "ann", 1),
    ]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["ack", "message_ack", *["ack"] * 3, "MESSAGE_DELETED", "MESSAGE_DELETED", "ack"]
    assert [(frame["type"], frame["rev"]) for frame in said.frames] == [
        ("message", 3),
        ("message_updated", 4),
        ("message_updated", 5),
        ("message_deleted", 6),
    ]
    tables = await ledger.store.read_tables()
    (file,) = tables.attachments.values()
    assert (tables.revisions, file.seq, file.removed_at) == ({}, 1, tables.messages[(T, 1)].deleted_at)
    assert is_tombstone(await ledger.ask(message, AskMessage(message_id="t~1", user_id="ann")))  # type: ignore[arg-type]


async def test_a_retry_of_a_deleted_message_is_answered_with_its_place_and_brings_nothing_back(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    first = await ledger.answer(send("t", "ann", "c1", "one"))
    await ledger.apply(delete("t", "ann", 1))
    again = send("t", "ann", "c1", "one")
    said = await ledger.apply(again)
    assert (said.answer(again), said.events) == (first, [])
    assert (await row(ledger)).content == ""
