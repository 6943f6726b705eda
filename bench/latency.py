"""Time from sending to the other member's receipt, at a fixed rate (open loop: a late answer does not slow sending)."""

import asyncio
import time
from typing import Any

from bench.fields import text_field
from bench.peer import Peer
from bench.report import percentiles_ms

BODY = b"x" * 100
SETTLE_S = 5.0


class _Watch:
    """What was sent when, and how long it took to be acked and to be received."""

    def __init__(self) -> None:
        self.sent_at: dict[bytes, float] = {}
        self.received_s: list[float] = []
        self.acked_s: list[float] = []
        self.faults: list[str] = []

    def at_receiver(self, _peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            sent_at = self.sent_at.get(text_field(frame, b"clientMessageId"))
            if sent_at is not None:
                self.received_s.append(time.perf_counter() - sent_at)

    def at_sender(self, _peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"') and text_field(frame, b"status") == b"sent":
            self.acked_s.append(time.perf_counter() - self.sent_at[text_field(frame, b"clientMessageId")])
        elif frame.startswith(b'{"type":"error"'):
            self.faults.append(frame[:200].decode())

    def send(self, sender: Peer, name: bytes) -> None:
        self.sent_at[name] = time.perf_counter()
        sender.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}'
            % (sender.thread.encode(), name, BODY)
        )

    async def settle(self) -> None:
        deadline = time.perf_counter() + SETTLE_S
        count = len(self.sent_at)
        while (len(self.received_s) < count or len(self.acked_s) < count) and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # polled: the callbacks are what is being measured


async def latency(url: str, *, rate_per_s: float, pairs: int, seconds: float) -> dict[str, Any]:
    """`pairs` threads with a sender and a receiver each; `rate_per_s` over all of them."""
    watch = _Watch()
    senders = [await Peer.join(url, f"s{n}", f"pair-{n}", watch.at_sender) for n in range(pairs)]
    receivers = [await Peer.join(url, f"r{n}", f"pair-{n}", watch.at_receiver) for n in range(pairs)]
    count = int(rate_per_s * seconds)
    start = time.perf_counter() + 0.2
    for number in range(count):
        wait = start + number / rate_per_s - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        watch.send(senders[number % pairs], b"l-%d" % number)
    await watch.settle()
    for peer in (*senders, *receivers):
        peer.close()
    return {
        "sent": count,
        "lost": count - len(watch.received_s),
        "unacked": count - len(watch.acked_s),
        "receipt": percentiles_ms(watch.received_s),
        "ack": percentiles_ms(watch.acked_s),
        "faults": watch.faults[:5],
    }
