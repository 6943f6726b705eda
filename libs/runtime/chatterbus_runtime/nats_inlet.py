"""What comes in from NATS, straight from the socket to the parser.

Promises: in the order of the wire, messages for synchronous listeners are handed over in the very callback that read
them, without a task to wake; the first thing that takes an await (a message or a line that nats-py handles itself)
stops that, and everything behind it, until `next` was called for it and again. Meanwhile at most HELD_BYTES and a read
are held; then nothing more is read. What the parser raises comes out of `next`, and the end of the connection does when
everything before it was handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from nats.errors import UnexpectedEOF

from chatterbus_runtime.nats_parser import Untaken

HELD_BYTES: Final = 256 * 1024


class Inlet(asyncio.Protocol):
    """The protocol of one connection's transport, in place of the stream reader's, which made the connection and still
    is told of its end (closing it waits for that)."""

    def __init__(
        self,
        transport: asyncio.Transport,
        feed: Callable[[bytes], Iterator[Untaken]],
        settle: Callable[[Untaken], bool],
    ) -> None:
        """`feed` parses; `settle` handles what it can without an await, and says whether it did."""
        self._transport = transport
        self._feed = feed
        self._settle = settle
        self.is_given_up = False  # the connection is not wanted any more: what it still brings is dropped
        self._rests: Iterator[Untaken] | None = None  # of the chunk in which the parser stopped
        self._held: list[bytes] = []  # chunks behind that one
        self._held_bytes = 0
        self._rest: Untaken | None = None  # to be handed out by `next`
        self._error: Exception | None = None
        self._wanted: asyncio.Future[None] | None = None
        self._before: asyncio.BaseProtocol = transport.get_protocol()
        transport.set_protocol(self)

    async def next(self) -> Untaken:
        """What has to be awaited next; until it was called again, nothing behind that is handled. Raises what ended
        the connection."""
        self._go_on()
        while self._rest is None:
            if self._error is not None:
                raise self._error
            self._wanted = asyncio.get_running_loop().create_future()
            await self._wanted
        rest, self._rest = self._rest, None
        return rest

    # --- from the transport ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        if self.is_given_up or self._error is not None:
            return
        if self._rests is None:
            self._parse(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The server hung up."""
        self._end(UnexpectedEOF())
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._end(error or UnexpectedEOF())
        self._before.connection_lost(error)

    def pause_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        self._before.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        self._before.resume_writing()

    # --- parsing -----------------------------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        self._rests = self._feed(data)
        self._go_on()

    def _go_on(self) -> None:
        while self._rests is not None and self._rest is None:
            try:
                rest = next(self._rests, None)
            except Exception as error:
                self._rests = None
                self._end(error)
                return
            if rest is None:
                self._rests = None
                if self._held:
                    self._parse_held()
            elif not self._settle(rest):
                self._rest = rest
                self._wake()

    def _parse_held(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._transport.resume_reading()
        self._rests = self._feed(data)

    def _end(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)
