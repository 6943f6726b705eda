"""Presence, unread and typing of a client, against a scripted server."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chatterbus_client import (
    UNKNOWN,
    EventStream,
    Presence,
    PresenceChanged,
    Refused,
    State,
    TypingChanged,
    UnreadChanged,
)
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SetPresence, WatchPresence
from chatterbus_contracts.frames.server import TypingNotice, UnreadNotice, UnreadSnapshot
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import UnreadItem
from tests.kit.waiting import until
from tests.unit.client.peer import FAST, Peer, Session, presence

DEMO = ThreadId("demo")


async def next_of(kind: type, events: EventStream) -> Any:
    async with asyncio.timeout(5):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the stream ended without {kind.__name__}")


def item(thread: str, unread: int) -> UnreadItem:
    return UnreadItem(
        thread_id=ThreadId(thread), last_seq=9, read_seq=9 - unread, unread=unread, mentions=0, muted=False,
        last_message=None,
    )  # fmt: skip


async def test_presence_is_shown_and_its_changes_are_told() -> None:
    async with Peer() as peer, peer.client() as client:
        events = client.events()
        await client.wait_online()
        [session] = peer.sessions
        await session.send(presence("bob", "online", 5), presence("bob", "online", 6), presence("bob", "dnd", 4))
        await session.send(presence("alice", "invisible", 7))
        assert await next_of(PresenceChanged, events) == PresenceChanged("bob", Presence("online"))
        assert await next_of(PresenceChanged, events) == PresenceChanged("alice", Presence("invisible"))
        assert dict(client.presence) == {"bob": Presence("online"), "alice": Presence("invisible")}


async def test_a_watch_outlives_the_connection_and_is_replaced_by_the_next() -> None:
    async with Peer() as peer, peer.client() as client:
        peer.people = {"bob": presence("bob", "online", 5), "carol": presence("carol", "away", 6)}
        await client.watch_presence(["bob"])
        await until(lambda: "bob" in client.presence, 5, "bob is seen")
        peer.people["bob"] = presence("bob", "away", 7)
        peer.sessions[-1].cut()
        await until(lambda: client.presence["bob"].status == "away", 5, "bob is seen anew")
        await client.watch_presence(["carol"])
        await until(lambda: "carol" in client.presence, 5, "carol is seen")
        assert "bob" not in client.presence, "nobody tells of bob any more"
        await client.watch_presence([])
        await until(lambda: len(peer.sessions[-1].of(WatchPresence)) == 3, 5, "it is told")
        assert not client.presence
        peer.sessions[-1].cut()
        await until(lambda: client.state is State.ONLINE and len(peer.sessions) == 3, 5, "back")
        assert not peer.sessions[-1].of(WatchPresence)


async def test_a_repeated_watch_shows_that_one_may_not_see_a_user_any_more() -> None:
    async with Peer() as peer, peer.client() as client:
        peer.people = {"bob": presence("bob", "online", 5)}
        await client.watch_presence(["bob"])
        await until(lambda: "bob" in client.presence, 5, "bob is seen")
        peer.people.clear()
        await client.watch_presence(["bob"])
        await until(lambda: client.presence["bob"] == UNKNOWN, 5, "bob is withdrawn")


async def test_members_of_a_thread_that_is_not_followed_any_more_are_forgotten() -> None:
    async with Peer() as peer, peer.client() as client:
        await peer.say("demo", "bob", "hello")
        await client.thread("demo")
        await peer.sessions[0].send(presence("bob", "online", 5), presence("alice", "online", 6))
        await until(lambda: len(client.presence) == 2, 5, "seen")
        events = client.events()
        await client.unfollow("demo")
        assert await next_of(PresenceChanged, events) == PresenceChanged("bob", Presence("offline"))
        assert set(client.presence) == {"alice"}


async def test_who_is_not_told_of_after_a_reconnect_does_not_stay_online() -> None:
    async with Peer() as peer, peer.client(settings=replace(FAST, presence_settles_s=0.05)) as client:
        await client.wait_online()
        events = client.events()
        await peer.sessions[0].send(presence("bob", "online", 5))
        assert (await next_of(PresenceChanged, events)).presence.status == "online"
        peer.sessions[0].cut()
        assert await next_of(PresenceChanged, events) == PresenceChanged("bob", Presence("offline"))
        assert "bob" not in client.presence


async def test_a_watch_refused_for_now_is_asked_again_and_one_refused_for_good_is_not() -> None:
    async with Peer() as peer, peer.client() as client:
        refusals = iter([ErrorCode.RATE_LIMITED, ErrorCode.FORBIDDEN])

        async def refuse(session: Session, frame: WatchPresence) -> bool:
            code = next(refusals, None)
            if code is not None:
                await session.send(peer.refusal(code, ref=frame.ref))
            return code is not None

        peer.hooks[WatchPresence] = refuse
        await client.watch_presence(["bob"])
        await client.wait_online()
        await until(lambda: len(peer.sessions[0].of(WatchPresence)) == 2, 5, "asked twice")
        await client.set_presence("online")  # its answer comes behind the second refusal
        peer.sessions[0].cut()
        await until(lambda: len(peer.sessions) == 2 and client.state is State.ONLINE, 5, "back")
        assert not peer.sessions[1].of(WatchPresence)


async def test_what_no_server_takes_is_refused_at_once() -> None:
    async with Peer() as peer, peer.client() as client:
        for call in (client.watch_presence(["x"] * 201), client.set_presence("gone"), client.user_presence("")):  # type: ignore[arg-type]
            with pytest.raises(Refused) as caught:
                await call
            assert caught.value.code is ErrorCode.BAD_REQUEST


async def test_away_is_said_again_on_every_connection_until_online() -> None:
    async with Peer() as peer, peer.client() as client:
        await client.set_presence("away")
        await client.set_presence("dnd")
        peer.sessions[-1].cut()
        await until(lambda: len(peer.sessions) == 2 and bool(peer.sessions[1].of(SetPresence)), 5, "said again")
        assert [frame.status for frame in peer.sessions[1].of(SetPresence)] == ["away"], "the server keeps dnd itself"
        await client.set_presence("online")
        peer.sessions[-1].cut()
        await until(lambda: len(peer.sessions) == 3 and client.state is State.ONLINE, 5, "back")
        await client.set_presence("invisible")
        assert [frame.status for frame in peer.sessions[2].of(SetPresence)] == ["invisible"]


async def test_users_are_asked_for_page_by_page() -> None:
    async with Peer() as peer, peer.client() as client:
        peer.people = {name: presence(name, "online", 1) for name in "abcde"}
        peer.people["c"] = presence("c", "offline", 2, "2026-03-01T12:00:00.000Z")
        assert [state.user_id async for state in client.online_users(page_size=3)] == ["a", "b", "d", "e"]
        assert (await client.user_presence("c")).last_seen_at == "2026-03-01T12:00:00.000Z"


async def test_unread_counts_are_shown_and_told_thread_by_thread() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        events = client.events()
        [session] = peer.sessions
        await session.send(
            UnreadSnapshot(items=[item("demo", 2), item("other", 3)], more=True, total_unread=9, version=1),
            UnreadNotice(**dict(item("demo", 0)), total_unread=7, version=2),
            UnreadSnapshot(items=[item("other", 3)], more=True, total_unread=8, version=3),
        )
        told = [await next_of(UnreadChanged, events) for _ in range(4)]
        assert [(event.thread_id, event.item and event.item.unread, event.total_unread) for event in told] == [
            ("demo", 2, 9),
            ("other", 3, 9),
            ("demo", None, 7),
            (None, None, 8),
        ]
        assert (client.total_unread, client.unread_is_partial, thread.unread) == (8, True, 0)
        assert client.unread_threads["other"].unread == 3


async def test_with_another_store_counts_and_people_are_forgotten() -> None:
    async with Peer() as peer, peer.client() as client:
        await client.wait_online()
        await peer.sessions[0].send(
            presence("bob", "online", 500),
            UnreadSnapshot(items=[item("demo", 2)], more=False, total_unread=2, version=500),
        )
        await until(lambda: client.total_unread == 2, 5, "counted")
        events = client.events()
        peer.epoch = "second"
        peer.sessions[0].cut()
        assert await next_of(PresenceChanged, events) == PresenceChanged("bob", Presence("offline"))
        assert await next_of(UnreadChanged, events) == UnreadChanged("demo", None, 0)
        await peer.sessions[1].send(UnreadNotice(**dict(item("demo", 1)), total_unread=1, version=3))
        assert (await next_of(UnreadChanged, events)).total_unread == 1


def writing(user: str, expires_in_ms: int = 3_000) -> TypingNotice:
    return TypingNotice(
        thread_id=DEMO, user_id=UserId(user), user_type="user", is_typing=True, expires_in_ms=expires_in_ms
    )


async def test_a_writer_disappears_in_time_with_the_message_and_with_the_connection() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        events = thread.events()
        await peer.sessions[0].send(writing("bob", expires_in_ms=40))
        assert await next_of(TypingChanged, events) == TypingChanged("demo", frozenset({"bob"}))
        assert await next_of(TypingChanged, events) == TypingChanged("demo", frozenset())
        await peer.sessions[0].send(writing("bob"), writing("carol"))
        await until(lambda: thread.typing_users == {"bob", "carol"}, 5, "both write")
        await peer.say("demo", "bob", "hello")
        await until(lambda: thread.typing_users == {"carol"}, 5, "bob has said it")
        peer.sessions[0].cut()
        await until(lambda: not thread.typing_users, 5, "nobody can tell now")
