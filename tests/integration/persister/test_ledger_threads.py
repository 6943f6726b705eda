"""Threads, members and cursors: who may do what, and what moves. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.rows import MemberRow
from tests.kit.ledger_commands import add, create, move, remove, send
from tests.kit.ledger_worker import START, Ledger, codes, events_of


async def member(ledger: Ledger, user: str, thread: str = "t") -> MemberRow:
    return (await ledger.store.read_tables()).members[(ThreadId(thread), UserId(user))]


async def test_a_stranger_is_answered_exactly_like_one_who_asks_for_an_unknown_thread(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    for make in (lambda t: send(t, "eve", "c1"), lambda t: move(t, "eve", read=1), lambda t: add(t, "eve", "eve")):
        known, unknown = make("t"), make("nowhere")
        said = await ledger.apply(known, unknown)
        assert said.answer(known) == said.answer(unknown)
        assert said.answer(known)["code"] == "THREAD_NOT_FOUND"


async def test_readers_may_not_write_but_may_read(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", readers=["rea"]), send("t", "ann", "c1"))
    commands = [send("t", "rea", "c1"), add("t", "rea", "eve"), move("t", "rea", read=1)]
    assert codes(await ledger.apply(*commands), commands) == ["FORBIDDEN", "FORBIDDEN", "ack"]


async def test_a_former_member_is_told_so_and_may_be_taken_back(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), send("t", "bob", "c1"))
    await ledger.apply(remove("t", "ann", "bob"))
    refused = [send("t", "bob", "c2"), move("t", "bob", read=1), add("t", "bob", "eve")]
    assert codes(await ledger.apply(*refused), refused) == ["NOT_A_MEMBER"] * 3
    back = await ledger.apply(add("t", "ann", "bob"))
    assert [frame["type"] for frame in back.frames] == ["member_added"]
    assert (await ledger.answer(send("t", "bob", "c2")))["seq"] == 2
    assert (await member(ledger, "bob")).joined_at > START


async def test_a_retry_is_answered_with_what_is_stored_though_its_sender_may_not_write_any_more(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"))
    stored = await ledger.answer(send("t", "bob", "c1"))
    await ledger.apply(add("t", "ann", "bob", Role.READER))
    again, other = send("t", "bob", "c1"), send("t", "bob", "c2")
    said = await ledger.apply(again, other)
    assert said.answer(again) == stored
    assert said.answer(other)["code"] == "FORBIDDEN"


async def test_creating_is_idempotent_and_the_creator_is_the_owner(ledger: Ledger) -> None:
    as_reader = NewMember(user_id="ann", role=Role.READER)
    first = await ledger.apply(create("t", "ann", members=[as_reader, NewMember(user_id="bob")], title="one"))
    assert [frame["type"] for frame in first.frames] == ["thread_updated", "member_added", "member_added"]
    again = create("t", "ann", "cid", title="two")
    by_member = create("t", "bob", title="three")
    said = await ledger.apply(again, by_member)
    assert codes(said, [again, by_member]) == ["ack", "ack"]
    assert said.events == []
    tables = await ledger.store.read_tables()
    assert tables.threads[ThreadId("t")].title == "one"
    assert {key[1]: row.role for key, row in tables.members.items()} == {"ann": Role.OWNER, "bob": Role.MEMBER}


async def test_a_taken_id_is_forbidden_to_strangers(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    closed, opened = create("t", "eve"), create("t", "eve", open=True)
    assert codes(await ledger.apply(closed, opened), [closed, opened]) == ["FORBIDDEN", "FORBIDDEN"]


async def test_an_open_thread_takes_in_whoever_opens_it_again_and_only_them(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", open=True))
    joins, asks, talks = create("t", "bob", open=True), create("t", "cid"), send("t", "cid", "c1")
    said = await ledger.apply(joins, asks, talks)
    assert codes(said, [joins, asks, talks]) == ["ack", "FORBIDDEN", "THREAD_NOT_FOUND"]
    assert [frame["type"] for frame in said.frames] == ["member_added"]
    assert (await member(ledger, "bob")).role is Role.MEMBER


async def test_a_thread_created_in_a_batch_serves_the_rest_of_it(ledger: Ledger) -> None:
    sent = send("t", "bob", "c1")
    said = await ledger.apply(create("t", "ann", "bob"), sent, move("t", "ann", read=1))
    assert said.answer(sent)["seq"] == 1
    assert [frame["rev"] for frame in events_of(said, "t")] == [1, 2, 3, 4, 5]


async def test_only_owners_add_members_and_change_roles(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"))
    commands = [
        add("t", "bob", "cid"),
        add("t", "ann", "cid"),
        add("t", "ann", "cid"),
        add("t", "ann", "bob", Role.OWNER),
    ]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["FORBIDDEN", "ack", "ack", "ack"]
    assert [(frame["type"], frame["data"]["userId"]) for frame in said.frames] == [
        ("member_added", "cid"),
        ("member_added", "bob"),
    ]
    added = add("t", "bob", "dan")
    assert codes(await ledger.apply(added), [added]) == ["ack"]


async def test_cursors_only_move_forward(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), *(send("t", "ann", f"c{number}") for number in range(5)))
    said = await ledger.apply(move("t", "bob", read=3), move("t", "bob", read=2), move("t", "bob", delivered=1))
    assert [(frame["type"], frame["seq"]) for frame in said.frames] == [("read_receipt", 3)]
    bob = await member(ledger, "bob")
    assert (bob.read_seq, bob.delivered_seq) == (3, 3)


async def test_cursors_never_pass_the_last_message(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), send("t", "ann", "c1"))
    said = await ledger.apply(move("t", "bob", read=2**53 - 1, delivered=2**53 - 1))
    assert [(frame["type"], frame["seq"], frame["messageId"]) for frame in said.frames] == [("read_receipt", 1, "t~1")]


async def test_reading_implies_delivered_in_one_event(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), *(send("t", "ann", f"c{number}") for number in range(5)))
    said = await ledger.apply(move("t", "bob", delivered=2), move("t", "bob", read=4, delivered=5))
    assert [(frame["type"], frame["seq"]) for frame in said.frames] == [
        ("delivered_receipt", 2),
        ("read_receipt", 4),
        ("delivered_receipt", 5),
    ]
    bob = await member(ledger, "bob")
    assert (bob.read_seq, bob.delivered_seq) == (4, 5)


async def test_standing_still_is_answered_and_is_no_event(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), send("t", "ann", "c1"), move("t", "bob", read=1))
    before = (await ledger.store.read_tables()).threads
    still = [move("t", "bob", read=1), move("t", "bob", delivered=1), move("t", "bob", read=0), move("t", "bob")]
    said = await ledger.apply(*still)
    assert codes(said, still) == ["ack"] * 4
    assert said.events == []
    assert (await ledger.store.read_tables()).threads == before


async def test_a_cursor_in_an_empty_thread_stands_still(ledger: Ledger) -> None:
    said = await ledger.apply(create("t", "ann", "bob"), move("t", "bob", read=1))
    assert "read_receipt" not in [frame["type"] for frame in said.frames]
