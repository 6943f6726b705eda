"""Sending, against a scripted server: stored once, in order, whatever happens to the connection."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatterbus_client import (
    Client,
    ClientClosed,
    ClientSettings,
    FileOutbox,
    MemoryOutbox,
    NotYetSent,
    OutboxBusy,
    OutboxFull,
    Refused,
    SendChanged,
    State,
)
from chatterbus_contracts.codec import encode
from chatterbus_contracts.errors import CloseCode, ErrorCode
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.ids import ClientMessageId, ThreadId
from chatterbus_contracts.rest import QueuedMessage
from tests.kit.waiting import until
from tests.unit.client.peer import FAST, Peer, Session, problem

FALLBACK = replace(FAST, fallback_after_s=0.02, reconnect_initial_s=0.05, reconnect_maximum_s=0.1)


def contents(peer: Peer, thread_id: str = "demo") -> list[str]:
    model = peer.thread(thread_id)
    return [model.messages[seq].content for seq in sorted(model.messages)]


async def test_send_returns_the_place_of_the_stored_message() -> None:
    async with Peer() as peer, peer.client() as client:
        sent = await client.send("demo", "hello")
        assert (sent.seq, sent.message_id, sent.thread_id) == (1, "demo~1", "demo")
        assert peer.thread("demo").messages[1].client_message_id == sent.client_message_id
        assert (await client.send("demo", "again")).seq == 2


async def test_posted_messages_are_stored_in_order_before_the_client_leaves() -> None:
    async with Peer() as peer:
        async with peer.client() as client:
            pendings = [client.post("demo", str(number)) for number in range(50)]
        assert contents(peer) == [str(number) for number in range(50)]
        assert [(await pending).seq for pending in pendings] == list(range(1, 51))


async def test_a_message_whose_ack_was_lost_with_the_connection_is_resent_and_stored_once() -> None:
    async with Peer() as peer:

        async def store_and_cut(session: Session, frame: SendMessage) -> bool:
            if session.number > 0:
                return False
            await peer.store(session.user, frame)
            session.cut()
            return True

        peer.hooks[SendMessage] = store_and_cut
        async with peer.client() as client:
            sent = await client.send("demo", "hello")
        assert sent.seq == 1
        assert contents(peer) == ["hello"]
        ids = [frame.client_message_id for session in peer.sessions for frame in session.of(SendMessage)]
        assert len(ids) == 2
        assert len(set(ids)) == 1


async def test_after_a_cut_everything_unanswered_is_resent_in_order_before_anything_later() -> None:
    async with Peer() as peer:

        async def swallow(session: Session, _: SendMessage) -> bool:
            if session.number == 0 and len(session.of(SendMessage)) == 5:
                session.cut()
            return session.number == 0

        peer.hooks[SendMessage] = swallow
        async with peer.client(settings=replace(FAST, in_flight_per_thread=5)) as client:
            first = [client.post("demo", str(number)) for number in range(5)]
            await until(lambda: len(peer.sessions) == 2, 5, "the client comes back")
            client.post("demo", "later")
            await first[-1]
            await client.drain()
        assert [frame.content for frame in peer.sessions[1].of(SendMessage)] == ["0", "1", "2", "3", "4", "later"]
        assert contents(peer) == ["0", "1", "2", "3", "4", "later"]


async def test_a_message_refused_for_now_is_retried_with_the_same_id_and_not_overtaken() -> None:
    async with Peer() as peer:
        refusals = [ErrorCode.QUEUE_FULL, ErrorCode.TIMEOUT, ErrorCode.RATE_LIMITED]

        async def refuse(session: Session, frame: SendMessage) -> bool:
            if not refusals:
                return False
            code = refusals.pop()
            await session.send(peer.refusal(code, client_message_id=frame.client_message_id))
            return True

        peer.hooks[SendMessage] = refuse
        async with peer.client() as client:
            first, second = client.post("demo", "first"), client.post("demo", "second")
            assert ((await first).seq, (await second).seq) == (1, 2)
        ids = [frame.client_message_id for frame in peer.sessions[0].of(SendMessage)]
        assert ids == [first.client_message_id] * 4 + [second.client_message_id]


async def test_a_final_refusal_is_raised_with_its_code_and_the_next_message_goes() -> None:
    async with Peer() as peer:

        async def refuse(session: Session, frame: SendMessage) -> bool:
            refused = frame.content == "bad"
            if refused:
                answer = peer.refusal(ErrorCode.FORBIDDEN, client_message_id=frame.client_message_id)
                await session.send(answer)
            return refused

        peer.hooks[SendMessage] = refuse
        async with peer.client() as client:
            bad, good = client.post("demo", "bad"), client.post("demo", "good")
            with pytest.raises(Refused) as caught:
                await bad
            assert (caught.value.code, caught.value.retryable, caught.value.fate) == ("FORBIDDEN", False, "rejected")
            assert bad.status == "failed"
            assert (await good).seq == 1


async def test_without_retries_a_refusal_that_may_pass_is_raised_too() -> None:
    async with Peer() as peer:

        async def full(session: Session, frame: SendMessage) -> bool:
            answer = peer.refusal(ErrorCode.QUEUE_FULL, client_message_id=frame.client_message_id)
            await session.send(answer)
            return True

        peer.hooks[SendMessage] = full
        async with peer.client(settings=replace(FAST, retries=0)) as client:
            with pytest.raises(Refused) as caught:
                await client.send("demo", "hello")
            assert (caught.value.code, caught.value.retryable) == ("QUEUE_FULL", True)


async def test_queued_is_told_before_sent() -> None:
    async with Peer() as peer:

        async def queue_first(session: Session, frame: SendMessage) -> bool:
            await session.send(peer.queued(frame))
            return False

        peer.hooks[SendMessage] = queue_first
        async with peer.client() as client:
            events = client.events()
            await client.send("demo", "hello")
            await client.close()
            assert [e.status for e in [e async for e in events] if isinstance(e, SendChanged)] == ["queued", "sent"]


async def test_a_lost_ack_on_a_living_connection_is_asked_for_again() -> None:
    async with Peer() as peer:

        async def lose_first_ack(session: Session, frame: SendMessage) -> bool:
            if len(session.of(SendMessage)) > 1:
                return False
            await peer.store(session.user, frame)
            return True

        peer.hooks[SendMessage] = lose_first_ack
        async with peer.client(settings=replace(FAST, ack_timeout_s=0.05)) as client:
            assert (await client.send("demo", "hello")).seq == 1
        assert contents(peer) == ["hello"]


async def test_a_send_that_waited_its_time_says_so_and_the_message_is_still_sent() -> None:
    async with Peer() as peer:
        peer.accepting = False
        async with peer.client() as client:
            with pytest.raises(NotYetSent) as caught:
                await client.send("demo", "hello", timeout_s=0.05)
            [pending] = client.pending
            assert pending.client_message_id == caught.value.client_message_id
            peer.accepting = True
            assert (await pending).seq == 1


async def test_the_same_id_posted_again_is_the_same_message() -> None:
    async with Peer() as peer, peer.client() as client:
        first = client.post("demo", "hello", client_message_id="mine")
        assert client.post("demo", "hello", client_message_id="mine") is first
        assert (await first).seq == 1
        assert (await client.send("demo", "hello", client_message_id="mine")).seq == 1
        assert contents(peer) == ["hello"]


async def test_a_full_outbox_refuses_and_takes_again_after_sending() -> None:
    async with Peer() as peer:
        peer.accepting = False
        async with peer.client(settings=replace(FAST, outbox_max=2)) as client:
            pendings = [client.post("demo", "a"), client.post("demo", "b")]
            with pytest.raises(OutboxFull):
                client.post("demo", "c")
            peer.accepting = True
            assert [(await pending).seq for pending in pendings] == [1, 2]
            assert (await client.send("demo", "c")).seq == 3


async def test_a_file_outbox_sends_once_after_the_client_was_gone(tmp_path: Path) -> None:
    async with Peer() as peer:

        async def store_silently(session: Session, frame: SendMessage) -> bool:
            if session.number > 0:
                return False
            await peer.store(session.user, frame)
            return True

        peer.hooks[SendMessage] = store_silently
        path = tmp_path / "outbox"
        first = peer.client(outbox=FileOutbox(path))
        await first.__aenter__()
        first.post("demo", "stored, ack lost")
        first.post("demo", "never sent")
        await until(lambda: peer.thread("demo").last_seq == 1, 5, "the first message is stored")
        await first.close()
        async with peer.client(outbox=FileOutbox(path)) as second:
            assert len(second.pending) == 2
            await second.drain()
        assert contents(peer) == ["stored, ack lost", "never sent"]
        async with peer.client(outbox=FileOutbox(path)) as third:
            assert third.pending == []


async def test_two_clients_cannot_share_an_outbox() -> None:
    async with Peer() as peer:
        store = MemoryOutbox()
        async with peer.client(outbox=store):
            with pytest.raises(OutboxBusy):
                await peer.client(outbox=store).__aenter__()


async def test_closing_tells_whoever_waits_and_keeps_the_message_in_its_store() -> None:
    async with Peer() as peer:
        peer.accepting = False
        store = MemoryOutbox()
        client = peer.client(outbox=store)
        await client.__aenter__()
        pending = client.post("demo", "hello")
        await client.close()
        with pytest.raises(ClientClosed):
            await pending
        with pytest.raises(ClientClosed):
            client.post("demo", "late")
        assert [frame.content for frame in store.open()] == ["hello"]


async def test_while_the_socket_is_away_messages_go_over_http_in_order_with_their_ids() -> None:
    async with Peer() as peer:
        peer.accepting = False
        async with peer.client(settings=FALLBACK) as client:
            pendings = [client.post("demo", str(number)) for number in range(5)]
            assert [(await pending).seq for pending in pendings] == [1, 2, 3, 4, 5]
            assert client.state is not State.ONLINE
        assert peer.posted == [pending.client_message_id for pending in pendings]


async def test_what_is_queued_over_http_is_asked_for_until_it_is_stored() -> None:
    async with Peer() as peer:
        peer.accepting = False
        asked: list[bytes] = []

        def queue_twice(request: httpx.Request) -> httpx.Response | None:
            asked.append(request.content)
            if len(asked) > 2:
                return None
            body = QueuedMessage(thread_id=ThreadId("demo"), client_message_id=ClientMessageId("mine"))
            return httpx.Response(202, content=encode(body))

        peer.http_hook = queue_twice
        async with peer.client(settings=FALLBACK) as client:
            pending = client.post("demo", "hello", client_message_id="mine")
            await until(lambda: pending.status == "queued", 5, "202 is told as queued")
            assert (await pending).seq == 1
        assert len(asked) == 3
        assert len(set(asked)) == 1


async def test_the_socket_takes_over_from_http_from_the_first_unanswered_message() -> None:
    async with Peer() as peer:
        peer.accepting = False
        peer.http_hook = lambda _: problem(ErrorCode.QUEUE_UNAVAILABLE)
        async with peer.client(settings=FALLBACK) as client:
            pendings = [client.post("demo", str(number)) for number in range(3)]
            await until(lambda: len(peer.requests) >= 1, 5, "HTTP is tried")
            peer.accepting = True
            assert [(await pending).seq for pending in pendings] == [1, 2, 3]
            count = len(peer.requests)
            await client.send("demo", "by socket")
            assert len(peer.requests) == count
        assert contents(peer) == ["0", "1", "2", "by socket"]


async def test_a_final_refusal_over_http_fails_the_message() -> None:
    async with Peer() as peer:
        peer.accepting = False
        peer.http_hook = lambda _: problem(ErrorCode.NOT_A_MEMBER)
        async with peer.client(settings=FALLBACK) as client:
            with pytest.raises(Refused) as caught:
                await client.send("demo", "hello")
            assert caught.value.code is ErrorCode.NOT_A_MEMBER


async def test_an_expired_session_over_http_fails_no_message() -> None:
    async with Peer() as peer:
        peer.accepting = False
        peer.http_hook = lambda _: problem(ErrorCode.TOKEN_EXPIRED)
        async with peer.client(settings=FALLBACK) as client:
            pending = client.post("demo", "hello")
            await until(lambda: len(peer.requests) >= 1, 5, "HTTP is tried")
            peer.accepting = True
            assert (await pending).seq == 1


async def test_without_the_fallback_nothing_goes_over_http() -> None:
    async with Peer() as peer:
        peer.accepting = False
        async with peer.client(settings=FALLBACK, http_fallback=False) as client:
            with pytest.raises(NotYetSent):
                await client.send("demo", "hello", timeout_s=0.2)
            await client.close()
        assert peer.requests == []


async def test_when_the_server_ends_it_for_good_waiting_senders_are_told() -> None:
    async with Peer() as peer:

        async def end(session: Session, _: SendMessage) -> bool:
            await peer.close(session, CloseCode.TOO_MANY_CONNECTIONS)
            return True

        peer.hooks[SendMessage] = end
        async with peer.client() as client:
            with pytest.raises(ClientClosed) as caught:
                await client.send("demo", "hello")
            assert caught.value.code == CloseCode.TOO_MANY_CONNECTIONS
            assert client.state is State.CLOSED


@pytest.mark.parametrize("window", [1, 8])
async def test_a_storm_of_cuts_loses_nothing_repeats_nothing_and_keeps_the_order(window: int) -> None:
    async with Peer() as peer:
        seen = 0

        async def cut_now_and_then(session: Session, frame: SendMessage) -> bool:
            nonlocal seen
            seen += 1
            if seen % 7 == 0:
                session.cut()
                return True
            if seen % 5 == 0:
                await peer.store(session.user, frame)
                session.cut()
                return True
            return False

        peer.hooks[SendMessage] = cut_now_and_then
        settings: ClientSettings = replace(FAST, in_flight_per_thread=window)
        async with peer.client(settings=settings) as client:
            for number in range(60):
                client.post("demo", str(number))
            await client.drain(30)
        assert contents(peer) == [str(number) for number in range(60)]


async def test_a_burst_is_sent_no_faster_than_the_server_allows_and_is_complete() -> None:
    async with Peer() as peer:
        peer.limits = {"frames_per_second": 100, "frames_burst": 20}
        bucket = TokenBucket(100, 20, asyncio.get_running_loop().time())

        async def limit(session: Session, frame: SendMessage) -> bool:
            wait_s = bucket.take(asyncio.get_running_loop().time())
            if wait_s:
                refusal = peer.refusal(ErrorCode.RATE_LIMITED, client_message_id=frame.client_message_id)
                await session.send(refusal)
                refused.append(frame)
            return bool(wait_s)

        refused: list[SendMessage] = []
        peer.hooks[SendMessage] = limit
        async with peer.client(settings=replace(FAST, in_flight_per_thread=64)) as client:
            for number in range(80):
                client.post("demo", str(number))
            await client.drain(10)
        assert refused == []
        assert contents(peer) == [str(number) for number in range(80)]


class TokenBucket:
    """The server's own count."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._tokens, self._at = rate, burst, burst, now

    def take(self, now: float) -> float:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


async def test_no_message_text_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    options: dict[str, Any] = {"settings": FALLBACK}
    async with Peer() as peer, peer.client(**options) as client:
        await client.send("demo", "sesame-over-socket")
        for session in peer.sessions:
            session.cut()
        peer.accepting = False
        await until(lambda: client.state is State.OFFLINE, 5, "offline")
        await client.send("demo", "sesame-over-http")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("chatterbus", "httpx"))]
    assert ours
    assert "sesame" not in "\n".join(ours)


async def test_a_client_can_be_told_apart_before_it_starts() -> None:
    client = Client("http://127.0.0.1:1", user_id="alice")
    assert client.user_id == "alice"
