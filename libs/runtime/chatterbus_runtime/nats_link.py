"""The one connection of a process to NATS.

Promises: `publish` and `listen` never wait, and what one turn of the event loop publishes leaves in one write; a
published message was either handed to the connection or an error was raised, and nothing is kept for later while the
connection is down (a message delivered after its deadline is worse than an error now); the un-sent backlog is bounded;
listeners survive reconnects; a lost link is told at once to everyone who watches it.

Does not promise delivery: core NATS is at most once, and what was published just before the link was lost may or may
not have arrived. While the link was down messages were missed: a listener's owner re-reads its state on reconnect.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError
from nats.js import JetStreamContext

from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.link_errors import LinkDown, LinkFull, NoResponders, PayloadTooLarge
from chatterbus_runtime.nats_client import HotPathClient, ServerUnreachable, SyncSubscription
from chatterbus_runtime.nats_message import Message, check_listen, header_block, publish_command
from chatterbus_runtime.settings import ServiceSettings

log: Final = structlog.stdlib.get_logger(__name__)

PING_INTERVAL_S: Final = 5  # with two unanswered, a dead link is noticed within 15 s
MAX_OUTSTANDING_PINGS: Final = 2
CONNECT_TIMEOUT_S: Final = 2
RECONNECT_WAIT_S: Final = (0.25, 2.0)  # first and longest wait between attempts; half of it is jitter
DISCONNECTED_PENDING_BYTES: Final = 2 * 1024 * 1024  # of the library's own commands (KV, services) while disconnected
BACKLOG_BOUND_BYTES: Final = 8 * 1024 * 1024  # overflow: publish raises LinkFull
MAX_REQUESTS: Final = 16_384  # unanswered at a time; overflow: request raises LinkFull
API_TIMEOUT_S: Final = 5.0  # of the JetStream API behind `jetstream`
COMPLAIN_EVERY_S: Final = 10.0  # one line per unreachable server in this time, not one per attempt
NO_RESPONDERS: Final = 503

T = TypeVar("T")


class Listener:
    """A running `listen`; close it to stop."""

    __slots__ = ("_client", "_subscription", "subject")

    def __init__(self, client: HotPathClient, subscription: SyncSubscription, subject: str) -> None:
        self._client = client
        self._subscription = subscription
        self.subject = subject

    def close(self) -> None:
        """Stop listening, at once: messages on their way are dropped. Closing twice is harmless."""
        self._client.remove_sync(self._subscription)


class NatsLink:
    """Made by `NatsLink.connect`."""

    def __init__(
        self,
        name: str,
        *,
        on_disconnected: Callable[[], None] | None = None,
        on_reconnected: Callable[[], None] | None = None,
        on_slow: Callable[[str], None] | None = None,
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        first_s, longest_s = RECONNECT_WAIT_S
        backoff = Backoff(first_s, 2.0, longest_s, jitter=0.5, random=random.random)
        self.name = name
        self._client = HotPathClient(backoff, self._went_down)
        self._on_disconnected = on_disconnected
        self._on_reconnected = on_reconnected
        self._on_slow = on_slow
        self._on_closed = on_closed
        self._down_watchers: list[Callable[[], None]] = []
        self._waiting: set[asyncio.Future[Any]] = set()  # answers that a lost link will never bring
        self._requests: dict[str, asyncio.Future[Message]] = {}
        self._request_numbers = itertools.count(1)
        self._request_inbox = ""
        self._closing = False
        self._complained_at_s: dict[str, float] = {}
        self._jetstream: JetStreamContext | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(
        cls,
        settings: ServiceSettings,
        name: str,
        *,
        on_disconnected: Callable[[], None] | None = None,
        on_reconnected: Callable[[], None] | None = None,
        on_slow: Callable[[str], None] | None = None,
        on_closed: Callable[[], None] | None = None,
        connect_patience_s: float | None = None,
    ) -> NatsLink:
        """Connect, waiting for a NATS that is not there yet (for ever, or raise LinkDown after `connect_patience_s`).

        `on_disconnected`: called at every loss, before any reconnect; messages are being missed from here.
        `on_reconnected`: the server knows all listeners again. `on_slow(subject)`: a subscription of the library was
        too slow and dropped messages (listeners have no queue and cannot be). `on_closed`: the connection is gone for
        good without `close`; the process should end. `name` shows in NATS monitoring.
        """
        link = cls(
            name,
            on_disconnected=on_disconnected,
            on_reconnected=on_reconnected,
            on_slow=on_slow,
            on_closed=on_closed,
        )
        try:
            async with asyncio.timeout(connect_patience_s):
                await link._client.connect(**link._options(settings))
        except TimeoutError as error:
            await link._client.shut()
            raise LinkDown(
                f"no NATS at {link._hosts()} within {connect_patience_s} s: {link._client.last_error}"
            ) from error
        except asyncio.CancelledError:
            link._client.abort()
            raise
        link._request_inbox = link.inbox() + "."
        link.listen(f"{link._request_inbox}*", link._answered)
        log.info("nats connected", server=link.server, name=name)
        return link

    def _options(self, settings: ServiceSettings) -> dict[str, Any]:
        options: dict[str, Any] = {
            "servers": settings.nats_servers,
            "name": self.name,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "ping_interval": PING_INTERVAL_S,
            "max_outstanding_pings": MAX_OUTSTANDING_PINGS,
            "max_reconnect_attempts": -1,
            "pending_size": DISCONNECTED_PENDING_BYTES,
            "inbox_prefix": settings.nats_inbox_prefix,
            "error_cb": self._failed,
            "reconnected_cb": self._came_back,
            "closed_cb": self._closed_for_good,
        }
        if settings.nats_user is not None:
            options["user"] = settings.nats_user
            options["password"] = settings.nats_password.get_secret_value() if settings.nats_password else ""
        if settings.nats_creds is not None:
            options["user_credentials"] = str(settings.nats_creds)
        if settings.nats_ca is not None:
            options["tls"] = ssl.create_default_context(cafile=str(settings.nats_ca))
        return options

    async def close(self, timeout_s: float = 5.0) -> None:
        """Handle what the server has already sent, send what is buffered, then disconnect; all within `timeout_s`."""
        if self._closing:
            return
        self._closing = True
        if self.is_connected:
            # In a task of its own: nats-py swallows cancellation in places, so a timeout around it would not hold.
            draining = asyncio.get_running_loop().create_task(self._drain(timeout_s))
            done, _ = await asyncio.wait({draining}, timeout=timeout_s)
            if not done:
                draining.cancel()
                log.warning("nats drain cut short", timeout_s=timeout_s)
        self._fail_waiting("closed")
        shutting = asyncio.get_running_loop().create_task(self._client.shut())
        await asyncio.wait({shutting}, timeout=1.0)

    async def _drain(self, timeout_s: float) -> None:
        try:
            self._client.unsubscribe_all_sync()
            await self.flush(timeout_s)
            self._client.forget_all_sync()
            await self._client.drain()
        except (LinkDown, TimeoutError, NatsError, OSError) as error:
            log.warning("nats drain failed", detail=str(error) or type(error).__name__)

    # --- use ---------------------------------------------------------------------------------------------------------

    def publish(self, subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Hand a message to the connection; raises LinkDown, LinkFull, PayloadTooLarge, BadSubject or BadHeader."""
        client = self._client
        command = publish_command(subject, payload, reply, headers)
        if not client.can_push:
            raise LinkDown("not connected to NATS")
        size = len(command)
        if size > client.max_payload:
            self._check_payload(payload, headers)
        if not client.room_for(size, BACKLOG_BOUND_BYTES):
            raise LinkFull(client.backlog_bytes, BACKLOG_BOUND_BYTES)
        client.push(command)

    def _check_payload(self, payload: bytes, headers: Mapping[str, str] | None) -> None:
        size = len(payload) + (len(header_block(headers)) if headers else 0)
        if size > self._client.max_payload:
            raise PayloadTooLarge(size, self._client.max_payload)

    def listen(self, subject: str, callback: Callable[[Message], None], queue: str = "") -> Listener:
        """Call `callback` for every message, right in the read loop: it must be quick, and must not wait.

        The server knows of it after the next `flush`; while disconnected, after the reconnect. An exception out of the
        callback is logged and the message is passed over. Raises BadSubject, or LinkDown after `close`.
        """
        check_listen(subject, queue)
        if self._closing or self._client.is_closed:
            raise LinkDown("the link is closed")
        return Listener(self._client, self._client.add_sync(subject, queue, callback), subject)

    async def flush(self, timeout_s: float) -> None:
        """Returns when the server has processed everything published and listened so far; TimeoutError or LinkDown."""
        if not self._client.can_push:
            raise LinkDown("not connected to NATS")
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._client.ping(answered)
        await self._wait(answered, timeout_s)

    async def request(
        self, subject: str, payload: bytes, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Message:
        """The first answer; raises NoResponders, TimeoutError, LinkDown, or what `publish` raises."""
        if len(self._requests) >= MAX_REQUESTS:
            raise LinkFull(len(self._requests), MAX_REQUESTS)
        number = str(next(self._request_numbers))
        self.publish(subject, payload, self._request_inbox + number, headers)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._requests[number] = answer
        try:
            return await self._wait(answer, timeout_s)
        finally:
            del self._requests[number]

    def inbox(self) -> str:
        """A subject nobody else has; sub-subjects of it are yours as well."""
        return self._client.new_inbox()

    def watch_down(self, callback: Callable[[], None]) -> None:
        """Also tell `callback` of every loss of the connection, and of `close`. For those who await answers."""
        self._down_watchers.append(callback)

    @property
    def backlog_bytes(self) -> int:
        """Published and not yet taken by the operating system; LinkFull comes at BACKLOG_BOUND_BYTES."""
        return self._client.backlog_bytes

    @property
    def is_connected(self) -> bool:
        return self._client.can_push

    @property
    def max_payload_bytes(self) -> int:
        return self._client.max_payload

    @property
    def server(self) -> str:
        """host:port of the server connected to last, without credentials."""
        return self._client.server_name

    @property
    def client(self) -> Client:
        """nats-py's client, for its services framework."""
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        """nats-py's JetStream context, for management: streams, consumers, key-value buckets."""
        if self._jetstream is None:
            self._jetstream = self._client.jetstream(timeout=API_TIMEOUT_S)
        return self._jetstream

    # --- answers and losses ------------------------------------------------------------------------------------------

    async def _wait(self, answer: asyncio.Future[T], timeout_s: float) -> T:
        self._waiting.add(answer)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        finally:
            self._waiting.discard(answer)

    def _answered(self, message: Message) -> None:
        answer = self._requests.get(message.subject[len(self._request_inbox) :])
        if answer is None or answer.done():
            return  # late: whoever asked has given up
        if message.status == NO_RESPONDERS:
            answer.set_exception(NoResponders("nobody listens there"))
        else:
            answer.set_result(message)

    def _fail_waiting(self, why: str) -> None:
        for answer in tuple(self._waiting):
            if not answer.done():
                answer.set_exception(LinkDown(why))
        for callback in self._down_watchers:
            _call(callback)

    def _went_down(self) -> None:
        self._fail_waiting("the connection to NATS was lost")
        if not self._closing:
            log.warning("nats connection lost", server=self.server, reason=str(self._client.last_error or ""))
            _call(self._on_disconnected)

    async def _came_back(self) -> None:
        log.info("nats reconnected", server=self.server)
        self._complained_at_s.clear()
        _call(self._on_reconnected)

    async def _closed_for_good(self) -> None:
        if self._closing:
            return
        log.error("nats connection closed for good", reason=str(self._client.last_error or ""))
        self._fail_waiting("the connection to NATS is closed")
        _call(self._on_disconnected)
        _call(self._on_closed)

    async def _failed(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError):
            log.warning("nats subscription too slow, messages dropped", subject=error.subject)
            if self._on_slow is not None:
                self._on_slow(error.subject)
            return
        server = error.server if isinstance(error, ServerUnreachable) else self._hosts()
        now_s = asyncio.get_running_loop().time()
        kind = f"{server} {type(error).__name__}"
        if now_s - self._complained_at_s.get(kind, -COMPLAIN_EVERY_S) < COMPLAIN_EVERY_S:
            return
        self._complained_at_s[kind] = now_s
        if isinstance(error, ServerUnreachable):
            log.warning("nats unreachable, trying again", server=server, reason=str(error.cause) or repr(error.cause))
        else:
            log.warning("nats error", server=server, reason=str(error) or type(error).__name__)

    def _hosts(self) -> str:
        return ", ".join(f"{url.hostname}:{url.port}" for url in self._client.servers)


def _call(callback: Callable[[], None] | None) -> None:
    if callback is None:
        return
    try:
        callback()
    except Exception:
        # One observer's bug must not keep the others, or the reconnect, from running.
        log.exception("link observer failed")
