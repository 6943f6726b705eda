"""Stored messages a second: `senders` clients with `window` unanswered messages each, closed loop."""

import asyncio
import time
from typing import Any

from bench.fields import int_field, text_field
from bench.live import Live
from bench.order import OrderChecker, together
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


async def throughput(
    url: str, *, senders: int, threads: int, window: int, seconds: float, live: Live
) -> dict[str, Any]:
    """Run for `seconds` after a second of warming up. Each sender follows its thread, and so sees its own messages."""
    seqs: list[set[int]] = [set() for _ in range(threads)]
    pairs: list[tuple[_Sender, Peer]] = []
    for number in range(senders):
        sender = _Sender(number, seqs[number % threads])
        pairs.append((sender, await Peer.join(url, f"sender-{number}", f"load-{number % threads}", sender.on_frame)))
    for sender, peer in pairs:
        for _ in range(window):
            sender.send(peer)
    everyone = [sender for sender, _ in pairs]
    await asyncio.sleep(WARM_UP_S)
    for sender in everyone:
        sender.latencies_s.clear()
    before, started, cpu_s = _acked(everyone), time.perf_counter(), time.process_time()
    await live.during(seconds, "stored", lambda: _acked(everyone))
    elapsed_s = time.perf_counter() - started
    stored, share = _acked(everyone) - before, (time.process_time() - cpu_s) / elapsed_s
    latencies_s = [latency for sender in everyone for latency in sender.latencies_s]
    await _settle(everyone)
    for _, peer in pairs:
        peer.close()
    order = together(sender.order for sender in everyone)
    return {
        "stored_per_s": round(stored / elapsed_s),
        **percentiles_ms(latencies_s),
        "acked": _acked(everyone),
        "lost": sum(len(sender.sent_at) for sender in everyone) + order.pop("unseen"),
        **order,
        "out_of_order_share": round(order["out_of_order"] / max(1, _acked(everyone)), 3),
        "holes": sum(max(numbers, default=0) - len(numbers) for numbers in seqs),
        "faults": [fault for sender in everyone for fault in sender.faults][:5],
        "generator_core_share": round(share, 2),
    }


def _acked(senders: list[_Sender]) -> int:
    return sum(sender.acked for sender in senders)


async def _settle(senders: list[_Sender]) -> None:
    for sender in senders:
        sender.running = False
    deadline = time.perf_counter() + SETTLE_S
    while any(sender.sent_at or sender.seen < sender.acked for sender in senders) and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # polled: the callbacks are what is being measured
