"""A link, a notifier and connections, as the gateway's presence sees them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.envelopes import Event, event_line
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.frames.server import PresenceNotice
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import VersionedPresence
from chatterbus_contracts.subjects import presence_subject
from chatterbus_runtime.nats_message import Message
from tests.unit.gateway.test_feed import unpack


class FakeListener:
    def __init__(self, link: FakeLink, subject: str) -> None:
        self._link = link
        self.subject = subject

    def close(self) -> None:
        self._link.listening.pop(self.subject, None)


class FakeLink:
    """Delivers at once what is said, to whoever listens."""

    def __init__(self) -> None:
        self.listening: dict[str, Callable[[Message], None]] = {}

    def listen(self, subject: str, callback: Callable[[Message], None], queue: str = "") -> Any:
        assert subject not in self.listening, "listened to twice"
        self.listening[subject] = callback
        return FakeListener(self, subject)

    def say(self, subject: str, data: bytes) -> None:
        if subject in self.listening:
            self.listening[subject](Message(subject, "", data))

    def change(self, user_id: str, status: str, version: int) -> None:
        """A change of a user's public presence."""
        notice = PresenceNotice(user_id=user_id, status=status, last_seen_at=None, version=version)  # type: ignore[arg-type]
        self.say(presence_subject(UserId(user_id)), event_line(Event("presence", version, encode(notice))))


class Connected:
    """A connection that remembers what it was sent."""

    def __init__(self, user_id: str) -> None:
        self.user_id = UserId(user_id)
        self.got: list[tuple[str, str, int]] = []
        self.keys: list[str] = []

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        (payload,) = unpack(frame)
        notice = json.loads(payload)
        assert notice["type"] == "presence"
        self.keys.append(key)
        self.got.append((notice["userId"], notice["status"], notice["version"]))

    def take(self) -> list[tuple[str, str, int]]:
        got, self.got = self.got, []
        return got


class FollowedBy:
    """A feed, as far as who follows it."""

    def __init__(self, *live: Connected) -> None:
        self.live: Iterable[Connected] = list(live)


class FakeNotifier:
    """Answers for those in `states`; for nobody while `away`."""

    def __init__(self) -> None:
        self.states: dict[str, tuple[str, int]] = {}
        self.away = False
        self.asked: list[list[str]] = []

    async def presence_of(self, user_ids: Collection[UserId]) -> dict[UserId, VersionedPresence]:
        self.asked.append(list(user_ids))
        await asyncio.sleep(0)
        if self.away:
            return {}
        return {user_id: self._state(user_id) for user_id in user_ids}

    def _state(self, user_id: UserId) -> VersionedPresence:
        status, version = self.states.get(user_id, ("offline", 0))
        return VersionedPresence(user_id=user_id, status=status, last_seen_at=None, version=version)  # type: ignore[arg-type]


class SharingStore:
    """Answers `sharing` from `shares`, a set of pairs; raises `refuses` if it is set; waits for `open`."""

    def __init__(self) -> None:
        self.shares: set[tuple[str, str]] = set()
        self.refuses: Refusal | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[tuple[str, list[str]]] = []

    async def ask(self, query_name: str, question: Wire) -> bytes:
        assert query_name == "sharing"
        asked = question.model_dump()
        self.asked.append((asked["userId"], asked["others"]))
        await self.open.wait()
        if self.refuses is not None:
            raise self.refuses
        found = [other for other in asked["others"] if (asked["userId"], other) in self.shares]
        return json.dumps({"userIds": found}).encode()
