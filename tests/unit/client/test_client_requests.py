"""Edits, deletes, reactions and marks, against a scripted server: one answer each, in time, whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from chatterbus_client import Client, ClientClosed, MessageUpdated, NotConnected, Refused, State, Unreachable
from chatterbus_contracts.errors import CloseCode, ErrorCode
from chatterbus_contracts.frames.client import (
    DeleteMessage,
    EditMessage,
    React,
    SendDelivered,
    SendMarkUnread,
    SendRead,
)
from chatterbus_contracts.frames.server import Reconnect
from tests.kit.waiting import until
from tests.unit.client.peer import FAST, Peer, Session

HASTY = replace(FAST, request_timeout_s=0.15)


async def test_an_edit_a_reaction_and_a_delete_return_their_rev_and_show_in_the_view() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        sent = await thread.send("helo")
        rev = await thread.edit(sent.seq, "hello")
        await until(lambda: thread.rev == rev, 5, "the edit is seen")
        assert (thread.messages[-1].content, thread.messages[-1].edited) == ("hello", True)
        await thread.react(sent.seq, "👍")
        await until(lambda: bool(thread.messages[-1].reactions), 5, "the reaction is seen")
        assert thread.messages[-1].reactions[0].user_ids == ["alice"]
        assert await thread.react(sent.seq, "👍") is None
        await thread.unreact(sent.seq, "👍")
        await thread.delete(sent.seq)
        await until(lambda: thread.messages[-1].deleted, 5, "the delete is seen")
        assert (thread.messages[-1].content, thread.messages[-1].reactions) == ("", [])


async def test_many_requests_at_once_get_each_its_own_answer() -> None:
    async with Peer() as peer, peer.client() as client:
        sent = [await client.send("demo", str(number)) for number in range(20)]
        held: list[tuple[Session, EditMessage]] = []

        async def answer_backwards(session: Session, frame: EditMessage) -> bool:
            held.append((session, frame))
            if len(held) == len(sent):
                for session, frame in reversed(held):
                    await peer.on_edit(session, frame)
            return True

        peer.hooks[EditMessage] = answer_backwards
        revs = await asyncio.gather(*(client.edit(one.message_id, f"{one.seq} edited") for one in sent))
        messages = peer.thread("demo").messages
        assert revs == [messages[one.seq].rev for one in sent]
        assert [messages[one.seq].content for one in sent] == [f"{one.seq} edited" for one in sent]


async def test_a_refusal_raises_with_the_servers_code() -> None:
    async with Peer() as peer, peer.client() as client:

        async def refuse(session: Session, frame: EditMessage) -> bool:
            await session.send(peer.refusal(ErrorCode.FORBIDDEN, ref=frame.ref))
            return True

        peer.hooks[EditMessage] = refuse
        with pytest.raises(Refused) as caught:
            await client.edit("demo~1", "mine now")
        assert (caught.value.code, caught.value.fate) == (ErrorCode.FORBIDDEN, "rejected")


async def test_a_refusal_that_may_pass_is_asked_again() -> None:
    async with Peer() as peer, peer.client() as client:
        sent = await client.send("demo", "hello")

        async def busy_twice(session: Session, frame: React) -> bool:
            asked = len(session.of(React))
            if asked > 2:
                return False
            code = ErrorCode.QUEUE_FULL if asked == 1 else ErrorCode.TIMEOUT
            await session.send(peer.refusal(code, ref=frame.ref, retry_after_ms=1))
            return True

        peer.hooks[React] = busy_twice
        assert await client.react(sent.message_id, "👍") == 2


async def test_a_refusal_that_does_not_pass_in_time_is_raised() -> None:
    async with Peer() as peer, peer.client(settings=HASTY) as client:

        async def busy(session: Session, frame: React) -> bool:
            await session.send(peer.refusal(ErrorCode.QUEUE_FULL, ref=frame.ref))
            return True

        peer.hooks[React] = busy
        with pytest.raises(Refused) as caught:
            await client.react("demo~1", "👍")
        assert caught.value.code is ErrorCode.QUEUE_FULL


async def test_without_a_connection_a_request_is_refused_in_time_and_never_carried_out() -> None:
    async with Peer() as peer:
        peer.accepting = False
        async with peer.client(settings=HASTY) as client:
            with pytest.raises(NotConnected, match="nothing happened"):
                await client.delete("demo~1")
            peer.accepting = True
            await client.wait_online()
            await client.send("demo", "after")
            assert peer.sessions[0].of(DeleteMessage) == []


async def test_a_request_made_while_offline_waits_for_the_connection() -> None:
    async with Peer() as peer, peer.client() as client:
        sent = await client.send("demo", "helo")
        peer.accepting = False
        peer.sessions[0].cut()
        await until(lambda: client.state is State.OFFLINE, 5, "offline")
        edit = asyncio.create_task(client.edit(sent.message_id, "hello"))
        await asyncio.sleep(0)
        peer.accepting = True
        assert await edit == 2
        assert peer.thread("demo").messages[1].content == "hello"


async def test_a_request_whose_answer_was_lost_with_the_connection_is_asked_again_on_the_next() -> None:
    async with Peer() as peer, peer.client() as client:
        sent = await client.send("demo", "helo")

        async def carry_out_and_cut(session: Session, frame: EditMessage) -> bool:
            if session.number > 0:
                return False
            peer.thread("demo").edit(1, frame.content)
            session.cut()
            return True

        peer.hooks[EditMessage] = carry_out_and_cut
        assert await client.edit(sent.message_id, "hello") is None
        assert peer.thread("demo").revisions == {1: ["helo"]}


async def test_a_request_that_nobody_answers_says_that_it_may_have_happened() -> None:
    async with Peer() as peer, peer.client(settings=HASTY) as client:

        async def silent(_: Session, __: DeleteMessage) -> bool:
            return True

        peer.hooks[DeleteMessage] = silent
        with pytest.raises(Unreachable, match="may have happened") as caught:
            await client.delete("demo~1")
        assert not isinstance(caught.value, NotConnected)


async def test_a_draining_gateway_is_not_asked_and_the_next_one_is() -> None:
    async with Peer() as peer, peer.client() as client:
        sent = await client.send("demo", "hello")

        async def draining(session: Session, frame: DeleteMessage) -> bool:
            if session.number > 0:
                return False
            await session.send(peer.refusal(ErrorCode.DRAINING, ref=frame.ref), Reconnect(after_ms=50))
            return True

        peer.hooks[DeleteMessage] = draining
        assert await client.delete(sent.message_id) == 2
        assert len(peer.sessions[0].of(DeleteMessage)) == 1


async def test_who_waits_is_told_when_the_client_is_closed() -> None:
    async with Peer() as peer:

        async def silent(_: Session, __: DeleteMessage) -> bool:
            return True

        peer.hooks[DeleteMessage] = silent
        async with peer.client() as client:
            await client.wait_online()
            asking = asyncio.create_task(client.delete("demo~1"))
            await until(lambda: bool(peer.sessions[0].of(DeleteMessage)), 5, "asked")
        with pytest.raises(ClientClosed):
            await asking


async def test_who_waits_is_told_when_the_server_ends_it_for_good() -> None:
    async with Peer() as peer:

        async def end(session: Session, _: DeleteMessage) -> bool:
            await peer.close(session, CloseCode.PROTOCOL_VIOLATION)
            return True

        peer.hooks[DeleteMessage] = end
        async with peer.client() as client:
            with pytest.raises(ClientClosed):
                await client.delete("demo~1")
            with pytest.raises(ClientClosed):
                await client.delete("demo~1")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.edit("demo", "x"), ErrorCode.BAD_FRAME),
        (lambda client: client.edit("demo~1", "x" * 16_001), ErrorCode.CONTENT_TOO_LONG),
        (lambda client: client.delete("de mo~1"), ErrorCode.BAD_FRAME),
        (lambda client: client.react("demo~1", ""), ErrorCode.BAD_FRAME),
        (lambda client: client.mark_unread("demo", 0), ErrorCode.BAD_REQUEST),
    ],
)
async def test_what_no_server_takes_costs_no_connection(
    call: Callable[[Client], Awaitable[Any]], code: ErrorCode
) -> None:
    async with Peer() as peer, peer.client() as client:
        await client.wait_online()
        with pytest.raises(Refused) as caught:
            await call(client)
        assert caught.value.code is code
        assert peer.sessions[0].frames[1:] == []


async def test_what_arrives_is_confirmed_by_itself_the_latest_only() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        for number in range(100):
            await peer.say("demo", "bob", str(number))
        await until(lambda: thread.members["alice"].delivered_seq == 100, 5, "all is confirmed")
        assert len(peer.sessions[0].of(SendDelivered)) < 20
        assert thread.members["alice"].read_seq == 0


async def test_what_was_missed_while_away_is_confirmed_after_the_return() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        peer.accepting = False
        peer.sessions[0].cut()
        await peer.say("demo", "bob", "missed")
        peer.accepting = True
        await until(lambda: thread.members["alice"].delivered_seq == 1, 5, "it is confirmed")


async def test_who_reads_at_once_confirms_once() -> None:
    async with Peer() as peer, peer.client(settings=replace(FAST, receipts_pause_s=0.1)) as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "hello")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        await thread.mark_read()
        await until(lambda: thread.members["alice"].read_seq == 1, 5, "read")
        await client.send("demo", "after")
        assert (len(peer.sessions[0].of(SendRead)), len(peer.sessions[0].of(SendDelivered))) == (1, 0)


async def test_nothing_is_confirmed_by_a_client_that_shall_not() -> None:
    async with Peer() as peer, peer.client(auto_deliver=False) as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "hello")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        await client.send("demo", "after")
        await peer.say("demo", "bob", "again")
        await until(lambda: thread.last_seq == 3, 5, "seen")
        assert peer.sessions[0].of(SendDelivered) == []
        await thread.mark_delivered()
        await until(lambda: thread.members["alice"].delivered_seq == 3, 5, "by hand")


async def test_a_mark_of_unread_is_not_undone_by_an_older_read_that_is_told_again() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "hello")

        async def never_confirmed(session: Session, _: SendRead) -> bool:
            return True

        peer.hooks[SendRead] = never_confirmed
        await thread.mark_read(1)
        await until(lambda: bool(peer.sessions[0].of(SendRead)), 5, "told")
        await thread.mark_unread(1)
        assert peer.marked_unread == [1]
        peer.sessions[0].cut()
        await until(lambda: len(peer.sessions) == 2 and thread.caught_up, 5, "back")
        await client.send("demo", "after")
        assert peer.sessions[1].of(SendRead) == []
        assert len(peer.sessions[0].of(SendMarkUnread)) == 1


async def test_an_event_of_a_change_comes_to_every_reader() -> None:
    async with Peer() as peer, peer.client("alice") as alice, peer.client("bob") as bob:
        await alice.thread("demo")
        events = (await bob.thread("demo")).events()
        sent = await alice.send("demo", "helo")
        await alice.edit(sent.message_id, "hello")
        async with asyncio.timeout(5):
            async for event in events:
                if isinstance(event, MessageUpdated):
                    assert event.data.content == "hello"
                    break
