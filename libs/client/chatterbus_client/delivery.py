"""Sends what is in the outbox: over the socket, or over HTTP when the socket stays away.

Promises: what outbox.py promises, on the wire; a message is in the store before `post` returns and until it is stored
by the server or refused for good. After `fallback_after_s` without a socket, messages go by POST, one at a time, in
order, with the same clientMessageIds; the socket takes over, again from the first unanswered one, when it is back.
Refusals that concern the session and not the message (a token that expired) never fail a message.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_client.errors import ClientClosed, Refused, Unreachable
from chatterbus_client.outbox import Outbox
from chatterbus_client.outbox_store import OutboxStore
from chatterbus_client.pending import Pending, Sent
from chatterbus_client.rest import Rest
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.frames.server import Error, MessageAck
from chatterbus_contracts.states import MessageState

# About the session or the gateway: with a new token, or at another gateway, the same message may pass.
_OF_THE_SESSION: Final = frozenset(
    {
        ErrorCode.AUTH_REQUIRED,
        ErrorCode.AUTH_FAILED,
        ErrorCode.TOKEN_EXPIRED,
        ErrorCode.TOKEN_REVOKED,
        ErrorCode.DRAINING,
    }
)
_OF_THE_PACE: Final = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.TOO_MANY_IN_FLIGHT})


class Delivery:
    """The outbox of one client at work. `run` is the one task of it."""

    def __init__(
        self,
        outbox: Outbox,
        store: OutboxStore,
        rest: Rest,
        settings: ClientSettings,
        on_change: Callable[[Pending], None],
        *,
        http_fallback: bool,
    ) -> None:
        self._outbox = outbox
        self._store = store
        self._rest = rest
        self._settings = settings
        self._on_change = on_change
        self._http_fallback = http_fallback
        self._now = asyncio.get_running_loop().time
        self._pendings: dict[str, Pending] = {}
        self._connection: Connection | None = None
        self._down_since = self._now()
        self._on_http = False
        self._http_failures = 0
        self._http_again_at = 0.0
        self._posting: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        for frame in store.open():
            outbox.restore(frame)
            self._new_pending(frame)
        self._note_emptiness()

    @property
    def pendings(self) -> list[Pending]:
        """Messages on their way, oldest first."""
        return list(self._pendings.values())

    def post(self, frame: SendMessage) -> Pending:
        """Take a message. The same clientMessageId again, while it is on its way, gives the same Pending."""
        known = self._pendings.get(str(frame.client_message_id))
        if known is not None:
            return known
        self._outbox.check_room()
        self._store.put(frame)
        self._outbox.add(frame)
        self._note_emptiness()
        self._wake.set()
        return self._new_pending(frame)

    async def drained(self) -> None:
        """Wait until nothing is on its way."""
        await self._empty.wait()

    def opened(self, connection: Connection) -> None:
        """A socket is there: everything unanswered goes out again, in order."""
        self._connection = connection
        self._on_http = False
        if self._posting is not None:
            self._posting.cancel()
        self._outbox.begin()
        self._wake.set()

    def lost(self) -> None:
        """The socket is gone."""
        self._connection = None
        self._down_since = self._now()
        self._wake.set()

    def abandon(self, closed: ClientClosed) -> None:
        """There will be no connection any more: whoever waits is told. What is in the store stays there."""
        for pending in self._pendings.values():
            pending.abandon(closed)

    def close(self, closed: ClientClosed) -> None:
        """Give up waiting, and the store."""
        self.abandon(closed)
        self._store.close()

    def acked(self, frame: MessageAck) -> None:
        """The server has it: queued, or stored."""
        message_id = frame.client_message_id
        if frame.status == "queued":
            self._queued(message_id, self._now() + self._settings.queued_timeout_s)
        elif frame.server_message_id is not None and frame.seq is not None:
            created_at = frame.created_at or ""
            self._stored(Sent(frame.thread_id, message_id, frame.server_message_id, frame.seq, frame.rev, created_at))

    def refused(self, frame: Error) -> None:
        """An error frame that names a message."""
        if frame.code in _OF_THE_PACE and self._connection is not None:
            self._connection.pace.exhaust(self._now())
        if frame.client_message_id is not None:
            self._refused(frame.client_message_id, Refused.by_frame(frame))

    async def run(self) -> None:
        """Send whatever is due, for ever."""
        while True:
            self._wake.clear()
            wait_s = await self._pump()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _pump(self) -> float | None:
        if self._connection is not None:
            if self._connection.draining:
                return None  # the next connection takes over
            pace_s = await self._send_due(self._connection)
            if pace_s is not None:
                return pace_s
        elif self._http_fallback and len(self._outbox):
            start_at = max(self._down_since + self._settings.fallback_after_s, self._http_again_at)
            if self._now() < start_at:
                return start_at - self._now()
            await self._post_due()
            if self._http_again_at > self._now():
                return self._http_again_at - self._now()
        else:
            return None
        next_at = self._outbox.next_at()
        return None if next_at is None else max(0.0, next_at - self._now())

    async def _send_due(self, connection: Connection) -> float | None:
        """How long to wait before anything may be sent; None: as long as the outbox says."""
        now = self._now()
        for frame in self._outbox.due(now, connection.pace.allowance(now)):
            try:
                await connection.send(frame)
            except ConnectionLost:
                return None  # `lost` follows, and then a new beginning
            if self._connection is not connection:
                return None
        next_at = self._outbox.next_at()
        return connection.pace.wait_s(now) or None if next_at is not None and next_at <= now else None

    async def _post_due(self) -> None:
        if not self._on_http:
            self._on_http = True
            self._outbox.begin()
        self._posting = asyncio.create_task(self._post_all(self._outbox.due(self._now())))
        try:
            await asyncio.wait([self._posting])
        finally:
            posting, self._posting = self._posting, None
            posting.cancel()
        if not posting.cancelled():
            posting.result()

    async def _post_all(self, frames: list[SendMessage]) -> None:
        held: set[str] = set()
        for index, frame in enumerate(frames):
            if frame.thread_id in held:
                self._outbox.put_back(str(frame.client_message_id))
                continue
            try:
                if not await self._post(frame):
                    held.add(frame.thread_id)
            except (Unreachable, Refused, TimeoutError):
                for unsent in frames[index:]:
                    self._outbox.put_back(str(unsent.client_message_id))
                self._http_failures += 1
                delay_s = min(2.0 ** min(self._http_failures - 1, 16), self._settings.retry_maximum_s)
                self._http_again_at = self._now() + delay_s
                return
            self._http_failures = 0

    async def _post(self, frame: SendMessage) -> bool:
        """Whether later messages of the thread may follow. Raises Refused if HTTP is of no use now."""
        message_id = str(frame.client_message_id)
        try:
            answer = await self._rest.send_message(frame)
        except Refused as refused:
            if refused.code in _OF_THE_SESSION:
                raise
            return self._refused(message_id, refused)
        if isinstance(answer, MessageState):
            self._stored(Sent(answer.thread_id, message_id, answer.id, answer.seq, answer.rev, answer.created_at))
        else:
            self._queued(message_id, self._now() + self._settings.fallback_poll_s)
        return True

    def _queued(self, message_id: str, ask_again_at: float) -> None:
        if self._outbox.queued(message_id, ask_again_at):
            self._pendings[message_id].queue()
            self._wake.set()

    def _stored(self, sent: Sent) -> None:
        if self._outbox.remove(sent.client_message_id):
            self._finish(sent.client_message_id).store(sent)

    def _refused(self, message_id: str, refused: Refused) -> bool:
        """Whether the message is out of the way."""
        may_pass = refused.retryable or refused.fate == "unknown" or refused.code in _OF_THE_SESSION
        retry_after_s = None if refused.retry_after_ms is None else refused.retry_after_ms / 1000
        final = self._outbox.refused(message_id, may_pass=may_pass, retry_after_s=retry_after_s, now=self._now())
        if final:
            self._finish(message_id).refuse(refused)
        self._wake.set()
        return final

    def _finish(self, message_id: str) -> Pending:
        self._store.remove(message_id)
        self._note_emptiness()
        self._wake.set()
        return self._pendings.pop(message_id)

    def _new_pending(self, frame: SendMessage) -> Pending:
        pending = Pending(frame.thread_id, str(frame.client_message_id), self._on_change)
        self._pendings[pending.client_message_id] = pending
        return pending

    def _note_emptiness(self) -> None:
        if len(self._outbox):
            self._empty.clear()
        else:
            self._empty.set()
