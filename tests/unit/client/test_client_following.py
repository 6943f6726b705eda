"""Following threads, against a scripted server: no holes, no repetitions, across reconnects."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from chatterbus_client import (
    CaughtUp,
    ClientClosed,
    ConnectionChanged,
    EventStream,
    MessageCreated,
    ReadReceipt,
    Refused,
    State,
    ThreadLost,
    TypingNotice,
    Unreachable,
)
from chatterbus_contracts.errors import CloseCode, ErrorCode
from chatterbus_contracts.frames.client import Auth, Ping, SendRead, Subscribe
from chatterbus_contracts.frames.server import Reconnect, Resync, TokenExpiring
from chatterbus_contracts.ids import ThreadId
from tests.kit.waiting import until
from tests.unit.client.peer import FAST, Peer, Session, problem
from tests.unit.client.thread_model import AT

DEMO = ThreadId("demo")


async def event_of(kind: type, events: EventStream) -> Any:
    async with asyncio.timeout(5):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the stream ended without {kind.__name__}")


async def seen_by(events: EventStream) -> list[str]:
    return [event.data.content async for event in events if isinstance(event, MessageCreated)]


async def test_a_thread_shows_its_last_messages_and_what_comes() -> None:
    async with Peer() as peer:
        for number in range(5):
            await peer.say("demo", "bob", str(number))
        async with peer.client() as client:
            thread = await client.thread("demo", history=3)
            assert [message.content for message in thread.messages] == ["2", "3", "4"]
            await peer.say("demo", "bob", "live")
            await until(lambda: thread.last_seq == 6, 5, "the live message is seen")
            assert thread.messages[-1].content == "live"
            await thread.history(limit=2)
            assert thread.oldest_seq == 1


async def test_states_are_passed_in_order() -> None:
    async with Peer() as peer:
        client = peer.client()
        events = client.events()
        async with client:
            await client.wait_online()
        states = [event.state async for event in events if isinstance(event, ConnectionChanged)]
        assert states == ["connecting", "authenticating", "catching_up", "online", "closed"]


async def test_after_a_cut_the_client_brings_what_it_missed_once_and_in_order() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        events = client.events()
        for burst in range(5):
            await peer.say("demo", "bob", f"{burst} live")
            for session in peer.sessions:
                session.cut()
            peer.accepting = False
            await peer.say("demo", "bob", f"{burst} missed")
            peer.accepting = True
            expected = 2 * (burst + 1)
            await until(lambda expected=expected: thread.last_seq == expected, 5, "caught up")
        await until(lambda: client.state is State.ONLINE, 5, "online")
        await client.close()
        said = [f"{burst} {when}" for burst in range(5) for when in ("live", "missed")]
        assert await seen_by(events) == said
        assert [message.content for message in thread.messages] == said


async def test_a_missed_stretch_longer_than_a_page_is_fetched_to_its_end() -> None:
    async with Peer() as peer:
        peer.page_limit = 3
        async with peer.client() as client:
            thread = await client.thread("demo")
            for session in peer.sessions:
                session.cut()
            peer.accepting = False
            for number in range(20):
                await peer.say("demo", "bob", str(number))
            peer.accepting = True
            await until(lambda: thread.last_seq == 20 and thread.caught_up, 5, "caught up")
            assert [message.content for message in thread.messages] == [str(number) for number in range(20)]
            assert peer.sessions[-1].of(Subscribe)[0].since_rev is not None


async def test_a_gap_on_a_living_connection_is_repaired_and_later_events_wait_for_it() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        events = client.events()
        peer.thread("demo").send("bob", "lost", "lost")
        await peer.say("demo", "bob", "seen")
        await until(lambda: thread.last_seq == 2, 5, "the gap is filled")
        await client.close()
        assert await seen_by(events) == ["lost", "seen"]


async def test_a_repair_that_fails_for_now_is_repeated() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        failures = iter([problem(ErrorCode.STORE_UNAVAILABLE), httpx.Response(502, text="<html>")])
        peer.http_hook = lambda _: next(failures, None)
        peer.thread("demo").send("bob", "lost", "lost")
        await peer.say("demo", "bob", "seen")
        await until(lambda: thread.last_seq == 2 and thread.caught_up, 5, "the gap is filled")


async def test_a_resync_makes_the_client_look_even_without_a_gap() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        peer.thread("demo").send("bob", "lost", "lost")
        await peer.sessions[0].send(Resync(reason="test"))
        await until(lambda: thread.last_seq == 1, 5, "the lost message is found")


async def test_a_replaced_store_resets_the_view() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "old")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        events = client.events()
        peer.threads.clear()
        peer.epoch = "second"
        await peer.say("demo", "bob", "new one")
        await peer.say("demo", "bob", "new two")
        peer.sessions[0].cut()
        assert (await event_of(CaughtUp, events)).reset
        assert [message.content for message in thread.messages] == ["new one", "new two"]


@pytest.mark.parametrize("replaced", [False, True], ids=["behind", "reset"])
async def test_a_view_keeps_what_it_has_while_it_catches_up(replaced: bool) -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        for number in range(3):
            await peer.say("demo", "bob", f"old {number}")
        await until(lambda: thread.last_seq == 3, 5, "seen")
        peer.http_hook = lambda _: problem(ErrorCode.STORE_UNAVAILABLE)
        if replaced:
            peer.threads.clear()
            peer.epoch = "second"
            for number in range(4):
                await peer.say("demo", "bob", f"new {number}")
            peer.sessions[0].cut()
        else:
            peer.thread("demo").send("bob", "lost", "lost")
            await peer.sessions[0].send(Resync(reason="test"))
        await until(lambda: client.state is State.CATCHING_UP, 5, "it catches up")
        shown: list[list[str]] = []
        for _ in range(50):
            shown.append([message.content for message in thread.messages])
            await asyncio.sleep(0.002)  # some repairs fail meanwhile
        assert client.state is State.CATCHING_UP
        assert all(texts[:3] == ["old 0", "old 1", "old 2"] for texts in shown)
        peer.http_hook = lambda _: None
        await until(lambda: client.state is State.ONLINE, 5, "caught up")
        now = [message.content for message in thread.messages]
        assert now == ([f"new {n}" for n in range(4)] if replaced else ["old 0", "old 1", "old 2", "lost"])


async def test_a_refused_thread_raises_and_is_not_followed() -> None:
    async with Peer() as peer:

        async def refuse(session: Session, frame: Subscribe) -> bool:
            await session.send(peer.refusal(ErrorCode.THREAD_NOT_FOUND, ref=frame.ref))
            return True

        peer.hooks[Subscribe] = refuse
        async with peer.client() as client:
            with pytest.raises(Refused) as caught:
                await client.thread("demo")
            assert caught.value.code is ErrorCode.THREAD_NOT_FOUND
            await client.wait_online()


async def test_a_thread_refused_for_now_is_asked_for_again() -> None:
    async with Peer() as peer:

        async def refuse_once(session: Session, frame: Subscribe) -> bool:
            if len(session.of(Subscribe)) > 1:
                return False
            await session.send(peer.refusal(ErrorCode.STORE_UNAVAILABLE, ref=frame.ref))
            return True

        peer.hooks[Subscribe] = refuse_once
        async with peer.client() as client:
            assert (await client.thread("demo")).caught_up


async def test_a_thread_that_is_refused_after_a_reconnect_is_lost_and_said_so() -> None:
    async with Peer() as peer, peer.client() as client:
        await client.thread("demo")
        events = client.events()

        async def refuse(session: Session, frame: Subscribe) -> bool:
            await session.send(peer.refusal(ErrorCode.NOT_A_MEMBER, ref=frame.ref))
            return True

        peer.hooks[Subscribe] = refuse
        peer.sessions[0].cut()
        lost = await event_of(ThreadLost, events)
        assert (lost.thread_id, lost.refused.code) == ("demo", ErrorCode.NOT_A_MEMBER)


async def test_who_is_removed_from_a_thread_loses_it() -> None:
    async with Peer() as peer, peer.client() as client:
        await client.thread("demo")
        events = client.events()
        await peer.happen("demo", peer.thread("demo").remove("alice"))
        assert (await event_of(ThreadLost, events)).refused.code is ErrorCode.NOT_A_MEMBER


async def test_typing_reaches_the_others() -> None:
    async with Peer() as peer, peer.client("alice") as alice, peer.client("bob") as bob:
        await alice.thread("demo")
        await bob.thread("demo")
        events = bob.events("demo")
        await alice.typing("demo")
        notice = await event_of(TypingNotice, events)
        assert (notice.user_id, notice.is_typing) == ("alice", True)


async def test_a_receipt_given_while_offline_is_told_on_the_next_connection() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "hello")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        peer.accepting = False
        peer.sessions[0].cut()
        await until(lambda: client.state is State.OFFLINE, 5, "offline")
        events = client.events()
        await thread.mark_read()
        peer.accepting = True
        assert (await event_of(ReadReceipt, events)).seq == 1
        assert thread.members["alice"].read_seq == 1


async def test_reading_the_same_again_costs_no_frame() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "hello")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        for _ in range(3):
            await thread.mark_read(1)
        await until(lambda: thread.members["alice"].read_seq == 1, 5, "told")
        await thread.mark_read(1)
        await client.send("demo", "after")
        assert len(peer.sessions[0].of(SendRead)) == 1


async def test_reading_many_messages_at_once_costs_a_handful_of_frames() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        for number in range(200):
            await peer.say("demo", "bob", str(number))
            await thread.mark_read()
        await until(lambda: thread.last_seq == 200, 5, "all is seen")
        await thread.mark_read()
        await until(lambda: thread.members["alice"].read_seq == 200, 5, "all is read")
        assert len(peer.sessions[0].of(SendRead)) < 20


async def test_a_draining_gateway_is_left_when_it_says_and_unanswered_messages_go_to_the_next() -> None:
    async with Peer() as peer, peer.client() as client:
        await client.wait_online()
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        await peer.sessions[0].send(Reconnect(after_ms=150))
        await until(lambda: len(peer.sessions) == 2, 5, "the client comes back")
        assert loop.time() - told_at >= 0.15
        assert (await client.send("demo", "hello")).seq == 1


async def test_a_draining_gateway_that_closes_first_is_not_rushed() -> None:
    async with Peer() as peer, peer.client() as client:
        await client.wait_online()
        events = client.events()
        await peer.sessions[0].send(Reconnect(after_ms=200))
        await peer.close(peer.sessions[0], CloseCode.DRAINING)
        change = await event_of(ConnectionChanged, events)
        assert change.state is State.OFFLINE
        assert 0.1 < change.retry_in_s <= 0.2
        await client.wait_online()


async def test_an_idle_link_is_pinged_and_a_dead_one_is_left() -> None:
    async with Peer() as peer:
        peer.heartbeat_ms = 100

        async def silent(session: Session, _: Ping) -> bool:
            return session.number == 0 and len(session.of(Ping)) > 2

        peer.hooks[Ping] = silent
        async with peer.client() as client:
            await client.wait_online()
            await until(lambda: len(peer.sessions) == 2, 5, "the dead link is left")
            assert len(peer.sessions[0].of(Ping)) > 2
            await until(lambda: len(peer.sessions[1].of(Ping)) > 3, 5, "the new one lives")
            assert len(peer.sessions) == 2


async def test_a_token_is_renewed_on_the_open_socket() -> None:
    tokens = iter(["alice-1", "alice-2"])

    async def token() -> str:
        return next(tokens)

    async with Peer() as peer, peer.client(None, token=token) as client:
        await client.wait_online()
        await peer.sessions[0].send(TokenExpiring(expires_at=AT))
        await until(lambda: len(peer.sessions[0].auths) == 2, 5, "auth again")
        assert [auth.token for auth in peer.sessions[0].auths] == ["alice-1", "alice-2"]
        assert client.user_id == "alice"
        await client.history("demo")
        assert peer.requests[-1].headers["authorization"] == "Bearer alice-2"


async def test_tokens_that_live_too_short_do_not_become_a_loop() -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return f"alice-{asked}"

    async with Peer() as peer:

        async def expires_at_once(session: Session, frame: Auth) -> bool:
            await peer.on_auth(session, frame)
            await session.send(TokenExpiring(expires_at=AT))
            return True

        peer.hooks[Auth] = expires_at_once
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        async with peer.client(None, token=token, settings=replace(FAST, renew_pause_s=0.1)) as client:
            await client.wait_online()
            await until(lambda: asked >= 5, 5, "renewed again and again")
            assert loop.time() - began_at >= 0.3
            assert len(peer.sessions) == 1


async def test_a_defect_in_a_task_ends_the_client_instead_of_leaving_callers_waiting() -> None:
    async with Peer() as peer:
        client = peer.client()
        await client.__aenter__()
        await client.wait_online()
        client._inbox.received = lambda _: 1 / 0  # type: ignore[assignment, method-assign]
        with pytest.raises(ClientClosed, match="ZeroDivisionError"):
            await client.send("demo", "hello")
        assert client.state is State.CLOSED
        with pytest.raises(ZeroDivisionError):
            await client.close()


async def test_an_expired_token_is_replaced_once_at_connect_and_not_for_ever() -> None:
    asked: list[str] = []

    async def token() -> str:
        asked.append(f"alice-{len(asked) + 1}")
        return asked[-1]

    async with Peer() as peer:

        async def expired(session: Session, _: Auth) -> bool:
            await session.send(peer.refusal(ErrorCode.TOKEN_EXPIRED))
            await peer.close(session, CloseCode.TOKEN_EXPIRED)
            return True

        peer.hooks[Auth] = expired
        async with peer.client(None, token=token) as client:
            with pytest.raises(Refused) as caught:
                await client.wait_online()
            assert caught.value.code is ErrorCode.TOKEN_EXPIRED
            assert client.state is State.CLOSED
        assert asked == ["alice-1", "alice-2"]


async def test_a_rest_call_with_an_expired_token_is_repeated_with_a_fresh_one() -> None:
    tokens = iter(["alice-1", "alice-2"])

    async def token() -> str:
        return next(tokens)

    async with Peer() as peer:
        peer.http_hook = lambda request: (
            problem(ErrorCode.TOKEN_EXPIRED) if request.headers["authorization"].endswith("1") else None
        )
        async with peer.client(None, token=token) as client:
            await client.wait_online()
            assert (await client.history("demo")).items == []


async def test_a_refused_token_ends_the_client_with_the_servers_code() -> None:
    async with Peer() as peer:

        async def refuse(session: Session, _: Auth) -> bool:
            await session.send(peer.refusal(ErrorCode.AUTH_FAILED))
            await peer.close(session, CloseCode.AUTH_FAILED)
            return True

        peer.hooks[Auth] = refuse
        async with peer.client(None, token="wrong") as client:
            for call in (client.wait_online(), client.thread("demo"), client.send("demo", "hello")):
                with pytest.raises(Refused) as caught:
                    await call
                assert caught.value.code is ErrorCode.AUTH_FAILED


async def test_development_mode_says_who_in_headers() -> None:
    async with Peer() as peer, peer.client("alice", user_type="client") as client:
        await client.history("demo")
        headers = peer.requests[-1].headers
        assert (headers["x-user-id"], headers["x-user-type"]) == ("alice", "client")


async def test_nobody_listening_is_told_at_once_when_asked_to_fail_fast() -> None:
    peer = Peer()
    await peer.start()
    url_holder = peer.client()
    await peer.stop()
    async with url_holder as client:
        with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:"):
            await client.wait_online(30, fail_fast=True)


async def test_a_thread_asked_for_while_nobody_listens_ends_with_unreachable() -> None:
    async with Peer() as peer:
        peer.accepting = False
        async with peer.client(settings=replace(FAST, request_timeout_s=0.1)) as client:
            with pytest.raises(Unreachable):
                await client.thread("demo")


async def test_a_server_that_restarts_is_found_again() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await peer.stop()
        await until(lambda: client.state is State.OFFLINE, 5, "offline")
        await peer.start()
        await client.wait_online()
        await peer.say("demo", "bob", "back")
        await until(lambda: thread.last_seq == 1, 5, "seen")


async def test_a_closed_client_says_so_and_its_streams_end() -> None:
    async with Peer() as peer:
        async with peer.client() as client:
            events = client.events()
        with pytest.raises(ClientClosed):
            await client.thread("demo")
        assert [event async for event in events][-1].state is State.CLOSED


async def test_frames_that_cannot_be_read_are_passed_over() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        for data in ('{"type":"presence","userId":"bob"}', "no json", '{"type":"message"}', b"\xff\x00"):
            await peer.sessions[0].socket.send(data)
        await peer.say("demo", "bob", "fine")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        assert len(peer.sessions) == 1


async def test_a_client_leaves_nothing_running() -> None:
    async with Peer() as peer:
        before = asyncio.all_tasks()
        async with peer.client() as client:
            await client.thread("demo")
            await client.send("demo", "hello")
        ours = [
            task for task in asyncio.all_tasks() - before if "Peer" not in repr(task) and "server" not in repr(task)
        ]
        assert ours == []
