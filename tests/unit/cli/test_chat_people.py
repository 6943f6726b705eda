"""People in the terminal chat: who comes and goes, who writes, and what is unread elsewhere."""

import asyncio
from collections.abc import Callable
from datetime import UTC

from chatterbus import chat_lines
from chatterbus.chat_people import ELSEWHERE_EVERY_S, People
from chatterbus_client import UNKNOWN, Presence
from chatterbus_contracts.frames.client import SetPresence
from chatterbus_contracts.frames.server import UnreadSnapshot
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.states import UnreadItem
from tests.kit.waiting import until
from tests.unit.client.keyboard import Keyboard, talk
from tests.unit.client.peer import Peer, presence

MEMBERS = {"alice", "bob"}
SEEN = "2026-03-01T12:00:00.000Z"


def told(people: People, user: str, seen: Presence) -> list[str]:
    return [line.plain for line in people.seen(user, seen, MEMBERS)]


def counted(people: People, elsewhere: int, now_s: float) -> list[str]:
    return [line.plain for line in people.counted(elsewhere, now_s)]


def test_members_are_told_of_when_they_are_seen_differently_and_nobody_else() -> None:
    people = People("alice")
    assert told(people, "bob", UNKNOWN) == [], "that he is not here is no news at the beginning"
    assert told(people, "bob", Presence("online")) == ["● bob is online"]
    assert told(people, "bob", Presence("online")) == []
    assert told(people, "bob", Presence("away")) == ["○ bob is away"]
    assert told(people, "bob", Presence("dnd")) == ["⊘ bob is busy"]
    assert told(people, "bob", UNKNOWN) == ["· bob is offline"]
    assert told(people, "alice", Presence("invisible")) == []
    assert told(people, "carol", Presence("online")) == []


def test_an_offline_member_shows_when_last_seen() -> None:
    line = chat_lines.presence_line("bob", Presence("offline", SEEN), UTC)
    assert line.plain == "· bob is offline, last seen 12:00"


def test_what_is_unread_elsewhere_is_told_when_it_has_grown_and_not_too_often() -> None:
    people = People("alice")
    assert counted(people, 0, 0.0) == []
    assert counted(people, 3, 1.0) == ["— 3 unread in other threads"]
    assert counted(people, 4, 2.0) == []
    assert counted(people, 5, 1.0 + ELSEWHERE_EVERY_S) == ["— 5 unread in other threads"]
    assert counted(people, 2, 12.0) == []
    assert counted(people, 3, 1.0 + 2 * ELSEWHERE_EVERY_S) == ["— 3 unread in other threads"]


async def test_the_chat_shows_people_and_other_threads_and_says_how_one_is_seen() -> None:
    async with Peer() as peer:
        peer.thread("demo").join("bob")
        await peer.say("demo", "bob", "hello")
        keyboard = Keyboard()
        chat = asyncio.create_task(talk(peer.client(), keyboard))
        shown: Callable[[str], bool] = lambda text: any(text in line for line in keyboard.shown)  # noqa: E731
        await until(lambda: shown("bob: hello"), 5, "the chat has begun")
        [session] = peer.sessions
        item = UnreadItem(
            thread_id=ThreadId("other"), last_seq=2, read_seq=0, unread=2, mentions=0, muted=False, last_message=None
        )
        await session.send(
            presence("bob", "online", 5),
            UnreadSnapshot(items=[item], more=False, total_unread=2, version=1),
        )
        await until(lambda: shown("● bob is online"), 5, "bob is seen")
        await until(lambda: shown("— 2 unread in other threads"), 5, "the other thread is told of")
        keyboard.type("/presence invisible", "/who")
        await until(lambda: shown("nobody sees that you are here"), 5, "it is said")
        await until(lambda: shown(" ● bob, member, has 1, read 1, online"), 5, "/who shows it")
        assert [frame.status for frame in session.of(SetPresence)] == ["invisible"]
        await session.send(presence("bob", "offline", 6, SEEN))
        await until(lambda: shown("· bob is offline, last seen"), 5, "bob has left")
        keyboard.type("/quit")
        await chat
