"""A posted message on its way, and what is known once it is stored."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from chatterbus_client.errors import ClientClosed, Refused

Status = Literal["sending", "queued", "sent", "failed"]


@dataclass(frozen=True, slots=True)
class Sent:
    """The message is committed in the store: its place, and when."""

    thread_id: str
    client_message_id: str
    message_id: str
    seq: int
    rev: int | None
    created_at: str


class Pending:
    """One posted message. Await it for the Sent; raises Refused if refused for good, ClientClosed if the client
    closed first (the message stays in the outbox). Any number of tasks may await it; cancelling one harms nobody."""

    def __init__(self, thread_id: str, client_message_id: str, on_change: Callable[["Pending"], None]) -> None:
        self.thread_id = thread_id
        self.client_message_id = client_message_id
        self.status: Status = "sending"
        self.sent: Sent | None = None
        self.refused: Refused | None = None
        self._on_change = on_change
        self._done = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[object, None, Sent]:
        return self._result().__await__()

    async def _result(self) -> Sent:
        await asyncio.wait([self._done])
        result: Sent = self._done.result()
        return result

    @property
    def done(self) -> bool:
        """Whether awaiting would return, or raise, at once."""
        return self._done.done()

    def queue(self) -> None:
        """The server holds it safely."""
        if self.status == "sending":
            self.status = "queued"
            self._on_change(self)

    def store(self, sent: Sent) -> None:
        """It is stored."""
        if not self._done.done():
            self.status, self.sent = "sent", sent
            self._done.set_result(sent)
            self._on_change(self)

    def refuse(self, refused: Refused) -> None:
        """It was refused for good."""
        if not self._done.done():
            self.status, self.refused = "failed", refused
            self._fail(refused)
            self._on_change(self)

    def abandon(self, closed: ClientClosed) -> None:
        """The client goes; the message stays where it is."""
        if not self._done.done():
            self._fail(closed)

    def _fail(self, error: Exception) -> None:
        self._done.set_exception(error)
        self._done.exception()  # nobody has to await it
