"""Stored messages a second: `senders` clients with `window` unanswered messages each, closed loop."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.crew import Seat, Spent, Watch, core_share, crew
from bench.fields import int_field, text_field
from bench.live import Live
from bench.order import OrderChecker, added, together
from bench.peer import Peer
from bench.report import percentiles_ms

BODY = b"x" * 100
WARM_UP_S = 1.0
SETTLE_S = 10.0


class _Sender:
    """One client that keeps its window full, and checks every ack."""

    def __init__(self, number: int, seqs: set[int]) -> None:
        self.number = number
        self.acked = 0
        self.seen = 0
        self.order = OrderChecker()
        self.faults: list[str] = []
        self.latencies_s: list[float] = []
        self.sent_at: dict[bytes, float] = {}
        self.running = True
        self._seqs = seqs
        self._next = 0

    def send(self, peer: Peer) -> None:
        name = b"%d-%d" % (self.number, self._next)
        self._next += 1
        self.sent_at[name] = time.perf_counter()
        peer.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}'
            % ((peer.thread or "").encode(), name, BODY)
        )

    def on_frame(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"'):
            if text_field(frame, b"status") == b"sent":
                self._on_ack(peer, frame)
        elif frame.startswith(b'{"type":"message",'):
            sender, _, number = text_field(frame, b"clientMessageId").partition(b"-")
            if int(sender) == self.number:
                self.seen += 1
                self.order.seen(int(number))
        elif frame.startswith(b'{"type":"error"'):
            self.faults.append(frame[:200].decode())

    def _on_ack(self, peer: Peer, frame: bytes) -> None:
        name = text_field(frame, b"clientMessageId")
        sent_at = self.sent_at.pop(name, None)
        if sent_at is None:
            self.faults.append("answered twice")
            return
        seq = int_field(frame, b"seq")
        self._seqs.add(seq)
        self.order.answered(int(name.partition(b"-")[2]), seq)
        self.acked += 1
        self.latencies_s.append(time.perf_counter() - sent_at)
        if self.running:
            self.send(peer)


@dataclass(frozen=True, slots=True)
class _Measured:
    stored: int
    latencies_s: list[float]
    spent: Spent


@dataclass(frozen=True, slots=True)
class _Found:
    """What a process saw from the first message to the last."""

    acked: int
    unanswered: int
    order: dict[str, int]
    seqs: dict[int, set[int]]
    """By thread. Several processes may have senders in one."""
    faults: list[str]


class _Part:
    """The senders of one process of the generator."""

    def __init__(self, seat: Seat, *, url: str, senders: int, threads: int) -> None:
        self._url = url
        self._seqs: dict[int, set[int]] = {number % threads: set() for number in seat.numbers(senders)}
        self._threads = threads
        self._senders = [_Sender(number, self._seqs[number % threads]) for number in seat.numbers(senders)]
        self._peers: list[Peer] = []

    async def join(self) -> None:
        for sender in self._senders:
            thread = f"load-{sender.number % self._threads}"
            self._peers.append(await Peer.join(self._url, f"sender-{sender.number}", thread, sender.on_frame))

    async def send(self, window: int) -> None:
        for sender, peer in zip(self._senders, self._peers, strict=True):
            for _ in range(window):
                sender.send(peer)

    async def stored(self) -> int:
        return sum(sender.acked for sender in self._senders)

    async def measure(self, seconds: float) -> _Measured:
        for sender in self._senders:
            sender.latencies_s.clear()
        before, watch = await self.stored(), Watch()
        await asyncio.sleep(seconds)
        spent = watch.spent()
        latencies_s = [latency for sender in self._senders for latency in sender.latencies_s]
        return _Measured(await self.stored() - before, latencies_s, spent)

    async def settle(self) -> _Found:
        """No more is sent; what is on its way is waited for."""
        for sender in self._senders:
            sender.running = False
        deadline = time.perf_counter() + SETTLE_S
        while any(sender.sent_at or sender.seen < sender.acked for sender in self._senders) and (  # noqa: ASYNC110
            time.perf_counter() < deadline
        ):
            await asyncio.sleep(0.05)  # polled: the callbacks are what is being measured
        for peer in self._peers:
            peer.close()
        return _Found(
            await self.stored(),
            sum(len(sender.sent_at) for sender in self._senders),
            together(sender.order for sender in self._senders),
            self._seqs,
            [fault for sender in self._senders for fault in sender.faults][:5],
        )


async def throughput(
    url: str, *, senders: int, threads: int, window: int, seconds: float, live: Live, generators: int = 1
) -> dict[str, Any]:
    """Run for `seconds` after a second of warming up. Each sender follows its thread, and so sees its own messages."""
    async with crew(generators, partial(_Part, url=url, senders=senders, threads=threads)) as parts:
        await parts.each(_Part.join)
        await parts.each(_Part.send, window)
        await asyncio.sleep(WARM_UP_S)
        measured, _ = await asyncio.gather(
            parts.each(_Part.measure, seconds),
            live.watch(seconds, "stored", lambda: parts.sum(_Part.stored)),
        )
        found = await parts.each(_Part.settle)
    acked = sum(each.acked for each in found)
    order = added(each.order for each in found)
    return {
        "stored_per_s": round(sum(each.stored / each.spent.elapsed_s for each in measured)),
        **percentiles_ms([latency for each in measured for latency in each.latencies_s]),
        "acked": acked,
        "lost": sum(each.unanswered for each in found) + order.pop("unseen"),
        **order,
        "out_of_order_share": round(order["out_of_order"] / max(1, acked), 3),
        "holes": holes([each.seqs for each in found]),
        "faults": [fault for each in found for fault in each.faults][:5],
        "generators": generators,
        "generator_core_share": core_share([each.spent for each in measured]),
    }


def holes(seqs: list[dict[int, set[int]]]) -> int:
    """Numbers that no message has, below the highest of each thread, over all processes."""
    of_thread: dict[int, set[int]] = {}
    for each in seqs:
        for thread, numbers in each.items():
            of_thread.setdefault(thread, set()).update(numbers)
    return sum(max(numbers, default=0) - len(numbers) for numbers in of_thread.values())
