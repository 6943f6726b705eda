"""A product's server that takes webhooks, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[Received], Awaitable[bytes | None]]


def answer(status: int, *headers: str, body: bytes = b"") -> Behaviour:
    """Answers so; the connection stays open."""
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers, "", ""])

    async def behave(_: Received) -> bytes:
        return head.encode() + body

    return behave


async def hang(_: Received) -> bytes | None:
    """Never answers."""
    await asyncio.Event().wait()
    return None


async def close_early(_: Received) -> bytes | None:
    """Closes instead of an answer."""
    return None


async def talk_nonsense(_: Received) -> bytes | None:
    return b"220 mail.example.com ESMTP\r\n"


class Receiver:
    """Listens on a loopback port that it keeps over `stop` and `start`. `taken` holds what it answered 2xx."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.behave: Behaviour = answer(200)
        self.received: list[Received] = []
        self.taken: list[Received] = []
        self.most_at_once = 0
        self.connections = 0
        self.port = 0
        self._at_once = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/hooks?product=1"

    async def __aenter__(self) -> Receiver:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody answers any more."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._serve_one(reader, writer):
                pass
        self._tasks.discard(task)
        writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        received = Received(first.split(" ")[1], headers, body)
        self.received.append(received)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            response = await self.behave(received)
        finally:
            self._at_once -= 1
        if response is None:
            return False
        if response.startswith(b"HTTP/1.1 2"):
            self.taken.append(received)
        writer.write(response)
        await writer.drain()
        return response.startswith(b"HTTP/")
