"""Stored messages a second: `senders` clients with `window` unanswered messages each, closed loop."""

import asyncio
import time
from typing import Any

from bench.fields import int_field, text_field
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
        self.out_of_order = 0
        self.faults: list[str] = []
        self.latencies_s: list[float] = []
        self.sent_at: dict[bytes, float] = {}
        self.running = True
        self._seqs = seqs
        self._next = 0
        self._last_seq = 0

    def send(self, peer: Peer) -> None:
        name = b"%d-%d" % (self.number, self._next)
        self._next += 1
        self.sent_at[name] = time.perf_counter()
        peer.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}'
            % (peer.thread.encode(), name, BODY)
        )

    def on_frame(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"'):
            if text_field(frame, b"status") == b"sent":
                self._on_ack(peer, frame)
        elif frame.startswith(b'{"type":"error"'):
            self.faults.append(frame[:200].decode())

    def _on_ack(self, peer: Peer, frame: bytes) -> None:
        sent_at = self.sent_at.pop(text_field(frame, b"clientMessageId"), None)
        if sent_at is None:
            self.faults.append("answered twice")
            return
        seq = int_field(frame, b"seq")
        if seq in self._seqs:
            self.faults.append(f"seq {seq} twice")
        self._seqs.add(seq)
        self.out_of_order += seq <= self._last_seq
        self._last_seq = seq
        self.acked += 1
        self.latencies_s.append(time.perf_counter() - sent_at)
        if self.running:
            self.send(peer)


async def throughput(url: str, *, senders: int, threads: int, window: int, seconds: float) -> dict[str, Any]:
    """Run for `seconds` after a second of warming up."""
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
    await asyncio.sleep(seconds)
    elapsed_s = time.perf_counter() - started
    stored, share = _acked(everyone) - before, (time.process_time() - cpu_s) / elapsed_s
    latencies_s = [latency for sender in everyone for latency in sender.latencies_s]
    await _settle(everyone)
    for _, peer in pairs:
        peer.close()
    return {
        "stored_per_s": round(stored / elapsed_s),
        **percentiles_ms(latencies_s),
        "lost": sum(len(sender.sent_at) for sender in everyone),
        "out_of_order": sum(sender.out_of_order for sender in everyone),
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
    while any(sender.sent_at for sender in senders) and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # polled: the callbacks are what is being measured
