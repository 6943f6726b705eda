"""The client: one connection, an outbox, and a true view of every followed thread.

Promises
- `send` returns when the message is committed in the store; `post` returns at once. Either way a message is sent until
  it is stored or refused for good, across reconnects, stored once, and per thread in the order posted.
- A followed thread's view and events have no holes and no repetitions, across reconnects.
- What arrives in a followed thread is confirmed as delivered by itself, the latest per thread, a few times a second
  at most (`auto_deliver`).
- Who is here, who is writing and what is not read is shown as the server tells it, by itself, across reconnects.
- Every call has a deadline. Nothing that people wrote is logged.
Does not promise to outlive its process: that takes a FileOutbox. Only messages are kept in the outbox; what is done to
them is not (message_calls).
"""

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from chatterbus_client.addresses import Addresses
from chatterbus_client.connection import Connection
from chatterbus_client.cursor_teller import CursorTeller
from chatterbus_client.cursors import Cursors
from chatterbus_client.delivery import Delivery
from chatterbus_client.draft import checked_message
from chatterbus_client.errors import ClientClosed, NotYetSent, Unreachable
from chatterbus_client.event_stream import EventStream, EventStreams
from chatterbus_client.events import ClientEvent, ConnectionChanged, SendChanged, State, ThreadLost
from chatterbus_client.files import Files
from chatterbus_client.following import Following
from chatterbus_client.http_client import Http
from chatterbus_client.identity import Identity, TokenCallback
from chatterbus_client.inbox import Inbox
from chatterbus_client.link import Link
from chatterbus_client.message_calls import MessageCalls
from chatterbus_client.outbox import Outbox
from chatterbus_client.outbox_store import MemoryOutbox, OutboxStore
from chatterbus_client.pending import Pending, Sent
from chatterbus_client.presence_wishes import PresenceWishes
from chatterbus_client.reconnect_policy import ReconnectPolicy
from chatterbus_client.requests import Requests
from chatterbus_client.rest import Rest
from chatterbus_client.settings import ClientSettings
from chatterbus_client.sign_calls import SignCalls
from chatterbus_client.signs import Signs
from chatterbus_client.thread import Thread
from chatterbus_client.thread_calls import ThreadCalls
from chatterbus_client.timeline import Timeline
from chatterbus_contracts.frames.server import AuthSuccess, MemberRemoved
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.states import AttachmentState, MessageState

log = logging.getLogger(__name__)


class Client(ThreadCalls, MessageCalls, SignCalls):
    """Use it as `async with Client(...) as client`. Give a token, a callback that gets one, or (development mode of
    the server) only a user_id."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        token: str | TokenCallback | None = None,
        user_id: str | None = None,
        user_type: str | None = "user",
        name: str | None = None,
        outbox: OutboxStore | None = None,
        http_fallback: bool = True,
        auto_deliver: bool = True,
        settings: ClientSettings | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        chance: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._settings = settings = settings or ClientSettings()
        self._addresses = Addresses.of(url)
        self._identity = Identity(token, user_id, user_type, name, timeout_s=settings.token_timeout_s)
        self._store: OutboxStore = outbox if outbox is not None else MemoryOutbox()
        self._http_fallback = http_fallback
        self._auto_deliver = auto_deliver
        self._transport = transport
        self._chance = chance
        self._new_id = new_id
        self._streams = EventStreams(settings.events_max)
        self._cursors = Cursors()
        self._teller = CursorTeller(self._cursors, settings.receipts_pause_s)
        self._signs = Signs(settings, self._streams.put)
        self._wishes = PresenceWishes(settings.presence_pause_s)
        self._connection: Connection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._closed: ClientClosed | None = None
        self._me: AuthSuccess | None = None

    # Life

    async def __aenter__(self) -> Self:
        settings, identity = self._settings, self._identity
        policy = ReconnectPolicy(
            self._chance,
            can_renew_token=identity.can_renew,
            initial_s=settings.reconnect_initial_s,
            maximum_s=settings.reconnect_maximum_s,
            stable_after_s=settings.stable_after_s,
        )
        self._http = Http(self._addresses, identity, settings, self._transport)
        self._rest = Rest(self._http)
        self._files = Files(self._http, settings)
        self._requests = Requests(self._addresses.http, settings)
        self._delivery = Delivery(
            Outbox(settings, self._chance),
            self._store,
            self._rest,
            settings,
            self._send_changed,
            http_fallback=self._http_fallback,
        )
        self._following = Following(self._rest, settings, self._followed, self._position_changed, self._arrived)
        self._inbox = Inbox(
            self._delivery,
            self._following,
            self._requests,
            self._cursors,
            self._signs,
            self._wishes,
            self._streams.put,
        )
        self._link = Link(self._addresses, identity, settings, policy, self)
        self._tasks = [asyncio.create_task(self._link.run()), asyncio.create_task(self._delivery.run())]
        for task in self._tasks:
            task.add_done_callback(self._task_ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaving without an error waits for what was posted, at most `drain_timeout_s`."""
        if kind is None and self._closed is None:
            with contextlib.suppress(TimeoutError):
                await self.drain(self._settings.drain_timeout_s)
        await self.close()

    async def close(self) -> None:
        """Say goodbye and stop. What is still in the outbox stays in its store."""
        self._closed = self._closed or ClientClosed("the client was closed")
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._following.close(self._closed)
        self._delivery.close(self._closed)
        self._requests.close(self._closed)
        await self._http.close()
        if self._link.state is not State.CLOSED:
            self._link.state = State.CLOSED
            self._streams.put(ConnectionChanged(State.CLOSED, self._closed.reason))
        self._streams.end()
        self._changed.set()
        for result in results:
            if isinstance(result, Exception):
                raise result  # a defect of ours: it must not pass in silence

    @property
    def state(self) -> State:
        """Where the connection is."""
        return self._link.state

    @property
    def url(self) -> str:
        """Where the server is; an attachment's `url` goes behind it."""
        return self._addresses.http

    @property
    def user_id(self) -> str | None:
        """Who the server takes us for; before the first connection, who we say we are."""
        return self._me.user_id if self._me is not None else self._identity.user_id

    @property
    def session(self) -> AuthSuccess | None:
        """What the server said when it last accepted us."""
        return self._me

    async def wait_online(self, timeout_s: float = 10.0, *, fail_fast: bool = False) -> None:
        """Wait until connected and caught up. Raises Unreachable after `timeout_s`, or (`fail_fast`) when the first
        attempt fails; Refused or ClientClosed when the server does not want us."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.state is not State.ONLINE and not (fail_fast and self._link.failures):
                    self._check_open()
                    self._changed.clear()
                    await self._changed.wait()
        self._check_open()
        if self.state is not State.ONLINE:
            raise Unreachable(self._addresses.http, self._link.reason or self.state)

    # Threads and events

    async def thread(self, thread_id: str, *, history: int = 50) -> Thread:
        """Follow a thread, across reconnects, and load its last `history` messages. Raises Refused, Unreachable."""
        self._check_open()
        try:
            timeline = await self._following.follow(_thread_id(thread_id), history)
        except TimeoutError:
            self._check_open()
            raise Unreachable(self._addresses.http, self._link.reason or "no answer to subscribe") from None
        return Thread(self, timeline)

    async def unfollow(self, thread_id: str) -> None:
        """Stop following a thread; the membership stays. Its view stands still from here on."""
        await self._following.unfollow(_thread_id(thread_id))
        self._forget_unseen()

    def events(self, thread_id: str | None = None) -> EventStream:
        """Everything that happens from now on, or what happens in one thread. See event_stream for its bound."""
        if thread_id is None:
            return self._streams.open()
        return self._streams.open(lambda event: getattr(event, "thread_id", None) == thread_id)

    # Messages

    async def send(self, thread_id: str, content: str, *, timeout_s: float | None = None, **options: Any) -> Sent:
        """Post and wait until it is stored. Raises Refused if it never will be; NotYetSent when `timeout_s` (default
        `send_timeout_s`) is over: it is still being sent then. Options are those of `post`."""
        pending = self.post(thread_id, content, **options)
        try:
            async with asyncio.timeout(self._settings.send_timeout_s if timeout_s is None else timeout_s):
                return await pending
        except TimeoutError:
            raise NotYetSent(pending.client_message_id) from None

    def post(
        self,
        thread_id: str,
        content: str,
        *,
        client_message_id: str | None = None,
        message_type: str = "text",
        reply_to: str | MessageState | None = None,
        attachments: Sequence[str | AttachmentState] = (),
        mentions: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> Pending:
        """Put a message into the outbox and return at once. Raises OutboxFull, and Refused for what no server takes.
        Give a client_message_id of your own to make a repetition by your own code harmless. `reply_to`: a message of
        the same thread, or its id. `attachments`: up to 10 answers of `upload`, or their ids; with them, content may be
        empty. `mentions`: up to 50 user ids. `metadata`: up to 8 KiB of JSON of your own. `message_type`: text, file;
        system takes a scope."""
        self._check_open()
        values = {
            "thread_id": thread_id,
            "content": content,
            "client_message_id": client_message_id or self._new_id(),
            "message_type": message_type,
            "reply_to_id": reply_to.id if isinstance(reply_to, MessageState) else reply_to,
            "attachment_ids": [file if isinstance(file, str) else file.id for file in attachments],
            "mentions": list(mentions),
            "metadata": metadata,
        }
        return self._delivery.post(checked_message(values))

    @property
    def pending(self) -> list[Pending]:
        """What was posted and is not stored yet, oldest first; also what an earlier process left in the outbox."""
        return self._delivery.pendings

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Wait until all that was posted is stored or refused. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            await self._delivery.drained()

    # LinkObserver: what the link tells

    def opened(self, connection: Connection, success: AuthSuccess) -> None:
        """See LinkObserver."""
        self._me = success
        self._connection = connection
        self._following.opened(connection, success.user_id, success.store_epoch)
        self._delivery.opened(connection)
        self._inbox.opened(success.user_id)
        self._requests.opened(connection)
        self._teller.opened(connection)
        self._signs.opened(success.store_epoch)
        self._wishes.opened(connection)

    def lost(self) -> None:
        """See LinkObserver."""
        self._connection = None
        self._teller.lost()
        self._wishes.lost()
        self._signs.lost()
        self._requests.lost()
        self._delivery.lost()
        self._following.lost()

    def received(self, frame: Any) -> None:
        """See LinkObserver."""
        if isinstance(frame, AuthSuccess):
            self._me = frame  # a renewed token
        self._inbox.received(frame)

    def changed(self, change: ConnectionChanged) -> None:
        """See LinkObserver."""
        if change.state is State.CLOSED:
            self._closed = ClientClosed(change.reason, self._link.close_code)
            self._following.close(self._link.refused or self._closed)
            self._delivery.abandon(self._closed)
            self._requests.close(self._link.refused or self._closed)
        self._streams.put(change)
        self._changed.set()
        if change.state is State.CLOSED:
            self._streams.end()

    def _position_changed(self, caught_up: bool) -> None:
        if caught_up:
            self._link.caught_up()
        else:
            self._link.behind()

    def _followed(self, event: ClientEvent) -> None:
        self._streams.put(event)
        if isinstance(event, ThreadLost | MemberRemoved):
            self._forget_unseen()

    def _forget_unseen(self) -> None:
        """The server tells no more of those who are neither watched nor in a followed thread."""
        self._signs.hear_only_of({*self._following.member_ids(), *self._wishes.watched, self.user_id or ""})

    def _arrived(self, timeline: Timeline) -> None:
        """The newest message of a thread is here, maybe for the first time."""
        mine = timeline.members.get(self.user_id or "")
        if not self._auto_deliver or mine is None or mine.delivered_seq >= timeline.last_seq:
            return
        if self._cursors.delivered(timeline.thread_id, timeline.last_seq):
            self._teller.mark_later()

    async def _my_id(self) -> str:
        if self.user_id is None:
            await self.wait_online(self._settings.request_timeout_s)
        return self.user_id or ""

    def _send_changed(self, pending: Pending) -> None:
        event: ClientEvent = SendChanged(
            pending.thread_id, pending.client_message_id, pending.status, pending.sent, pending.refused
        )
        self._streams.put(event)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        # A defect of ours must end the client, not leave its callers waiting.
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the client failed: %s", type(error).__name__, exc_info=error)
            self._link.state = State.CLOSED
            self.changed(ConnectionChanged(State.CLOSED, f"the client failed: {type(error).__name__}"))

    def _check_open(self) -> None:
        if self._closed is not None:
            raise self._link.refused or self._closed


def _thread_id(text: str) -> ThreadId:
    return ThreadId(text)  # the frames' models check it
