"""The desk over a real NATS: pace, snapshots, gaps, losses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatterbus_contracts.codec import Wire, encode_json
from chatterbus_contracts.envelopes import EVERYWHERE, Event, event_line
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.queries import AskPositions, Position, Positions
from chatterbus_contracts.subjects import event_subject
from chatterbus_contracts.topology import events_stream
from chatterbus_notifier.unread.desk import UnreadDesk
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from chatterbus_runtime.streams import ensure_stream
from tests.integration.notifier.unread_stand import SOON_S, Desk, Gateway
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

T = ThreadId("t")
STREAM_BYTES = 16 << 20


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=5)
    await ensure_stream(link.jetstream, events_stream(STREAM_BYTES), 1)
    yield link
    await link.close(1)


class OneThread:
    """A store in which everybody is in one thread; also what announces there."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self.seq = 0
        self.asked = 0
        self.down = False
        self.page = 1

    async def ask(self, _query: str, question: Wire) -> Any:
        assert isinstance(question, AskPositions)
        self.asked += 1
        if self.down:
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "down")
        start = int(question.cursor or 0)
        users = sorted(question.user_ids)[start : start + self.page]
        more = start + self.page < len(question.user_ids)
        items = [self._position(user) for user in users]
        return Positions(items=items, next_cursor=str(start + self.page) if more else None)

    def _position(self, user: UserId) -> Position:
        known: dict[str, Any] = {"marked_unread_seq": None, "muted": False, "mention_seqs": [], "last_message": None}
        return Position(user_id=user, thread_id=T, rev=self.seq, last_seq=self.seq, read_seq=0, **known)

    async def say(self, times: int = 1, *, announced: bool = True) -> None:
        """Messages, each announced for itself."""
        for _ in range(times):
            self.seq += 1
            if announced:
                await self._link.jetstream.publish(event_subject(T), message_line(self.seq))


def message_line(seq: int) -> bytes:
    state: dict[str, Any] = {
        "id": f"t~{seq}",
        "seq": seq,
        "senderId": "zoe",
        "senderType": "user",
        "messageType": "text",
        "content": "hello",
        "attachments": [],
        "deleted": False,
        "createdAt": "2026-01-31T12:00:00.000Z",
        "mentions": [],
    }
    return event_line(Event("message", seq, encode_json({"type": "message", "data": state})))


async def begin(link: NatsLink) -> tuple[Desk, OneThread, Gateway, UnreadDesk]:
    store = OneThread(link)
    await store.say(3)
    stand = Desk(link, store)
    return stand, store, Gateway(link), await stand.until_following()


async def test_every_new_connection_gets_a_snapshot_of_its_own_and_users_are_loaded_once(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    first = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: first.total == 3, SOON_S, "the snapshot")
    second = await gateway.connect(desk, "ann", "ann-2")
    await until(lambda: second.total == 3, SOON_S, "the second snapshot")
    assert [target for target, _ in gateway.frames] == ["ann-1", "ann-2"]
    assert store.asked == 1
    await stand.stop()


async def test_who_leaves_for_a_moment_is_not_loaded_again(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    desk.user_left(UserId("ann"))
    back = await gateway.connect(desk, "ann", "ann-2")
    await until(lambda: back.total == 3, SOON_S, "the snapshot again")
    assert store.asked == 1
    await stand.stop()


async def test_a_burst_of_a_thousand_messages_makes_a_handful_of_frames_and_the_last_value(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    began_s = asyncio.get_running_loop().time()
    frames = view.frames
    await store.say(1_000)
    lasted_s = asyncio.get_running_loop().time() - began_s
    await until(lambda: view.total == 1_003, SOON_S, "the last value")
    assert 2 <= view.frames - frames <= 2 + lasted_s / 0.25
    await stand.stop()


async def test_messages_that_the_stream_forgot_are_made_good_by_a_load(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    await store.say(2, announced=False)
    await link.jetstream.delete_stream(events_stream().name)
    await ensure_stream(link.jetstream, events_stream(STREAM_BYTES), 1)
    desk.link_found()
    await until(lambda: view.total == 5, SOON_S, "what nobody announced")
    await store.say()
    await until(lambda: view.total == 6, SOON_S, "and what came then")
    await stand.stop()


async def test_a_jump_of_the_rev_is_made_good_by_a_load(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    asked = store.asked
    await store.say(2, announced=False)
    await store.say()
    await until(lambda: view.total == 6 and store.asked == asked + 1, SOON_S, "the thread was loaded again")
    await stand.stop()


async def test_a_store_that_is_away_is_asked_again_until_it_answers(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    store.down = True
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: store.asked > 1, SOON_S, "the store was asked again")
    store.down = False
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    await stand.stop()


async def test_users_of_many_pages_are_told_when_all_pages_are_there(link: NatsLink) -> None:
    stand, _store, gateway, desk = await begin(link)
    views = [await gateway.connect(desk, f"user-{number}", "c") for number in range(20)]
    await until(lambda: all(view.total == 3 for view in views), SOON_S, "all snapshots")
    await stand.stop()


async def test_nothing_is_told_without_the_lead_and_all_of_it_when_it_is_back(link: NatsLink) -> None:
    stand, store, gateway, desk = await begin(link)
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    stand.leading = False
    await store.say()
    await until(lambda: desk.counts.users[UserId("ann")].total == 4, SOON_S, "the event was heard")
    assert len(gateway.frames) == 1
    stand.leading = True
    await until(lambda: view.total == 4, SOON_S, "a snapshot for everybody")
    assert gateway.frames[-1][0] == EVERYWHERE
    await stand.stop()


async def test_after_a_restart_of_nats_everybody_is_told_all_again(link: NatsLink, nats_server: NatsServer) -> None:
    stand, store, gateway, desk = await begin(link)
    view = await gateway.connect(desk, "ann", "ann-1")
    await until(lambda: view.total == 3, SOON_S, "the snapshot")
    nats_server.kill()
    await until(lambda: not link.is_connected, SOON_S, "NATS is gone")
    nats_server.start()
    await until(lambda: link.is_connected, SOON_S, "NATS is back")
    desk.link_found()
    await until(lambda: view.frames == 2, SOON_S, "the snapshot for everybody")
    await store.say()
    await until(lambda: view.total == 4, SOON_S, "events are followed again")
    await stand.stop()
