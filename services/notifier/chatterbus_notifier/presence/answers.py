"""Answers what gateways ask about users.

Promises: an answer names every asked user of the shard of whom something may be said; who is left out is to be asked
about again (kept presence could not be read in time). While a new leader gathers, questions about others than those who
are visible wait for its end. Users who are not in memory are read from the bucket, together.
Bounds: WAITING_MAX questions wait for the end of gathering, the oldest goes unanswered then; READING_MAX are being read
for, further ones are answered with what is in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import AskOnline, AskPresence, OnlineAnswer, PresenceAnswer, VersionedPresence
from chatterbus_contracts.states import PresenceState
from chatterbus_notifier.presence.seen import Record, SeenUsers
from chatterbus_notifier.presence.status import StatusBook
from chatterbus_notifier.presence.takeover import Takeover
from chatterbus_notifier.presence.voice import Voice, iso_time
from chatterbus_notifier.shard import Shard
from chatterbus_runtime.bucket import BucketUnavailable
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

WAITING_MAX: Final = 1_000
READING_MAX: Final = 256
READ_TIMEOUT_S: Final = 1.5  # the asker waits 2 s

_ASK_PRESENCE: Final = TypeAdapter(AskPresence)
_ASK_ONLINE: Final = TypeAdapter(AskOnline)


@dataclass(frozen=True, slots=True)
class Known:
    """What answers are made of. `loaded` hands a record to the status of a user for whom it is awaited."""

    shard: Shard
    status: StatusBook
    seen: SeenUsers
    takeover: Takeover
    loaded: Callable[[UserId, Record], None]


class Answers:
    """Callbacks for the link; tasks go to `group`."""

    def __init__(self, known: Known, voice: Voice, group: asyncio.TaskGroup) -> None:
        self._known = known
        self._voice = voice
        self._group = group
        self._waiting: deque[Callable[[], None]] = deque(maxlen=WAITING_MAX)
        self._reading = 0

    def presence_asked(self, message: Message) -> None:
        """ASK_PRESENCE."""
        if not message.reply:
            return
        try:
            ask = decode(_ASK_PRESENCE, message.data)
        except DecodeError as error:
            log.warning("a question cannot be read", question="presence", reason=error.message)
            return
        mine = [user_id for user_id in ask.user_ids if self._known.shard.owns(user_id)]
        if self._known.takeover.is_gathering and not all(map(self._is_visible, mine)):
            self._waiting.append(lambda: self._answer(message.reply, mine))
        else:
            self._answer(message.reply, mine)

    def online_asked(self, message: Message) -> None:
        """ASK_ONLINE."""
        if not message.reply:
            return
        try:
            ask = decode(_ASK_ONLINE, message.data)
        except DecodeError as error:
            log.warning("a question cannot be read", question="online", reason=error.message)
            return
        if self._known.takeover.is_gathering:
            self._waiting.append(lambda: self._answer_online(message.reply, ask))
        else:
            self._answer_online(message.reply, ask)

    def gathered(self) -> None:
        """The new leader knows what it can know: answer what waits."""
        while self._waiting:
            self._waiting.popleft()()

    def _is_visible(self, user_id: UserId) -> bool:
        known = self._known.status.public(user_id)
        return known is not None and known.status != "offline"

    # --- one question ------------------------------------------------------------------------------------------------

    def _answer(self, reply: str, mine: list[UserId]) -> None:
        missing = [user_id for user_id in mine if self._state(user_id) is None]
        if missing and self._reading < READING_MAX:
            self._reading += 1
            self._group.create_task(self._answer_when_read(reply, mine, missing))
        else:
            self._send(reply, mine)

    async def _answer_when_read(self, reply: str, mine: list[UserId], missing: list[UserId]) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                records = await self._known.seen.read_many(missing)
        except (BucketUnavailable, TimeoutError):
            log.warning("presence is answered without those who are not in memory", users=len(missing))
        else:
            for user_id, record in records.items():
                if self._known.status.awaits(user_id):
                    self._known.loaded(user_id, record)
        finally:
            self._reading -= 1
        self._send(reply, mine)

    def _send(self, reply: str, mine: list[UserId]) -> None:
        states = [state for user_id in mine if (state := self._state(user_id)) is not None]
        shard = self._known.shard
        self._voice.answer(reply, PresenceAnswer(shard=shard.index, shards=shard.count, items=states))

    def _state(self, user_id: UserId) -> VersionedPresence | None:
        """None: the record has to be read."""
        known = self._known.status.public(user_id)
        if known is not None and known.status != "offline":
            return VersionedPresence(user_id=user_id, status=known.status, last_seen_at=None, version=known.version)
        if known is not None:
            return self._offline(user_id, known.last_seen_ms, known.version)
        record = None if self._known.status.awaits(user_id) else self._known.seen.peek(user_id)
        return None if record is None else self._offline(user_id, record.last_seen_ms, record.version)

    def _offline(self, user_id: UserId, last_seen_ms: int | None, version: int) -> VersionedPresence:
        return VersionedPresence(
            user_id=user_id,
            status="offline",
            last_seen_at=iso_time(last_seen_ms),
            version=max(version, self._known.takeover.floor),
        )

    def _answer_online(self, reply: str, ask: AskOnline) -> None:
        user_ids = self._known.status.visible(ask.after, ask.limit + 1)
        items = [
            PresenceState(user_id=known.user_id, status=known.status, last_seen_at=None)
            for user_id in user_ids[: ask.limit]
            if (known := self._known.status.public(user_id)) is not None
        ]
        shard, more = self._known.shard, len(user_ids) > ask.limit
        self._voice.answer(reply, OnlineAnswer(shard=shard.index, shards=shard.count, items=items, more=more))
