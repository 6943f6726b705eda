"""Describing threads, and who belongs to them: leaving, removing, last owners. On dictionaries and on PostgreSQL."""

from __future__ import annotations

import pytest

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.commands import Command
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from tests.kit.ledger_commands import add, create, delete, edit, mark, move, own, react, register, remove, send, update
from tests.kit.ledger_worker import Ledger, codes

T = ThreadId("t")


async def thread(ledger: Ledger) -> ThreadRow:
    return (await ledger.store.read_tables()).threads[T]


async def member(ledger: Ledger, user: str) -> MemberRow:
    return (await ledger.store.read_tables()).members[(T, UserId(user))]


async def test_a_change_of_title_or_metadata_leaves_the_other_and_null_clears(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", title="one", metadata={"a": 1}))
    said = await ledger.apply(update("t", "ann", title="two"))
    (frame,) = said.frames
    assert (frame["type"], frame["rev"], frame["data"]["members"]) == ("thread_updated", 3, [])
    assert (frame["data"]["title"], frame["data"]["metadata"]) == ("two", {"a": 1})
    await ledger.apply(update("t", "ann", metadata={"b": [None]}))
    assert ((await thread(ledger)).title, (await thread(ledger)).metadata) == ("two", {"b": [None]})
    await ledger.apply(update("t", "ann", title=None, metadata=None))
    row = await thread(ledger)
    assert (row.title, row.metadata, row.rev, row.last_rev) == (None, None, 5, 5)


async def test_several_changes_of_a_thread_in_a_batch_each_have_their_own_rev_and_text(ledger: Ledger) -> None:
    titles = ["one", "two", "three"]
    said = await ledger.apply(create("t", "ann"), *(update("t", "ann", title=title) for title in titles))
    told = [(frame["rev"], frame["data"]["title"]) for frame in said.frames if frame["type"] == "thread_updated"]
    assert told == [(1, None), (3, "one"), (4, "two"), (5, "three")]
    assert ((await thread(ledger)).title, (await thread(ledger)).rev) == ("three", 5)


@pytest.mark.parametrize(
    ("before", "after"), [({"on": 1}, {"on": True}), ({"n": [1]}, {"n": [1.0]}), ({"a": 1, "b": 2}, {"b": 2, "a": 1})]
)
async def test_what_is_described_so_already_is_no_change_and_what_differs_as_json_is_one(
    ledger: Ledger, before: dict[str, object], after: dict[str, object]
) -> None:
    await ledger.apply(create("t", "ann", title="one", metadata=before))
    same = update("t", "ann", title="one", metadata=before)
    said = await ledger.apply(same)
    assert (said.answer(same)["type"], said.events) == ("ack", [])
    (frame,) = (await ledger.apply(update("t", "ann", metadata=after))).frames
    assert encode_json(frame["data"]["metadata"]) == encode_json(after)
    assert encode_json((await thread(ledger)).metadata) == encode_json(after)


async def test_only_owners_describe_a_thread(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", readers=["rea"]))
    commands = [update("t", user, title="x") for user in ("bob", "rea", "eve")]
    assert codes(await ledger.apply(*commands), commands) == ["FORBIDDEN", "FORBIDDEN", "THREAD_NOT_FOUND"]
    assert (await thread(ledger)).title is None


async def test_anyone_may_leave_and_only_owners_remove_others(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", "cid", readers=["rea"]))
    commands = [remove("t", "bob", "cid"), remove("t", "rea", "bob"), remove("t", "eve", "bob")]
    assert codes(await ledger.apply(*commands), commands) == ["FORBIDDEN", "FORBIDDEN", "THREAD_NOT_FOUND"]
    assert (await thread(ledger)).member_count == 4
    commands = [remove("t", "rea", "rea"), remove("t", "bob", "bob"), remove("t", "ann", "cid")]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["ack"] * 3
    assert [(frame["type"], frame["rev"], frame["data"]["userId"]) for frame in said.frames] == [
        ("member_removed", 6, "rea"),
        ("member_removed", 7, "bob"),
        ("member_removed", 8, "cid"),
    ]
    assert (await thread(ledger)).member_count == 1


async def test_removing_who_is_no_member_is_no_change(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), remove("t", "ann", "bob"))
    commands = [remove("t", "ann", "bob"), remove("t", "ann", "nobody")]
    said = await ledger.apply(*commands)
    assert (codes(said, commands), said.events) == (["ack", "ack"], [])
    again = remove("t", "bob", "bob")
    assert codes(await ledger.apply(again), [again]) == ["NOT_A_MEMBER"]


async def test_who_left_may_do_nothing_any_more(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), send("t", "bob", "c1"), remove("t", "bob", "bob"))
    before = await ledger.store.read_tables()
    commands: list[Command] = [
        send("t", "bob", "c2"),
        edit("t", "bob", 1, "x"),
        delete("t", "bob", 1),
        react("t", "bob", 1),
        move("t", "bob", read=1),
        mark("t", "bob", 1),
        own("t", "bob", muted=True),
        register("t", "bob", 1),
        update("t", "bob", title="x"),
        add("t", "bob", "eve"),
        remove("t", "bob", "ann"),
    ]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["NOT_A_MEMBER"] * len(commands)
    after = await ledger.store.read_tables()
    assert (said.events, after.threads, after.members) == ([], before.threads, before.members)


async def test_a_thread_keeps_an_owner_while_it_has_members(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"))
    commands: list[Command] = [
        remove("t", "ann", "ann"),
        add("t", "ann", "ann", Role.MEMBER),
        add("t", "ann", "ann", Role.READER),
    ]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["LAST_OWNER"] * 3
    commands = [
        add("t", "ann", "bob", Role.OWNER),
        remove("t", "ann", "ann"),
        remove("t", "bob", "bob"),
    ]
    assert codes(await ledger.apply(*commands), commands) == ["ack", "ack", "ack"]  # the sole member may leave
    assert (await thread(ledger)).member_count == 0
    last = send("t", "bob", "c1")
    assert codes(await ledger.apply(last), [last]) == ["NOT_A_MEMBER"]


@pytest.mark.parametrize("fresh", [False, True])
async def test_an_owner_of_whom_only_the_table_knows_lets_another_go(ledger: Ledger, fresh: bool) -> None:
    others = [add("t", "ann", "bob", Role.OWNER), add("t", "ann", "cid", Role.OWNER)]
    await ledger.apply(create("t", "ann", "dan"), *others)
    if fresh:
        await ledger.restart()
    commands = [remove("t", "ann", "ann"), remove("t", "bob", "bob"), remove("t", "cid", "cid")]
    assert codes(await ledger.apply(*commands), commands) == ["ack", "ack", "LAST_OWNER"]


async def test_a_former_owner_counts_for_none(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "cid"), add("t", "ann", "bob", Role.OWNER), remove("t", "bob", "bob"))
    leaving = remove("t", "ann", "ann")
    assert codes(await ledger.apply(leaving), [leaving]) == ["LAST_OWNER"]


async def test_a_former_member_comes_back_with_a_new_role_and_the_old_cursors(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), *(send("t", "ann", f"c{n}") for n in range(3)))
    await ledger.apply(move("t", "bob", read=2), remove("t", "ann", "bob"))
    joined_at = (await member(ledger, "bob")).joined_at
    said = await ledger.apply(add("t", "ann", "bob", Role.READER))
    (frame,) = said.frames
    assert (frame["type"], frame["data"]["role"], frame["data"]["readSeq"]) == ("member_added", "reader", 2)
    bob = await member(ledger, "bob")
    assert (bob.removed_at, bob.joined_at > joined_at, bob.role, bob.read_seq) == (None, True, Role.READER, 2)
    assert (await thread(ledger)).member_count == 2


async def test_leaving_and_coming_back_in_one_batch_leaves_a_member(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"))
    commands = [remove("t", "bob", "bob"), send("t", "bob", "c1"), add("t", "ann", "bob"), send("t", "bob", "c2")]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["ack", "NOT_A_MEMBER", "ack", "message_ack"]
    assert [frame["type"] for frame in said.frames] == ["member_removed", "member_added", "message"]
    assert [frame["rev"] for frame in said.frames] == [4, 5, 6]
    assert ((await member(ledger, "bob")).removed_at, (await thread(ledger)).member_count) == (None, 2)


async def test_members_are_counted_through_a_batch_that_makes_the_thread(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", "cid"), remove("t", "ann", "bob"), add("t", "ann", "dan"))
    assert (await thread(ledger)).member_count == 3
    await ledger.apply(add("t", "ann", "eve"), remove("t", "ann", "nobody"), remove("t", "cid", "cid"))
    assert (await thread(ledger)).member_count == 3
    await ledger.apply(create("u", "ann", open=True), create("u", "bob", open=True), create("u", "bob", open=True))
    assert (await ledger.store.read_tables()).threads[ThreadId("u")].member_count == 2
