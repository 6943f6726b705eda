"""nats-py's client, with what the hot path needs. The only file that touches nats-py's private parts (2.16.0 pinned).

Promises, beyond nats-py's:
- `push` writes commands without a task, a future or an await; what one turn of the event loop pushes is one write.
- Messages for a `SyncSubscription` are called back as they are read (nats_inlet.py), all others take the library's
  path.
- The loss of a connection is told the moment it is noticed (`on_down`), what had not been written is dropped then (its
  fate would be unknown), and the dead socket is aborted (nats-py waits for its buffer to drain: minutes).
- A PING goes out after everything pushed before it, so its PONG says that the server has processed all of that
  (nats-py writes PING ahead of its pending buffer).
- A failure in the read loop, an error line from the server, or a late PONG for a flush that was given up leads to a
  reconnect or to nothing; in nats-py they end the read loop in silence, or close the client for ever.
- A cancelled request raises CancelledError, also when its reply comes in the same moment (cancellation.py).
It does not buffer pushes while disconnected, and does not speak WebSocket.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from nats.aio.client import PING_PROTO, PONG_PROTO, Client, Srv
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError
from nats.errors import NoServersError, StaleConnectionError

from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.cancellation import heeding_cancel
from chatterbus_runtime.nats_inlet import Inlet
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.nats_parser import Untaken, WireParser

log: Final = structlog.stdlib.get_logger(__name__)

READ_BYTES: Final = 64 * 1024  # buffered of a connection that is being made
WRITE_THROUGH_BYTES: Final = 64 * 1024  # pushed bytes that are written at once instead of at the end of the turn
SETTLED_AFTER_S: Final = 5.0  # a connection that lived this long makes the next reconnect start fast again


class SyncSubscription:
    """What nats-py's client expects of an entry in its `_subs`, without queue and task."""

    __slots__ = ("_id", "_queue", "_subject", "callback")

    _received: Final = 0
    _max_msgs: Final = 0
    _wait_for_msgs_task: Final = None
    _message_iterator: Final = None
    _pending_next_msgs_calls: Final = None
    _jsi: Final = None

    def __init__(self, sid: int, subject: str, queue: str, callback: Callable[[Message], None]) -> None:
        self._id = sid
        self._subject = subject
        self._queue = queue
        self.callback = callback

    async def _drain(self) -> None:
        """Nothing waits here: messages were handled as they were read."""


class HotPathClient(Client):
    """One connection to NATS. Made and kept by NatsLink; nothing else should push or subscribe synchronously on it."""

    def __init__(self, backoff: Backoff, on_down: Callable[[], None]) -> None:
        super().__init__()
        self._ps: Any = WireParser(self.deliver)  # of a parser, nats-py's client itself calls `reset` only
        self._backoff = backoff
        self._on_down = on_down
        self._inlet: Inlet | None = None
        self._sync_subs: dict[int, SyncSubscription] = {}
        self._flush_scheduled = False
        self._written_bytes = 0  # in the socket's buffer when last looked
        self._connected_at_s = 0.0
        self._loop = asyncio.get_running_loop()

    async def request(self, *args: Any, **options: Any) -> Msg:
        """nats-py's; all of JetStream's calls come by here."""
        return await heeding_cancel(super().request(*args, **options))

    # --- writing -----------------------------------------------------------------------------------------------------

    @property
    def can_push(self) -> bool:
        return self._status == Client.CONNECTED or self._status == Client.DRAINING_SUBS

    @property
    def backlog_bytes(self) -> int:
        """Pushed and not yet taken by the operating system."""
        self._written_bytes = transport.get_write_buffer_size() if (transport := self._raw_transport()) else 0
        return self._written_bytes + self._pending_data_size

    def room_for(self, size: int, bound: int) -> bool:
        # The first sum is cheap and errs on the high side only between two flushes; the second asks the socket.
        return self._written_bytes + self._pending_data_size + size <= bound or self.backlog_bytes + size <= bound

    def push(self, command: bytes) -> None:
        """Queue one command; the caller has checked `can_push` and the bound."""
        self._pending.append(command)
        self._pending_data_size += len(command)
        if self._pending_data_size >= WRITE_THROUGH_BYTES:
            self.write_pending()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush_turn)

    def _flush_turn(self) -> None:
        self._flush_scheduled = False
        if self.can_push:
            self.write_pending()

    def write_pending(self) -> None:
        pending = self._pending
        transport = self._raw_transport()
        if not pending or transport is None:
            return
        self._pending = []
        self._pending_data_size = 0
        transport.write(b"".join(pending))
        self._written_bytes = transport.get_write_buffer_size()

    def ping(self, answered: asyncio.Future[Any]) -> None:
        """PING behind everything pushed so far; `answered` gets its PONG."""
        self._pongs.append(answered)
        self._pending.append(PING_PROTO)
        self._pending_data_size += len(PING_PROTO)
        self.write_pending()

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        self.ping(self._loop.create_future() if future is None else future)

    def _answer_ping(self) -> None:
        if transport := self._raw_transport():
            transport.write(PONG_PROTO)

    def _pong_came(self) -> None:
        self._pings_outstanding = 0
        if self._pongs:
            self._pongs_received += 1
            answered = self._pongs.pop(0)
            if not answered.done():
                answered.set_result(True)

    def _raw_transport(self) -> asyncio.WriteTransport | None:
        writer = self._transport._io_writer if isinstance(self._transport, TcpTransport) else None
        return writer.transport if writer is not None else None

    @property
    def server_name(self) -> str:
        server = self._current_server
        return f"{server.uri.hostname}:{server.uri.port}" if server is not None else ""

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def add_sync(self, subject: str, queue: str, callback: Callable[[Message], None]) -> SyncSubscription:
        """Register and push SUB; while disconnected only register: a reconnect sends SUB for all of them."""
        self._sid += 1
        subscription = SyncSubscription(self._sid, subject, queue, callback)
        self._sync_subs[self._sid] = subscription
        self._subs[self._sid] = subscription  # type: ignore[assignment]
        if self.can_push:
            self.push(f"SUB {subject} {queue} {subscription._id}\r\n".encode())
        return subscription

    def remove_sync(self, subscription: SyncSubscription) -> None:
        """After this no message reaches the callback, those already on their way included."""
        if self._sync_subs.pop(subscription._id, None) is None:
            return
        self._subs.pop(subscription._id, None)
        if self.can_push:
            self.push(f"UNSUB {subscription._id}\r\n".encode())

    def unsubscribe_all_sync(self) -> None:
        """Push UNSUB for all, and keep delivering what the server had sent before it saw them."""
        for sid in self._sync_subs:
            if self.can_push:
                self.push(f"UNSUB {sid}\r\n".encode())

    def forget_all_sync(self) -> None:
        for sid in self._sync_subs:
            self._subs.pop(sid, None)
        self._sync_subs.clear()

    def deliver(self, sid: int, subject: bytes, reply: bytes, data: bytes, raw_headers: bytes) -> bool:
        subscription = self._sync_subs.get(sid)
        if subscription is None:
            return False
        try:
            subscription.callback(Message(subject.decode(), reply.decode(), data, raw_headers))
        except Exception:
            # One listener's bug must not stop the reading for all others.
            log.exception("listener failed", subject=subscription._subject)
        return True

    def _settle(self, rest: Untaken) -> bool:
        """Handle what needs no await."""
        word = rest[:4].upper() if isinstance(rest, bytes) else b""
        if word == b"PING":
            self._answer_ping()
        elif word == b"PONG":
            self._pong_came()
        return word in (b"PING", b"PONG")

    async def _handle(self, rest: Untaken) -> None:
        if not isinstance(rest, bytes):
            await self._process_msg(*rest)
        elif rest[:4].upper() == b"INFO":
            await self._process_info(json.loads(rest[4:]))
        elif rest[:4].upper() == b"-ERR":
            await self._process_err(rest[4:].strip().decode("utf-8", "replace").lower())

    # --- losing and finding the connection ---------------------------------------------------------------------------

    async def _process_err(self, err_msg: str) -> None:
        # nats-py closes for ever on most of these; the server has often closed already (it says why and hangs up), and
        # a reconnect tells whether the reason persists. Permission errors concern one subject and are only reported.
        self._err = NatsError(f"nats: {err_msg}")
        await self._error_cb(self._err)
        if "permissions violation" not in err_msg:
            await self._process_op_err(StaleConnectionError() if "stale connection" in err_msg else self._err)

    async def _process_op_err(self, e: Exception) -> None:
        was_up = self.is_connected
        await super()._process_op_err(e)
        if was_up and not self.is_connected:
            self._lost()

    async def force_reconnect(self) -> None:
        was_up = self.is_connected
        await super().force_reconnect()
        if was_up and not self.is_connected:
            self._lost()

    def _lost(self) -> None:
        self._pending = []
        self._pending_data_size = 0
        self._written_bytes = 0
        self._pings_outstanding = 0
        if self._loop.time() - self._connected_at_s > SETTLED_AFTER_S:
            self._backoff.reset()
        self.abort()
        self._on_down()

    def abort(self) -> None:
        """Drop the socket without waiting for its buffer, and what it still brings."""
        if self._inlet is not None:
            self._inlet.is_given_up = True
        if transport := self._raw_transport():
            transport.abort()

    async def shut(self) -> None:
        """End the connection now; waits for no peer."""
        self._pending = []
        self._pending_data_size = 0
        self.abort()
        await self.close()

    async def _read_loop(self) -> None:
        transport: Any = self._transport
        self._connected_at_s = self._loop.time()
        try:
            self._inlet = inlet = Inlet(transport._io_writer.transport, self._ps.feed, self._settle)
            # What the stream reader has read ahead comes first; after its end it gives what is there, and waits for
            # nothing.
            transport._io_reader.feed_eof()
            inlet.data_received(await transport._io_reader.read())
            while self._reads_from(transport):
                rest = await inlet.next()
                if not self._reads_from(transport):
                    return
                await self._handle(rest)
        except asyncio.CancelledError:
            return
        except Exception as error:
            if isinstance(error, OSError | NatsError):
                await self._error_cb(error)
            else:
                log.exception("reading from NATS failed")
            await self._process_op_err(error)

    def _reads_from(self, transport: object) -> bool:
        return self._transport is transport and not (self.is_closed or self.is_reconnecting)

    async def _connect_to_server(self, s: Srv) -> None:
        # A transport of its own for every connection, so that nothing left of the last one reads from the new one.
        s.last_attempt = time.monotonic()
        self.abort()
        self._transport = TcpTransport()  # type: ignore[no-untyped-call]
        await self._transport.connect(s.uri, READ_BYTES, self.options["connect_timeout"])

    async def _select_next_server(self) -> None:
        # nats-py waits a fixed time per server; here every attempt after the first waits by the backoff.
        while True:
            if not self._server_pool:
                raise NoServersError
            server = self._server_pool.pop(0)
            self._server_pool.append(server)
            if server.last_attempt is not None:
                await asyncio.sleep(self._backoff.next_s())
            try:
                await self._connect_to_server(server)
            except Exception as error:  # a bad name or certificate of one server must not keep us from the others
                server.reconnects += 1
                self._err = error
                await self._error_cb(ServerUnreachable(server.uri.hostname or "", server.uri.port or 0, error))
            else:
                self._current_server = server
                return

    async def _attempt_reconnect(self) -> None:
        try:
            await super()._attempt_reconnect()
        except Exception:
            log.exception("reconnecting to NATS failed")
        if asyncio.current_task() is self._reconnection_task and not (self.is_connected or self.is_closed):
            log.error("reconnecting to NATS was given up")
            await self._close(Client.CLOSED, True)


class ServerUnreachable(NatsError):
    """A server of the pool did not take the connection; the next is tried."""

    def __init__(self, host: str, port: int, cause: Exception) -> None:
        super().__init__(f"{host}:{port}: {str(cause) or type(cause).__name__}")
        self.server = f"{host}:{port}"
        self.cause = cause
