"""What the notifier tells a user's own connections: unread counts, and how the user is seen.

Promises: from the first connection's welcome to the last one's loss the user's subject is listened to, once; a frame is
passed on as it came, to all of the user's connections or to the one it names. Frames are absolute, so a blocked socket
keeps the newest of each kind (of each thread, for unread counts) and may lose others. Remembers who is hidden, as the
notifier said last. Does not promise that a frame comes: after a lost link, and when a socket that was blocked and lost
some takes more again, the notifier is asked to tell everything again (reporter.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import DecodeError, parse_json
from chatterbus_contracts.envelopes import EVERYWHERE, Notice, decode_notices
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.subjects import user_subject
from chatterbus_gateway.presence.presence_book import key_of
from chatterbus_gateway.wire_frame import ws_frame
from chatterbus_runtime.link_errors import LinkDown
from chatterbus_runtime.nats_link import Listener
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

PRESENCE: Final = "presence"
UNREAD: Final = "unread"
INVISIBLE: Final = "invisible"


class Link(Protocol):
    """The part of NatsLink that is needed here."""

    def listen(self, subject: str, callback: Callable[[Message], None], queue: str = "") -> Listener: ...


class Talk(Protocol):
    """The part of Session that is needed here."""

    connection_id: str


class Device(Protocol):
    """A connection of the user's."""

    @property
    def session(self) -> Talk:
        """What knows the connection's id."""

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        """Send a WebSocket frame that may be replaced or dropped."""


class UserFeed:
    """One per gateway. `devices_of` tells a user's authenticated connections here."""

    def __init__(self, link: Link, devices_of: Callable[[UserId], Iterable[Device]]) -> None:
        self._link = link
        self._devices_of = devices_of
        self._listeners: dict[UserId, Listener] = {}
        self._hidden: set[UserId] = set()

    def __len__(self) -> int:
        """Users who are listened to."""
        return len(self._listeners)

    def welcome(self, user_id: UserId) -> None:
        """A connection of this user's is there. To be called before the notifier is told of it."""
        if user_id in self._listeners:
            return
        try:
            self._listeners[user_id] = self._link.listen(user_subject(user_id), partial(self._came, user_id))
        except LinkDown:
            log.warning("a user cannot be listened to: the link is closed", user_id=user_id)

    def lost(self, user_id: UserId) -> None:
        """A connection of this user's is gone, and not among the devices any more."""
        if any(True for _ in self._devices_of(user_id)):
            return
        listener = self._listeners.pop(user_id, None)
        if listener is not None:
            listener.close()
        self._hidden.discard(user_id)

    def is_hidden(self, user_id: UserId) -> bool:
        """The user wants to look as if nobody were there."""
        return user_id in self._hidden

    def _came(self, user_id: UserId, message: Message) -> None:
        try:
            notices = decode_notices(message.data)
            for notice in notices:
                self._pass_on(user_id, notice)
        except DecodeError as error:
            log.error("notices cannot be read", user_id=user_id, reason=error.message)

    def _pass_on(self, user_id: UserId, notice: Notice) -> None:
        key = notice.type
        if notice.type == UNREAD:
            key = f"{UNREAD}/{_field(notice, 'threadId')}"
        elif notice.type == PRESENCE:
            key = key_of(user_id)
            self._note_status(user_id, _field(notice, "status"))
        frame = ws_frame(notice.frame)
        for device in self._devices_of(user_id):
            if notice.target in (EVERYWHERE, device.session.connection_id):
                device.push_ephemeral(key, frame)

    def _note_status(self, user_id: UserId, status: str) -> None:
        if status == INVISIBLE:
            self._hidden.add(user_id)
        else:
            self._hidden.discard(user_id)


def _field(notice: Notice, name: str) -> str:
    try:
        return str(parse_json(notice.frame)[name])
    except (KeyError, TypeError):
        raise DecodeError(f"a {notice.type} notice without {name}") from None
