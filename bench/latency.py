"""Time from sending to the other member's receipt, at a fixed rate (open loop: a late answer does not slow sending)."""

import asyncio
import time
from collections import defaultdict
from typing import Any

from bench.fields import int_field, text_field
from bench.live import Live
from bench.order import OrderChecker, together
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
        self.orders: dict[str | None, OrderChecker] = defaultdict(OrderChecker)
        self.faults: list[str] = []

    def at_receiver(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            name = text_field(frame, b"clientMessageId")
            self.received_s.append(time.perf_counter() - self.sent_at[name])
            self.orders[peer.thread].seen(_number(name))

    def at_sender(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"') and text_field(frame, b"status") == b"sent":
            name = text_field(frame, b"clientMessageId")
            self.acked_s.append(time.perf_counter() - self.sent_at[name])
            self.orders[peer.thread].answered(_number(name), int_field(frame, b"seq"))
        elif frame.startswith(b'{"type":"error"'):
            self.faults.append(frame[:200].decode())

    def send(self, sender: Peer, name: bytes) -> None:
        self.sent_at[name] = time.perf_counter()
        sender.send(
            b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}'
            % ((sender.thread or "").encode(), name, BODY)
        )

    async def settle(self) -> None:
        deadline = time.perf_counter() + SETTLE_S
        count = len(self.sent_at)
        while (len(self.received_s) < count or len(self.acked_s) < count) and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # polled: the callbacks are what is being measured


def _number(name: bytes) -> int:
    return int(name[2:])


async def latency(url: str, *, rate_per_s: float, pairs: int, seconds: float, live: Live) -> dict[str, Any]:
    """`pairs` threads with a sender and a receiver each; `rate_per_s` over all of them."""
    watch = _Watch()
    senders = [await Peer.join(url, f"s{n}", f"pair-{n}", watch.at_sender) for n in range(pairs)]
    receivers = [await Peer.join(url, f"r{n}", f"pair-{n}", watch.at_receiver) for n in range(pairs)]
    count = int(rate_per_s * seconds)
    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(
        _send_at_rate(watch, senders, rate_per_s, count),
        live.during(seconds, "received", lambda: len(watch.received_s)),
    )
    share = (time.process_time() - cpu) / (time.perf_counter() - began)
    await watch.settle()
    for peer in (*senders, *receivers):
        peer.close()
    order = together(watch.orders.values())
    return {
        "sent": count,
        "lost": order.pop("unseen"),
        "unacked": count - len(watch.acked_s),
        "receipt": percentiles_ms(watch.received_s),
        "ack": percentiles_ms(watch.acked_s),
        **order,
        "faults": watch.faults[:5],
        "generator_core_share": round(share, 2),
    }


async def _send_at_rate(watch: _Watch, senders: list[Peer], rate_per_s: float, count: int) -> None:
    start = time.perf_counter()
    for number in range(count):
        wait = start + number / rate_per_s - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        watch.send(senders[number % len(senders)], b"l-%d" % number)
