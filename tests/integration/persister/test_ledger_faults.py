"""What can not be applied, crashes, and owners that believe too long. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import Command, MoveCursor, StoreMessage
from chatterbus_contracts.states import Role
from chatterbus_contracts.subjects import partition_of
from chatterbus_persister.epochs import Position
from chatterbus_persister.ledger import handlers
from chatterbus_persister.ledger_session import LostPartitionError
from tests.kit.ledger_commands import add, create, move, remove, send
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.ledger_worker import Ledger, codes

IN_T = partition_of("t", PARTITIONS)


def with_nul(command: StoreMessage) -> StoreMessage:
    """As no decoder lets it through; PostgreSQL refuses it."""
    return StoreMessage.model_construct(**{**dict(command), "content": "a\x00b"})


async def contents(ledger: Ledger) -> list[str]:
    return [row.content for row in (await ledger.store.read_tables()).messages.values()]


@pytest.mark.parametrize("place", [0, 3, 6])
async def test_what_postgresql_refuses_is_set_aside_and_its_neighbours_are_stored_in_order(
    ledger: Ledger, place: int
) -> None:
    await ledger.apply(create("t", "ann"))
    commands: list[Command] = [send("t", "ann", f"c{number}", str(number)) for number in range(7)]
    poison = commands[place] = with_nul(send("t", "ann", "poison"))
    said = await ledger.apply_batch(IN_T, *commands)
    assert await contents(ledger) == [str(number) for number in range(7) if number != place]
    refused = said.answer(poison)
    assert (refused["code"], refused["fate"]) == ("MESSAGE_PERSIST_FAILED", "rejected")
    assert refused["clientMessageId"] == "poison"
    assert "\x00" not in str(refused)
    (letter,) = (await ledger.store.read_tables()).dead_letters.values()
    assert b'"clientMessageId":"poison"' in letter.payload


async def test_several_poisoned_commands_are_all_set_aside(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    commands = [send("t", "ann", f"c{number}", str(number)) for number in range(12)]
    commands = [with_nul(each) if number % 4 == 1 else each for number, each in enumerate(commands)]
    await ledger.apply_batch(IN_T, *commands)
    assert await contents(ledger) == [str(number) for number in range(12) if number % 4 != 1]
    assert len((await ledger.store.read_tables()).dead_letters) == 3


async def test_a_command_whose_handler_fails_is_set_aside_and_changes_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(rows: Any, command: MoveCursor, at: Any) -> Any:
        if command.read_seq == 13:
            rows.threads[command.thread_id].last_seq = 1000
            raise RuntimeError("a fault of ours")
        return handlers.move_cursor(rows, command, at)

    await ledger.apply(create("t", "ann"))
    monkeypatch.setitem(handlers.HANDLERS, MoveCursor, broken)
    poison, before, after = move("t", "ann", read=13), send("t", "ann", "c1"), send("t", "ann", "c2")
    commands: list[Command] = [before, poison, after]
    said = await ledger.apply(*commands)
    assert codes(said, commands) == ["message_ack", "MESSAGE_PERSIST_FAILED", "message_ack"]
    assert [said.answer(before)["seq"], said.answer(after)["seq"]] == [1, 2]
    (letter,) = (await ledger.store.read_tables()).dead_letters.values()
    assert b"fault of ours" not in letter.payload


async def test_a_parcel_that_can_not_be_decoded_is_set_aside_and_the_next_one_is_applied(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    for data in (b"", b"\xff\xfe", b"{}", b"[", b"null"):
        ledger.queue.publish_raw(IN_T, data)
    after = send("t", "ann", "c1")
    assert (await ledger.apply(after)).answer(after)["seq"] == 1
    letters = (await ledger.store.read_tables()).dead_letters.values()
    assert [letter.payload for letter in letters] == [b"", b"\xff\xfe", b"{}", b"[", b"null"]


async def test_a_command_that_can_not_be_decoded_does_not_hide_its_neighbours_and_is_answered(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    before, after = send("t", "ann", "c1"), send("t", "ann", "c2")
    named = send("t", "ann", "c3")
    ledger.queue.publish(IN_T, before, b'{"kind":"no.such","id":"%s","gateway":"g1"}' % named.id.encode(), b"7", after)
    said = await ledger.work()
    assert [said.answer(before)["seq"], said.answer(after)["seq"]] == [1, 2]
    assert said.answer(named)["code"] == "MESSAGE_PERSIST_FAILED"
    letters = (await ledger.store.read_tables()).dead_letters
    assert [(key[3], letter.payload[:9]) for key, letter in letters.items()] == [(1, b'{"kind":"'), (2, b"7")]


async def test_an_empty_parcel_is_passed_over(ledger: Ledger) -> None:
    seq = ledger.queue.publish_raw(IN_T, b"[]")
    await ledger.work()
    assert (await ledger.store.read_tables()).positions[IN_T].applied == seq


async def test_what_was_not_committed_is_applied_after_the_crash(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    sent = send("t", "ann", "c1")
    ledger.publish(sent)
    await ledger.crash("applied")
    assert await contents(ledger) == []
    assert (await ledger.work()).answer(sent)["seq"] == 1


async def test_what_was_committed_and_not_announced_is_said_again_and_applied_once(ledger: Ledger) -> None:
    commands: list[Command] = [
        create("t", "ann", "bob"),
        send("t", "ann", "c1", metadata={"b": 1, "aa": 1e16}),
        send("t", "bob", "c2", "two", reply_to_id="t~1", mentions=["ann"]),
        move("t", "ann", read=2),
        add("t", "ann", "cid"),
    ]
    ledger.publish(*commands)
    first = await ledger.crash()
    before = await ledger.store.read_tables()
    again = await ledger.work()
    assert (await ledger.store.read_tables()).messages == before.messages
    assert (await ledger.store.read_tables()).threads == before.threads
    sends = commands[1:3]
    assert [again.answer(each) for each in sends] == [first.answer(each) for each in sends]
    assert codes(again, commands) == codes(first, commands)
    told = {event.frame for event in again.events}
    assert {event.frame for event in first.events if event.type == "message"} <= told
    assert {event.rev for event in first.events} <= {event.rev for event in again.events}


async def test_what_comes_new_with_what_is_said_again_is_applied_after_it(ledger: Ledger) -> None:
    ledger.publish(create("t", "ann"), send("t", "ann", "c1"))
    await ledger.crash()
    fresh, retry = send("t", "ann", "c2"), send("t", "ann", "c1")
    said = await ledger.apply(fresh, retry)
    assert [said.answer(fresh)["seq"], said.answer(retry)["seq"]] == [2, 1]
    assert [event.rev for event in said.events] == sorted(event.rev for event in said.events)


async def test_what_was_refused_before_a_crash_is_not_acked_after_it(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob", readers=["rea"]), send("t", "ann", "c0"))
    await ledger.apply(remove("t", "ann", "bob"))
    refused: list[Command] = [
        send("t", "rea", "c1"),
        send("t", "ann", "c2", reply_to_id="t~77"),
        add("t", "rea", "ann"),
        add("t", "eve", "ann", Role.OWNER),
        create("t", "eve"),
        move("t", "eve", read=1),
        move("t", "bob", read=1),
        add("t", "bob", "ann"),
    ]
    ledger.publish(*refused)
    first = await ledger.crash()
    assert all(first.answer(each)["type"] == "error" for each in refused)
    again = await ledger.work()
    assert [each.kind for each in refused if not again.unanswered(each)] == []
    assert again.events == []


async def test_dead_letters_are_written_once_though_a_crash_repeats_them(ledger: Ledger) -> None:
    ledger.queue.publish_raw(IN_T, b"[7]")
    await ledger.crash()
    await ledger.work()
    assert len((await ledger.store.read_tables()).dead_letters) == 1


async def test_of_two_who_believe_to_own_a_partition_only_one_commits(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    ledger.publish(send("t", "ann", "c1"), send("t", "ann", "c2"))
    one, two = await ledger.new_worker(), await ledger.new_worker()
    first, second = one.take(), two.take(1)
    await one.commit(first)
    with pytest.raises(LostPartitionError):
        await two.commit(second)
    await two.begin()
    await two.commit(two.take())
    assert len(await contents(ledger)) == 2


async def test_who_lost_a_partition_can_not_commit_different_commands_either(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    one, two = await ledger.new_worker(), await ledger.new_worker()
    ledger.publish(send("t", "ann", "c1"))
    await one.commit(one.take())
    ledger.publish(move("t", "ann", read=1))
    two.read_through[IN_T] += 1
    with pytest.raises(LostPartitionError):
        await two.commit(two.take())


async def test_an_offset_of_another_epoch_is_worth_nothing(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"))
    one, two = await ledger.new_worker(), await ledger.new_worker()
    await two.session.begin_epoch(IN_T, Position(2, "created anew", one.held[IN_T].applied, 0))
    ledger.publish(send("t", "ann", "c1"))
    with pytest.raises(LostPartitionError):
        await one.commit(one.take())
    with pytest.raises(LostPartitionError):
        await one.session.begin_epoch(IN_T, Position(2, "created anew", 0, 0))


async def test_a_stream_restored_from_the_past_doubles_nothing(ledger: Ledger) -> None:
    commands: list[Command] = [create("t", "ann", "bob"), send("t", "ann", "c1"), move("t", "bob", read=1)]
    first = await ledger.apply(*commands)
    before = await ledger.store.read_tables()
    worker = await ledger.new_worker()
    await worker.session.begin_epoch(IN_T, Position(2, "restored", 0, 0))
    await worker.begin()
    again = await worker.commit(worker.take())
    assert again.events == []
    assert again.answer(commands[1]) == first.answer(commands[1])
    after = await ledger.store.read_tables()
    assert (after.threads, after.members, after.messages) == (before.threads, before.members, before.messages)
