"""What was asked on one connection and is not answered yet. Pure.

Promises: true while an answer is awaited, from the frame that asks to the ack or error that names it; `queued` is no
answer yet. Frames that nothing answers by name (typing, receipts, watches, an unsubscribe) are no questions. Bounded
by what the outbox and the callers have under way: a question asked again has the same name.
"""

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.frames.client import (
    DeleteMessage,
    EditMessage,
    React,
    SendMarkUnread,
    SendMessage,
    SetPresence,
    Subscribe,
)
from chatterbus_contracts.frames.server import Ack, Error, MessageAck, ServerFrame, Subscribed

ByRef = Subscribe | EditMessage | DeleteMessage | React | SendMarkUnread | SetPresence


class Questions:
    """Of one connection, by clientMessageId or ref."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._open)

    def asked(self, frame: Wire) -> None:
        """A frame was sent."""
        if isinstance(frame, SendMessage):
            self._open.add(str(frame.client_message_id))
        elif isinstance(frame, ByRef) and frame.ref is not None:
            self._open.add(frame.ref)

    def answered(self, frame: ServerFrame) -> None:
        """A frame came."""
        if isinstance(frame, MessageAck):
            if frame.status != "queued":
                self._open.discard(frame.client_message_id)
        elif isinstance(frame, Ack | Error | Subscribed) and frame.ref is not None:
            self._open.discard(frame.ref)
        if isinstance(frame, Error) and frame.client_message_id is not None:
            self._open.discard(frame.client_message_id)
