"""What the presence desk tells others, as bytes on subjects.

Promises: nothing is published unless `guard` says, in that moment, that this process leads its shard. What cannot be
published (no link, or more than it takes) is counted, logged once per LOG_EVERY_S and gone: gateways ask again after
a lost link, and for every watched user from time to time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.envelopes import Event, Notice, event_line, notice_line
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.frames.server import PresenceNotice
from chatterbus_contracts.presence import PresenceReset
from chatterbus_contracts.subjects import PRESENCE_RESET, presence_subject, user_subject
from chatterbus_notifier.presence.status import OwnNotice, PublicChange
from chatterbus_notifier.shard import Shard
from chatterbus_runtime.link_errors import LinkError

log: Final = structlog.stdlib.get_logger(__name__)

LOG_EVERY_S: Final = 10.0
CODE_HEADER: Final = "Nats-Service-Error-Code"
TEXT_HEADER: Final = "Nats-Service-Error"


class Publisher(Protocol):
    """The part of NatsLink that is needed here."""

    def publish(self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None) -> None: ...


def iso_time(unix_ms: int | None) -> str | None:
    """As the protocol writes times: UTC, ISO 8601 with milliseconds."""
    if unix_ms is None:
        return None
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Voice:
    """Speaks for one shard."""

    def __init__(self, link: Publisher, shard: Shard, guard: Callable[[], bool]) -> None:
        self._link = link
        self._shard = shard
        self._guard = guard
        self._unsaid = 0
        self._logged_s = -LOG_EVERY_S

    def public(self, change: PublicChange) -> None:
        """To those who may see the user."""
        seen_at = iso_time(change.last_seen_ms)
        frame = PresenceNotice(
            user_id=change.user_id, status=change.status, last_seen_at=seen_at, version=change.version
        )
        line = event_line(Event(frame.type, change.version, encode(frame)))
        self._say(presence_subject(change.user_id), line)

    def own(self, notice: OwnNotice) -> None:
        """To the user's own connections."""
        frame = PresenceNotice(user_id=notice.user_id, status=notice.status, last_seen_at=None, version=notice.version)
        self._say(user_subject(notice.user_id), notice_line(Notice(notice.target, frame.type, encode(frame))))

    def reset(self) -> bool:
        """To all gateways: ask again. False: could not be said."""
        told = PresenceReset(shard=self._shard.index, shards=self._shard.count)
        return self._say(PRESENCE_RESET, encode(told))

    def answer(self, reply: str, answer: Wire) -> None:
        """To who asked."""
        self._say(reply, encode(answer))

    def refuse(self, reply: str, refusal: Refusal) -> None:
        """To who asked, as the services API of NATS does it."""
        self._say(reply, b"", {CODE_HEADER: refusal.code.value, TEXT_HEADER: refusal.message})

    def _say(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bool:
        if not self._guard():
            return False
        try:
            self._link.publish(subject, payload, headers=headers)
        except LinkError as error:
            self._unsaid += 1
            now_s = time.monotonic()
            if now_s - self._logged_s >= LOG_EVERY_S:
                log.warning("presence could not be told", reason=type(error).__name__, messages=self._unsaid)
                self._logged_s, self._unsaid = now_s, 0
            return False
        return True
