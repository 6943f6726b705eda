"""One open socket: frames in, frames out, signs of life. Knows no thread and no outbox.

Promises: every write ends within `write_timeout_s`; a link on which nothing is heard for two heartbeats is cut, and
one that owes an answer after `doubt_s` and `patience_s` of silence; after the end every call raises ConnectionLost with
the close code, None if no close frame came. Frames of an unknown type, or that cannot be read, are passed over. Logs no
frame.
"""

import asyncio
import contextlib
import logging
import socket
from math import inf
from typing import Final, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from chatterbus_client.addresses import Addresses
from chatterbus_client.errors import Unreachable
from chatterbus_client.heartbeat import Heartbeat
from chatterbus_client.pace import Pace
from chatterbus_client.questions import Questions
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.codec import DecodeError, Wire, encode
from chatterbus_contracts.errors import CloseCode, ErrorCode
from chatterbus_contracts.frames.client import Ping
from chatterbus_contracts.frames.server import ServerFrame, decode_server_frame

log = logging.getLogger(__name__)

# The library logs whole frames at DEBUG: message text has no place in a log.
_WEBSOCKETS_LOG: Final = logging.getLogger("chatterbus_client.websockets")
_WEBSOCKETS_LOG.setLevel(logging.INFO)

RECEIVE_QUEUE_FRAMES: Final = 256


class ConnectionLost(Exception):
    """The socket is gone."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"{reason} (close code {code})" if code is not None else reason)
        self.code = code
        self.reason = reason


class Connection:
    """A socket from the opening handshake to its end. Written by many tasks, read by one."""

    def __init__(self, socket: ClientConnection, settings: ClientSettings) -> None:
        self._socket = socket
        self._settings = settings
        self._now = asyncio.get_running_loop().time
        self._heartbeat: Heartbeat | None = None
        self._questions = Questions()
        self._sooner = asyncio.Event()
        self._wakes_at = inf
        self._silent = False
        self.pace = Pace(inf, inf, self._now())
        self.draining = False

    @classmethod
    async def open(cls, addresses: Addresses, settings: ClientSettings) -> Self:
        """Connect, or raise Unreachable."""
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                opened = await connect(
                    addresses.socket,
                    compression=None,
                    proxy=None if addresses.loopback else True,
                    open_timeout=None,
                    ping_interval=None,  # the application's heartbeat does both directions
                    close_timeout=settings.close_timeout_s,
                    max_size=settings.frame_max_bytes,
                    max_queue=RECEIVE_QUEUE_FRAMES,
                    logger=_WEBSOCKETS_LOG,
                )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise Unreachable(addresses.http, _explained(error)) from error
        return cls(opened, settings)

    async def turn(self) -> None:
        """Wait until the server's patience allows one more frame."""
        wait_s = self.pace.wait_s(self._now())
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            wait_s = self.pace.wait_s(self._now())

    async def send(self, frame: Wire) -> None:
        """Write a frame. Raises ConnectionLost."""
        text = encode(frame)
        self._questions.asked(frame)  # before it leaves: the answer may overtake the end of the write
        self.pace.spend(self._now())
        try:
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._socket.send(text, text=True)
        except TimeoutError:
            self.abort()
            raise ConnectionLost(None, "the server does not read") from None
        except ConnectionClosed as closed:
            raise self._lost(closed) from None
        if self._heartbeat is not None:
            self._heartbeat.sent(self._now())
        self._note_questions()

    async def receive(self) -> ServerFrame:
        """The next frame. Raises ConnectionLost. Waits as long as the heartbeat allows."""
        while True:
            try:
                data = await self._socket.recv(decode=False)
            except ConnectionClosed as closed:
                raise self._lost(closed) from None
            if self._heartbeat is not None:
                self._heartbeat.heard(self._now())
            try:
                frame = decode_server_frame(data)
            except DecodeError as error:
                if error.code is not ErrorCode.UNKNOWN_TYPE:
                    log.warning("a frame could not be read and was passed over: %s", error.message)
                continue
            self._questions.answered(frame)
            self._note_questions()
            return frame

    async def keep_alive(self, interval_s: float) -> None:
        """Give signs of life and watch for them, until cancelled or the link is dead (it is cut then)."""
        settings = self._settings
        self._heartbeat = heartbeat = Heartbeat(
            interval_s, self._now(), doubt_s=settings.doubt_s, patience_s=settings.patience_s
        )
        self._note_questions()
        while True:
            due = heartbeat.due(self._now())
            if due == "dead":
                self._silent = True
                self.abort()
                return
            if due == "ping":
                heartbeat.pinged(self._now())
                try:
                    await self.send(Ping())
                except ConnectionLost:
                    return
            await self._until_due(heartbeat)

    async def _until_due(self, heartbeat: Heartbeat) -> None:
        """Sleep until something may be due, though frames that come and go make it sooner."""
        self._sooner.clear()
        self._wakes_at = max(heartbeat.next_at, self._now() + 0.001)
        try:
            async with asyncio.timeout_at(self._wakes_at):
                await self._sooner.wait()
        except TimeoutError:
            now = self._now()
            heartbeat.woke(now - self._wakes_at, now)

    def _note_questions(self) -> None:
        heartbeat = self._heartbeat
        if heartbeat is not None:
            heartbeat.awaits(self._now(), an_answer=bool(self._questions))
            if heartbeat.next_at < self._wakes_at:
                self._sooner.set()

    async def close(self, code: int = CloseCode.NORMAL) -> None:
        """Say goodbye and close, within `close_timeout_s`."""
        with contextlib.suppress(TimeoutError, OSError, WebSocketException):
            async with asyncio.timeout(self._settings.close_timeout_s):
                await self._socket.close(code)
        self.abort()

    def abort(self) -> None:
        """Cut the socket at once."""
        self._socket.transport.abort()

    def _lost(self, closed: ConnectionClosed) -> ConnectionLost:
        if self._silent:
            return ConnectionLost(None, "nothing was heard for too long")
        if closed.rcvd is None:
            return ConnectionLost(None, "the connection was cut")
        return ConnectionLost(closed.rcvd.code, closed.rcvd.reason or "the server closed the connection")


def _explained(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, socket.gaierror):
        return "no machine has that name"
    return "it takes too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
