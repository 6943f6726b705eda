"""What happened, as events for webhooks. Pure.

Promises: the same fact has the same id, however often it is found; different facts have different ids. An id has no
white space and at most `ID_MAX_CHARS` characters.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from chatterbus_contracts.codec import DecodeError, encode, encode_json, parse_json
from chatterbus_contracts.ids import ThreadId, UserId, message_id
from chatterbus_contracts.queries import Missed, MissedMember
from chatterbus_contracts.states import MessagePreview, Seq, Time
from chatterbus_contracts.webhooks import CREATED, MISSED, HookEvent, MissedBody, MissedMessages

ID_MAX_CHARS: Final = 160
DIGEST_CHARS: Final = 40


def missed_id(thread_id: ThreadId, user_id: UserId, last_seq: Seq) -> str:
    """Of the event that tells a user of a thread up to `last_seq`."""
    # A message id comes first: it ends where its digits end, so no two pairs of ids run into each other.
    return _short("missed", f"{message_id(thread_id, last_seq)}-{user_id}")


def missed_event(
    thread_id: ThreadId, answer: Missed, last_message: MessagePreview, member: MissedMember, event_id: str, at: Time
) -> HookEvent:
    """message.missed for one member of the store's answer."""
    data = MissedMessages(
        user_id=member.user_id,
        user_type=member.user_type,
        thread_id=thread_id,
        thread_title=answer.title,
        unread=member.unread,
        mentions=member.mentions,
        first_unread_seq=member.first_unread_seq,
        last_seq=answer.last_seq,
        last_message=last_message,
    )
    return HookEvent(event_id, MISSED, member.user_id, encode(MissedBody(timestamp=at, data=data)))


def created_event(frame: bytes) -> HookEvent:
    """message.created for a `message` frame, with the frame's data as it is; or DecodeError."""
    message: Any = parse_json(frame)
    try:
        data = message["data"]
        event_id = _short("created", str(data["id"]))
        body = {"type": CREATED, "timestamp": data["createdAt"], "data": {"message": data}}
        return HookEvent(event_id, CREATED, str(data["threadId"]), encode_json(body))
    except (KeyError, TypeError):
        raise DecodeError("not a message frame") from None


def _short(kind: str, name: str) -> str:
    event_id = f"{kind}-{name}"
    if len(event_id) <= ID_MAX_CHARS:
        return event_id
    return f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARS]}"
