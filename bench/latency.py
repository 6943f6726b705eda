"""Time from sending to the other member's receipt, at a fixed rate (open loop: a late answer does not slow sending)."""

import asyncio
import time
from typing import Any

from bench.fields import text_field
from bench.peer import Peer
from bench.report import percentiles_ms

BODY = b"x" * 100


async def latency(url: str, *, rate_per_s: float, pairs: int, seconds: float) -> dict[str, Any]:
    """`pairs` threads with a sender and a receiver each; `rate_per_s` over all of them."""
    sent_at: dict[bytes, float] = {}
    received: list[float] = []
    acked: list[float] = []
    faults: list[str] = []

    def at_receiver(_peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            started = sent_at.get(text_field(frame, b"clientMessageId"))
            if started is not None:
                received.append(time.perf_counter() - started)

    def at_sender(_peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"') and text_field(frame, b"status") == b"sent":
            acked.append(time.perf_counter() - sent_at[text_field(frame, b"clientMessageId")])
        elif frame.startswith(b'{"type":"error"'):
            faults.append(frame[:200].decode())

    senders = [await Peer.join(url, f"s{n}", f"pair-{n}", at_sender) for n in range(pairs)]
    receivers = [await Peer.join(url, f"r{n}", f"pair-{n}", at_receiver) for n in range(pairs)]
    count = int(rate_per_s * seconds)
    start = time.perf_counter() + 0.2
    for number in range(count):
        due = start + number / rate_per_s
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        name = b"l-%d" % number
        sent_at[name] = time.perf_counter()
        sender = senders[number % pairs]
        sender.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}'
            % (sender.thread.encode(), name, BODY)
        )
    deadline = time.perf_counter() + 5
    while (len(received) < count or len(acked) < count) and time.perf_counter() < deadline:
        await asyncio.sleep(0.02)
    for peer in (*senders, *receivers):
        peer.close()
    return {
        "sent": count,
        "lost": count - len(received),
        "unacked": count - len(acked),
        "receipt": percentiles_ms(received),
        "ack": percentiles_ms(acked),
        "faults": faults[:5],
    }
