"""Where an outbox keeps its messages. Storage only; order and resending are outbox.py's.

Promises of every store: `put` has taken the message to where it survives what the store survives before it returns;
`load` yields what was put and not removed, in the order of putting. Used by one client at a time.
"""

from typing import Protocol

from chatterbus_client.errors import OutboxBusy
from chatterbus_contracts.frames.client import SendMessage


class OutboxStore(Protocol):
    """Storage of an outbox. Calls are synchronous and short."""

    def open(self) -> list[SendMessage]:
        """Take the store into use; the messages in it. Raises OutboxBusy if another client has it."""

    def put(self, frame: SendMessage) -> None:
        """Keep a message."""

    def remove(self, client_message_id: str) -> None:
        """Forget a message."""

    def close(self) -> None:
        """Give the store back. It can be opened again."""


class MemoryOutbox:
    """Survives the connection and the client, not the process."""

    def __init__(self) -> None:
        self._frames: dict[str, SendMessage] = {}
        self._open = False

    def open(self) -> list[SendMessage]:
        """See OutboxStore."""
        if self._open:
            raise OutboxBusy("this MemoryOutbox is used by another client")
        self._open = True
        return list(self._frames.values())

    def put(self, frame: SendMessage) -> None:
        """See OutboxStore."""
        self._frames[str(frame.client_message_id)] = frame

    def remove(self, client_message_id: str) -> None:
        """See OutboxStore."""
        self._frames.pop(client_message_id, None)

    def close(self) -> None:
        """See OutboxStore."""
        self._open = False
