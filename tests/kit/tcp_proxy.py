"""A TCP proxy between any two parts, that can be slow, mute, cut, or cut at a chosen moment.

Promises: while `mode` is `pass`, bytes go through as they are, both ways, with back-pressure. `delay_s` holds each
piece back, in order. `blackhole`: connections stay open and nothing passes (what comes is kept until `pass`). `refuse`:
new connections are closed at once. `cut` closes all that are open, hard. `cut_when` cuts a connection right after, or
right before, bytes that match went from the client to the server. `sieve` makes, for each connection, what bytes from
the server pass through.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

CHUNK_BYTES: Final = 65_536
CONNECT_TIMEOUT_S: Final = 5.0
Target = Callable[[], tuple[str, int]]


@dataclass(slots=True)
class Trigger:
    """Cut a connection when `matches` is true for a piece from the client; `forward` passes that piece on first."""

    matches: Callable[[bytes], bool]
    forward: bool
    fired: int = 0


class TcpProxy:
    """Made with `open_proxy`. `target` is asked for each connection, so it may move (and balance)."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.mode: Literal["pass", "blackhole", "refuse"] = "pass"
        self.delay_s = 0.0
        self.trigger: Trigger | None = None
        self.sieve: Callable[[], Callable[[bytes], bytes]] | None = None
        self.accepted = 0

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Open ones, from clients."""
        return len(self._open) // 2

    def pass_all(self) -> None:
        """Heal."""
        self.mode = "pass"
        self._may_pass.set()

    def blackhole(self) -> None:
        """Nothing passes, nobody is told."""
        self.mode = "blackhole"
        self._may_pass.clear()

    def refuse(self) -> None:
        """No new connections, and the open ones are cut."""
        self.mode = "refuse"
        self.cut()

    def cut(self) -> None:
        """Reset all open connections."""
        for writer in tuple(self._open):
            _reset(writer)

    def cut_when(self, matches: Callable[[bytes], bool], *, forward: bool) -> Trigger:
        """Arm the trigger; it stays armed until it is replaced or set to None."""
        self.trigger = Trigger(matches, forward)
        return self.trigger

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=CHUNK_BYTES)

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self._may_pass.set()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        other: asyncio.StreamWriter | None = None
        try:
            if self.mode == "refuse":
                return
            await self._may_pass.wait()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                other_reader, other = await asyncio.open_connection(*self._target())
            self._open |= {writer, other}
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, other, from_client=True))
                both.create_task(self._pump(other_reader, writer, from_client=False, sieve=self.sieve and self.sieve()))
        except* (OSError, TimeoutError):
            pass
        finally:
            for end in (writer, other):
                if end is not None:
                    self._open.discard(end)
                    _reset(end)
            self._tasks.discard(task)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        from_client: bool,
        sieve: Callable[[bytes], bytes] | None = None,
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if sieve is not None:
                data = sieve(data)
            await self._may_pass.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            trigger = self.trigger if from_client else None
            hit = trigger is not None and trigger.matches(data)
            if not hit or (trigger is not None and trigger.forward):
                writer.write(data)
                await writer.drain()
            if hit and trigger is not None:
                trigger.fired += 1
                raise ConnectionResetError
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a cable that is cut and a peer that then asks."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport = writer.transport
    transport.abort()


@asynccontextmanager
async def open_proxy(target: Target) -> AsyncIterator[TcpProxy]:
    """A listening proxy; closed with all its connections at the end."""
    proxy = TcpProxy(target)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
