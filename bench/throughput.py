"""Stored messages a second: `senders` clients with `window` unanswered messages each, closed loop."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from bench.fields import int_field, text_field
from bench.peer import Peer
from bench.report import percentiles_ms

BODY = b"x" * 100


@dataclass(slots=True)
class _Sender:
    number: int
    peer: Peer
    next_number: int = 0
    last_seq: int = 0
    sent_at: dict[bytes, float] = field(default_factory=dict)
    acked: int = 0
    out_of_order: int = 0
    faults: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)

    def send(self) -> None:
        name = b"%d-%d" % (self.number, self.next_number)
        self.next_number += 1
        self.sent_at[name] = time.perf_counter()
        self.peer.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}'
            % (self.peer.thread.encode(), name, BODY)
        )


async def throughput(url: str, *, senders: int, threads: int, window: int, seconds: float) -> dict[str, Any]:
    """Run for `seconds` after a second of warming up. Every ack is checked against its thread's order."""
    by_peer: dict[Peer, _Sender] = {}
    seqs: dict[str, set[int]] = {}
    running = True

    def on_frame(peer: Peer, frame: bytes) -> None:
        sender = by_peer[peer]
        if frame.startswith(b'{"type":"message_ack"'):
            if text_field(frame, b"status") != b"sent":
                return
            name = text_field(frame, b"clientMessageId")
            sent_at = sender.sent_at.pop(name, None)
            if sent_at is None:
                sender.faults.append("answered twice")
                return
            seq = int_field(frame, b"seq")
            sender.out_of_order += seq <= sender.last_seq
            sender.last_seq = seq
            numbers = seqs[peer.thread]
            if seq in numbers:
                sender.faults.append(f"seq {seq} twice")
            numbers.add(seq)
            sender.acked += 1
            sender.latencies_s.append(time.perf_counter() - sent_at)
            if running:
                sender.send()
        elif frame.startswith(b'{"type":"error"'):
            sender.faults.append(frame[:200].decode())

    for number in range(senders):
        thread = f"load-{number % threads}"
        seqs.setdefault(thread, set())
        peer = await Peer.join(url, f"sender-{number}", thread, on_frame)
        by_peer[peer] = _Sender(number, peer)
    for sender in by_peer.values():
        for _ in range(window):
            sender.send()
    await asyncio.sleep(1.0)
    before, started, cpu = sum(s.acked for s in by_peer.values()), time.perf_counter(), time.process_time()
    for sender in by_peer.values():
        sender.latencies_s.clear()
    await asyncio.sleep(seconds)
    stored = sum(s.acked for s in by_peer.values()) - before
    elapsed_s = time.perf_counter() - started
    generator_share = (time.process_time() - cpu) / elapsed_s
    latencies = [latency for sender in by_peer.values() for latency in sender.latencies_s]
    running = False
    deadline = time.perf_counter() + 10
    while any(s.sent_at for s in by_peer.values()) and time.perf_counter() < deadline:
        await asyncio.sleep(0.05)
    faults = [fault for sender in by_peer.values() for fault in sender.faults]
    holes = sum(max(numbers, default=0) - len(numbers) for numbers in seqs.values())
    for peer in by_peer:
        peer.close()
    return {
        "stored_per_s": round(stored / elapsed_s),
        **percentiles_ms(latencies),
        "mean_ms": round(statistics.fmean(latencies) * 1000, 2) if latencies else None,
        "lost": sum(len(s.sent_at) for s in by_peer.values()),
        "out_of_order": sum(s.out_of_order for s in by_peer.values()),
        "holes": holes,
        "faults": faults[:5],
        "generator_core_share": round(generator_share, 2),
    }
