"""Which messages an envelope of events speaks of. Pure."""

from typing import Final

from chatterbus_contracts.codec import DecodeError, parse_json
from chatterbus_contracts.envelopes import decode_events
from chatterbus_contracts.ids import ThreadId

OF_MESSAGES: Final = frozenset({"message", "message_updated", "message_deleted"})

Place = tuple[ThreadId, int]


def places_in(envelope: bytes) -> list[Place]:
    """(thread, seq) of each message that was stored, changed or deleted, in order. Raises DecodeError."""
    try:
        return [_place(parse_json(event.frame)) for event in decode_events(envelope) if event.type in OF_MESSAGES]
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"a frame in the event envelope names no message: {type(error).__name__}") from None


def _place(frame: dict[str, dict[str, str]]) -> Place:
    data = frame["data"]
    return ThreadId(data["threadId"]), int(data["seq"])
