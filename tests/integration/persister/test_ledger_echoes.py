"""Poison and crashes, for the commands that change what is stored. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import Command
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.states import Role
from chatterbus_contracts.subjects import partition_of
from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_commands import (
    add,
    create,
    delete,
    edit,
    file_id,
    mark,
    move,
    own,
    react,
    register,
    remove,
    send,
    update,
)
from tests.kit.ledger_fake import PARTITIONS, Tables
from tests.kit.ledger_worker import Ledger, Said, codes

IN_T = partition_of("t", PARTITIONS)


def with_nul(command: Command, name: str) -> Command:
    """As no decoder lets it through; PostgreSQL refuses it."""
    return type(command).model_construct(**{**dict(command), name: "a\x00b"})


def stored(tables: Tables) -> tuple[Any, ...]:
    return (
        tables.threads,
        tables.members,
        tables.messages,
        tables.revisions,
        tables.steps,
        tables.attachments,
    )


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    await ledger.apply(create("t", "ann", "bob", "cid", readers=["rea"], title="title"))
    await ledger.apply(*(send("t", user, f"c{n}", f"text {n}") for n, user in enumerate(("ann", "bob", "ann"))))
    await ledger.apply(react("t", "ann", 2))
    return ledger


@pytest.mark.parametrize(
    ("poison", "name"),
    [
        (edit("t", "ann", 1, "x"), "content"),
        (update("t", "ann", title="x"), "title"),
        (register("t", "ann", 1), "name"),
    ],
    ids=["edit", "title", "file name"],
)
async def test_what_postgresql_refuses_of_a_change_is_set_aside_and_its_neighbours_are_applied(
    filled: Ledger, poison: Command, name: str
) -> None:
    poison = with_nul(poison, name)
    before, between, after = edit("t", "ann", 1, "one"), react("t", "bob", 1), edit("t", "ann", 1, "two")
    commands: list[Command] = [before, between, poison, after]
    said = await filled.apply_batch(IN_T, *commands)
    assert codes(said, commands) == ["ack", "ack", "MESSAGE_PERSIST_FAILED", "ack"]
    tables = await filled.store.read_tables()
    row = tables.messages[(ThreadId("t"), 1)]
    assert (row.content, row.reactions, row.revisions) == ("two", {"👍": ["bob"]}, 2)
    assert [letter.reason for letter in tables.dead_letters.values()] == ["it could not be applied"]
    assert [frame["rev"] for frame in said.frames] == list(range(10, 13))


def everything() -> list[Command]:
    """One of each command, so that each of them changes something."""
    return [
        update("t", "ann", title="new", metadata={"a": [1.5, True]}),
        add("t", "ann", "dan", Role.READER),
        add("t", "ann", "bob", Role.OWNER),
        remove("t", "ann", "cid"),
        remove("t", "rea", "rea"),
        register("t", "ann", 1),
        send("t", "ann", "c9", "", attachment_ids=[file_id("t", 1)]),
        edit("t", "ann", 1, "edited"),
        edit("t", "bob", 2, "edited"),
        react("t", "bob", 1),
        react("t", "ann", 2, on=False),
        delete("t", "ann", 3),
        move("t", "dan", read=2, delivered=3),
        mark("t", "bob", 1),
        own("t", "bob", archived=True, muted=True, show_receipts=False),
        create("u", "ann", "bob"),
    ]


async def test_what_was_committed_and_not_announced_is_said_again_whatever_it_is(filled: Ledger) -> None:
    commands = everything()
    filled.publish(*commands)
    first = await filled.crash()
    assert all(first.answer(each)["type"] != "error" for each in commands)
    before = stored(await filled.store.read_tables())
    again = await filled.work()
    assert stored(await filled.store.read_tables()) == before
    assert codes(again, commands) == codes(first, commands)
    assert last_told(again).items() >= last_told(first).items()


def last_told(said: Said) -> dict[tuple[str, str, str], int]:
    """The last rev told of every message, thread, member and cursor."""
    found = {}
    for frame in said.frames:
        data = frame.get("data", {})
        kind = frame["type"].removesuffix("_added").removesuffix("_removed").partition("message_")[0] or "message"
        found[(kind, frame["threadId"], str(data.get("seq") or data.get("userId") or frame.get("userId")))] = frame[
            "rev"
        ]
    return found


async def test_what_was_refused_is_not_acked_after_a_crash_whatever_it_is(filled: Ledger) -> None:
    done = [edit("t", "ann", 1, "edited"), react("t", "ann", 1), delete("t", "ann", 3), register("t", "ann", 1)]
    await filled.apply(*done, remove("t", "ann", "cid"), own("t", "bob", muted=True), mark("t", "bob", 1))
    refused: list[Command] = [
        update("t", "bob", title="title"),
        update("t", "cid", title="title"),
        update("t", "eve", title="title"),
        add("t", "bob", "rea", Role.READER),
        remove("t", "bob", "cid"),
        remove("t", "eve", "cid"),
        edit("t", "bob", 1, "edited"),
        edit("t", "cid", 1, "edited"),
        edit("t", "rea", 1, "edited"),
        edit("t", "eve", 1, "edited"),
        edit("t", "ann", 3, ""),
        delete("t", "bob", 3),
        delete("t", "cid", 3),
        delete("t", "eve", 3),
        react("t", "rea", 1, on=False),
        react("t", "cid", 1, on=False),
        react("t", "eve", 1, on=False),
        react("t", "ann", 3, on=False),
        own("t", "cid", muted=False),
        own("t", "eve", muted=False),
        mark("t", "eve", 1),
        move("t", "cid", read=1),
        register("t", "cid", 1),
        register("t", "eve", 1),
        register("t", "rea", 1),
        send("t", "ann", "c8", attachment_ids=[file_id("t", 7)]),
    ]
    filled.publish(*refused)
    first = await filled.crash()
    assert all(first.answer(each)["type"] == "error" for each in refused)
    again = await filled.work()
    assert [each.kind for each in refused if not again.unanswered(each)] == []
    assert again.events == []


async def test_an_owner_who_stepped_down_before_a_crash_is_told_of_after_it(filled: Ledger) -> None:
    await filled.apply(add("t", "ann", "bob", Role.OWNER))
    down = add("t", "bob", "bob", Role.MEMBER)
    filled.publish(down)
    first = await filled.crash()
    again = await filled.work()
    assert [event.frame for event in again.events] == [event.frame for event in first.events]
    assert again.unanswered(down)


async def test_who_may_edit_as_an_owner_is_echoed_as_one(filled: Ledger) -> None:
    await filled.restart()
    filled.policy = LedgerPolicy(owners_may_edit=True)
    by_owner = edit("t", "ann", 2, "edited")
    filled.publish(by_owner)
    await filled.crash()
    assert (await filled.work()).answer(by_owner)["type"] == "ack"


async def test_what_was_undone_since_is_not_confirmed(filled: Ledger) -> None:
    overtaken: list[Command] = [
        edit("t", "ann", 1, "one"),
        react("t", "ann", 1),
        update("t", "ann", title="one"),
        add("t", "ann", "dan"),
        own("t", "ann", muted=True),
        mark("t", "ann", 1),
    ]
    last: list[Command] = [
        edit("t", "ann", 1, "two"),
        react("t", "ann", 1, on=False),
        update("t", "ann", title="two"),
        remove("t", "ann", "dan"),
        own("t", "ann", muted=False),
        mark("t", "ann", 2),
    ]
    filled.publish(*overtaken, *last)
    await filled.crash()
    again = await filled.work()
    assert [each.kind for each in overtaken if not again.unanswered(each)] == []
    assert codes(again, last) == ["ack"] * len(last)
