"""What the notifier tells a user's own connections."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from chatterbus_contracts.envelopes import EVERYWHERE, Notice, notice_line
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.subjects import user_subject
from chatterbus_gateway.presence.user_feed import UserFeed
from tests.unit.gateway.presence_fakes import FakeLink
from tests.unit.gateway.test_feed import unpack

ANNA = UserId("anna")
SUBJECT = user_subject(ANNA)


class Device:
    def __init__(self, connection_id: str) -> None:
        self.session = SimpleNamespace(connection_id=connection_id)
        self.got: list[tuple[str, dict[str, Any]]] = []

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        (payload,) = unpack(frame)
        self.got.append((key, json.loads(payload)))


class Stand:
    def __init__(self, *connection_ids: str) -> None:
        self.link = FakeLink()
        self.devices = [Device(each) for each in connection_ids]
        self.feed = UserFeed(self.link, lambda _: self.devices)
        for _ in self.devices:
            self.feed.welcome(ANNA)

    def tell(self, *notices: tuple[str, dict[str, Any]]) -> None:
        lines = [notice_line(Notice(target, frame["type"], json.dumps(frame).encode())) for target, frame in notices]
        self.link.say(SUBJECT, b"\n".join(lines))


def unread(thread: str, version: int) -> dict[str, Any]:
    return {"type": "unread", "threadId": thread, "version": version}


def status(name: str) -> dict[str, Any]:
    return {"type": "presence", "userId": ANNA, "status": name, "version": 1}


def test_a_notice_reaches_all_connections_of_its_user_or_the_one_it_names() -> None:
    stand = Stand("c1", "c2")
    snapshot = {"type": "unread_snapshot", "items": []}
    stand.tell((EVERYWHERE, unread("t1", 1)), ("c2", snapshot), ("c9", snapshot))
    first, second = stand.devices
    assert [frame for _, frame in first.got] == [unread("t1", 1)]
    assert [frame for _, frame in second.got] == [unread("t1", 1), snapshot]


def test_what_may_take_the_place_of_what_is_told_by_the_key() -> None:
    stand = Stand("c1")
    stand.tell(
        (EVERYWHERE, unread("t1", 1)),
        (EVERYWHERE, unread("t2", 2)),
        (EVERYWHERE, {"type": "unread_snapshot", "items": []}),
        (EVERYWHERE, status("dnd")),
        (EVERYWHERE, {"type": "of_a_later_version"}),
    )
    assert [key for key, _ in stand.devices[0].got] == [
        "unread/t1",
        "unread/t2",
        "unread_snapshot",
        "presence/anna",
        "of_a_later_version",
    ]


def test_a_user_is_listened_to_once_and_until_the_last_connection_is_lost() -> None:
    stand = Stand("c1", "c2")
    assert list(stand.link.listening) == [SUBJECT]
    stand.devices.pop()
    stand.feed.lost(ANNA)
    assert list(stand.link.listening) == [SUBJECT]
    stand.devices.pop()
    stand.feed.lost(ANNA)
    assert not stand.link.listening
    assert not len(stand.feed)
    stand.feed.lost(ANNA)


def test_who_is_hidden_is_known_as_long_as_a_connection_is_there() -> None:
    stand = Stand("c1")
    assert not stand.feed.is_hidden(ANNA)
    stand.tell((EVERYWHERE, status("invisible")))
    assert stand.feed.is_hidden(ANNA)
    stand.tell((EVERYWHERE, status("online")))
    assert not stand.feed.is_hidden(ANNA)
    stand.tell((EVERYWHERE, status("invisible")))
    stand.devices.clear()
    stand.feed.lost(ANNA)
    assert not stand.feed.is_hidden(ANNA)


def test_what_cannot_be_read_reaches_nobody_and_breaks_nothing() -> None:
    stand = Stand("c1")
    stand.link.say(SUBJECT, b"nonsense")
    stand.tell((EVERYWHERE, {"type": "unread"}))
    stand.tell((EVERYWHERE, unread("t1", 1)))
    assert [frame["type"] for _, frame in stand.devices[0].got] == ["unread"]
