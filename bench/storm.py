"""Everybody is cut off, misses messages, and comes back at once: how long until each has all of them, in order."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from bench.fields import int_field
from bench.live import Live
from bench.peer import Peer
from bench.report import percentiles_ms

BODY: Final = b"x" * 100
AT_ONCE: Final = 64
"""Connections being opened while everybody first arrives; the return has no such courtesy."""
PREPARE_S: Final = 30.0
RETURN_S: Final = 60.0


class _Writer:
    """Says one message that everybody sees, then those that everybody misses."""

    def __init__(self) -> None:
        self.acked = 0

    def on_frame(self, _peer: Peer, frame: bytes) -> None:
        self.acked += frame.startswith(b'{"type":"message_ack"') and b'"sent"' in frame

    def say(self, peer: Peer, number: int) -> None:
        thread = (peer.thread or "").encode()
        peer.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"w-%d","content":"%s"}' % (thread, number, BODY)
        )


class _Returner:
    """A client that knows the rev up to which it has everything."""

    def __init__(self, user: str, thread: str) -> None:
        self.user = user
        self.thread = thread
        self.rev = 0
        self.seqs: list[int] = []
        self.whole_after_s: float | None = None
        self.resets = 0
        self.peer: Peer | None = None
        self._missed = 0
        self._began = 0.0

    async def come(self, url: str) -> None:
        self.peer = await Peer.join(url, self.user, self.thread, self._at_first)

    def _at_first(self, _peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            self.rev = int_field(frame, b"rev")
            self.seqs = [int_field(frame, b"seq")]

    async def come_back(self, url: str, missed: int) -> None:
        self._missed, self._began = missed, time.perf_counter()
        self.peer = await Peer.join(url, self.user, None, self._on_return)
        self.peer.send(b'{"type":"subscribe","threadId":"%s","sinceRev":%d}' % (self.thread.encode(), self.rev))

    def _on_return(self, _peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            self.seqs.append(int_field(frame, b"seq"))
            if len(self.seqs) == self._missed + 1:
                self.whole_after_s = time.perf_counter() - self._began
        elif frame.startswith(b'{"type":"subscribed"'):
            self.resets += b'"result":"complete"' not in frame

    @property
    def expected(self) -> list[int]:
        return list(range(self.seqs[0], self.seqs[0] + self._missed + 1)) if self.seqs else []


async def storm(url: str, *, people: int, members: int, missed: int, live: Live) -> dict[str, Any]:
    """`people` in threads of `members`; while they are away, each thread gets `missed` messages."""
    threads = [f"storm-{number}" for number in range(people // members)]
    writers = [_Writer() for _ in threads]
    pens = [
        await Peer.join(url, f"writer-{thread}", thread, writer.on_frame)
        for writer, thread in zip(writers, threads, strict=True)
    ]
    clients = [_Returner(f"r{number}", threads[number % len(threads)]) for number in range(people)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def come(client: _Returner) -> None:
        async with gate:
            await client.come(url)

    await asyncio.gather(*(come(client) for client in clients))
    for writer, pen in zip(writers, pens, strict=True):
        writer.say(pen, 0)
    await _until(lambda: all(client.rev for client in clients), PREPARE_S, "everybody saw the first message")
    for client in clients:
        assert client.peer is not None
        client.peer.close()
    for number in range(1, missed + 1):
        for writer, pen in zip(writers, pens, strict=True):
            writer.say(pen, number)
    await _until(lambda: all(writer.acked == missed + 1 for writer in writers), PREPARE_S, "all is stored")
    began, cpu = time.perf_counter(), time.process_time()
    watching = asyncio.create_task(
        live.during(RETURN_S, "caught up", lambda: sum(client.whole_after_s is not None for client in clients))
    )
    await asyncio.gather(*(client.come_back(url, missed) for client in clients))
    deadline = began + RETURN_S
    while any(client.whole_after_s is None for client in clients) and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # polled: the callbacks are what is being measured
    all_after_s, share = time.perf_counter() - began, (time.process_time() - cpu) / (time.perf_counter() - began)
    watching.cancel()
    for each in (*pens, *(client.peer for client in clients if client.peer)):
        each.close()
    return {
        "people": people,
        "missed_each": missed,
        "all_caught_up_after_s": round(all_after_s, 2),
        "each": percentiles_ms([client.whole_after_s for client in clients if client.whole_after_s is not None]),
        "lost": sum(len(set(client.expected) - set(client.seqs)) for client in clients),
        "doubled": sum(len(client.seqs) - len(set(client.seqs)) for client in clients),
        "out_of_order": sum(client.seqs != sorted(client.seqs) for client in clients),
        "resets": sum(client.resets for client in clients),
        "generator_core_share": round(share, 2),
    }


async def _until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.perf_counter() + seconds
    while not holds():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)
