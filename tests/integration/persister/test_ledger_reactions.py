"""Reactions: each user each emoji once, in order, within limits. On dictionaries and on PostgreSQL."""

from __future__ import annotations

import pytest

from chatterbus_contracts.ids import ThreadId
from chatterbus_persister.ledger import reaction_commands
from chatterbus_persister.ledger.rows import Reactions
from tests.kit.ledger_commands import create, edit, react, send
from tests.kit.ledger_worker import Ledger, Said, codes


async def stored(ledger: Ledger) -> Reactions | None:
    return (await ledger.store.read_tables()).messages[(ThreadId("t"), 1)].reactions


def shown(said: Said) -> list[list[tuple[str, int, list[str]]]]:
    return [
        [(each["emoji"], each["count"], each["userIds"]) for each in frame["data"]["reactions"]]
        for frame in said.frames
        if frame["type"] == "message_updated"
    ]


@pytest.fixture
async def message(ledger: Ledger) -> Ledger:
    await ledger.apply(create("t", "ann", "bob", "cid"), send("t", "ann", "c1"))
    return ledger


async def test_reactions_are_gathered_by_emoji_in_the_order_they_came(message: Ledger) -> None:
    said = await message.apply(react("t", "bob", 1, "👍"), react("t", "ann", 1, "🏳️‍🌈"), react("t", "ann", 1, "👍"))
    assert shown(said)[-1] == [("👍", 2, ["bob", "ann"]), ("🏳️‍🌈", 1, ["ann"])]
    assert [frame["rev"] for frame in said.frames] == [6, 7, 8]
    assert await stored(message) == {"👍": ["bob", "ann"], "🏳️‍🌈": ["ann"]}


async def test_an_event_of_a_batch_shows_what_was_under_the_message_then(message: Ledger) -> None:
    said = await message.apply(*(react("t", user, 1) for user in ("ann", "bob", "cid")), react("t", "bob", 1, on=False))
    assert [names for ((_, _, names),) in shown(said)] == [
        ["ann"],
        ["ann", "bob"],
        ["ann", "bob", "cid"],
        ["ann", "cid"],
    ]


async def test_the_same_reaction_again_is_no_change(message: Ledger) -> None:
    await message.apply(react("t", "ann", 1))
    again, absent, other = react("t", "ann", 1), react("t", "bob", 1, on=False), react("t", "ann", 1, "🎉", on=False)
    said = await message.apply(again, absent, other)
    assert codes(said, [again, absent, other]) == ["ack"] * 3
    assert said.events == []
    assert said.answer(again)["rev"] == 6


async def test_taking_one_back_leaves_the_others_where_they_were(message: Ledger) -> None:
    await message.apply(*(react("t", user, 1, emoji) for emoji in ("👍", "🎉") for user in ("ann", "bob")))
    said = await message.apply(react("t", "ann", 1, "👍", on=False))
    assert shown(said) == [[("👍", 1, ["bob"]), ("🎉", 2, ["ann", "bob"])]]
    said = await message.apply(react("t", "bob", 1, "👍", on=False), react("t", "bob", 1, "👍"))
    assert shown(said)[-1] == [("🎉", 2, ["ann", "bob"]), ("👍", 1, ["bob"])]
    assert list(await stored(message) or ()) == ["🎉", "👍"]


async def test_the_last_one_taken_back_leaves_none(message: Ledger) -> None:
    await message.apply(react("t", "ann", 1))
    said = await message.apply(react("t", "ann", 1, on=False))
    assert shown(said) == [[]]
    assert await stored(message) is None


async def test_a_reaction_is_no_edit(message: Ledger) -> None:
    (frame,) = (await message.apply(react("t", "bob", 1))).frames
    assert (frame["data"]["edited"], frame["data"]["updatedAt"]) == (False, frame["data"]["createdAt"])


async def test_an_edit_keeps_the_reactions(message: Ledger) -> None:
    said = await message.apply(react("t", "bob", 1), edit("t", "ann", 1, "two"))
    assert shown(said)[-1] == [("👍", 1, ["bob"])]


async def test_a_message_takes_so_many_emoji_and_so_many_reactions(
    message: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaction_commands, "EMOJIS_MAX", 2)
    monkeypatch.setattr(reaction_commands, "REACTIONS_MAX", 3)
    commands = [
        react("t", "ann", 1, "1"),
        react("t", "ann", 1, "2"),
        react("t", "ann", 1, "3"),
        react("t", "bob", 1, "1"),
        react("t", "bob", 1, "2"),
        react("t", "bob", 1, "1", on=False),
        react("t", "bob", 1, "2"),
        react("t", "ann", 1, "1"),
    ]
    said = await message.apply(*commands)
    assert codes(said, commands) == [
        "ack",
        "ack",
        "TOO_MANY_REACTIONS",
        "ack",
        "TOO_MANY_REACTIONS",
        "ack",
        "ack",
        "ack",
    ]
    assert await stored(message) == {"1": ["ann"], "2": ["ann", "bob"]}
