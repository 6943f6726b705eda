"""Requests over the socket that are answered by `ack` or `error`: edits, deletes, reactions, marks, presence.

Promises: `ask` ends within `request_timeout_s`, waiting for a connection included. Each of these requests says what
shall be and not what to add, so one whose answer was lost with its connection, or that was refused for now, is asked
again within that time. After it: the last refusal, NotConnected if the request never left (nothing happened), or
Unreachable if it left and no answer came (it may have happened). Does not keep requests beyond that: they are not in
the outbox. As many wait as there are callers.
"""

import asyncio
from itertools import count

from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_client.errors import NotConnected, Refused, Unreachable
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import DeleteMessage, EditMessage, React, SendMarkUnread, SetPresence
from chatterbus_contracts.frames.server import Ack, Error

Request = EditMessage | DeleteMessage | React | SendMarkUnread | SetPresence


class Requests:
    """Those of one client that wait for their answer, by ref."""

    def __init__(self, url: str, settings: ClientSettings) -> None:
        self._url = url
        self._settings = settings
        self._refs = count(1)
        self._answers: dict[str, asyncio.Future[Ack]] = {}
        self._connection: Connection | None = None
        self._moved = asyncio.Event()
        self._closed: Exception | None = None

    async def ask(self, request: Request) -> int | None:
        """Ask until it is answered: the rev of the change, None where nothing changed for others. Raises Refused,
        NotConnected, Unreachable."""
        ref = f"request-{next(self._refs)}"
        request = request.model_copy(update={"ref": ref})
        attempt = _Attempt(self._settings.retry_initial_s)
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                while True:
                    try:
                        return (await self._ask_once(ref, request, attempt)).rev
                    except ConnectionLost:
                        continue  # the next one is waited for
                    except Refused as refused:
                        attempt.refused = refused
                        if not refused.retryable:
                            raise
                    if attempt.refused.code is not ErrorCode.DRAINING:
                        await asyncio.sleep(attempt.pause_s(self._settings.retry_maximum_s))
        except TimeoutError:
            raise self._gave_up(attempt) from None
        finally:
            self._answers.pop(ref, None)

    def opened(self, connection: Connection) -> None:
        """A new connection."""
        self._connection = connection
        self._moved.set()

    def lost(self) -> None:
        """The connection is gone, and the answers with it."""
        self._connection = None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionLost(None, "the connection was lost before the answer came"))
                answer.exception()

    def close(self, error: Exception) -> None:
        """There will be no connection any more."""
        self._closed = error
        self.lost()
        self._moved.set()

    def acked(self, frame: Ack) -> None:
        """It was carried out."""
        answer = self._answers.get(frame.ref or "")
        if answer is not None and not answer.done():
            answer.set_result(frame)

    def refused(self, frame: Error) -> None:
        """An error frame that names a request by its ref."""
        answer = self._answers.get(frame.ref or "")
        if answer is not None and not answer.done():
            answer.set_exception(Refused.by_frame(frame))
            answer.exception()

    async def _ask_once(self, ref: str, request: Request, attempt: "_Attempt") -> Ack:
        connection = attempt.connection = await self._usable(attempt)
        await connection.turn()
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        await connection.send(request)
        attempt.sent = True
        if connection is not self._connection:
            raise ConnectionLost(None, "the connection was lost before the answer came")
        return await answer

    async def _usable(self, attempt: "_Attempt") -> Connection:
        """A connection that takes requests, and not the one that just failed to answer."""
        while True:
            if self._closed is not None:
                raise self._closed
            connection = self._connection
            stale = connection is attempt.connection and not attempt.may_ask_again
            if connection is not None and not stale and not connection.draining:
                return connection
            self._moved.clear()
            await self._moved.wait()

    def _gave_up(self, attempt: "_Attempt") -> Exception:
        if attempt.refused is not None:
            return attempt.refused
        if attempt.sent:
            return Unreachable(self._url, "no answer in time; it may have happened")
        return NotConnected(self._url, "not connected; nothing happened")


class _Attempt:
    """How one request has fared so far."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self.connection: Connection | None = None
        self.sent = False
        self.refused: Refused | None = None

    @property
    def may_ask_again(self) -> bool:
        """Whether the same connection is worth another try."""
        return self.refused is not None and self.refused.code is not ErrorCode.DRAINING

    def pause_s(self, maximum_s: float) -> float:
        """How long to wait after a refusal; doubles unless the server said how long."""
        if self.refused is not None and self.refused.retry_after_ms is not None:
            return self.refused.retry_after_ms / 1000
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, maximum_s)
        return pause_s
