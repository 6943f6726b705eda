"""What people do: they type, then send; whoever gets it reads it at once and says so; now and then one scrolls back."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from bench.fields import int_field, text_field
from bench.live import Live
from bench.peer import Peer
from bench.report import percentiles_ms

BODY: Final = b"x" * 100
TYPES_FOR_S: Final = 0.3
HISTORY_EVERY: Final = 10
"""One page of history for so many messages."""
AT_ONCE: Final = 64
SETTLE_S: Final = 5.0
SEED: Final = 7


@dataclass(slots=True)
class _Watch:
    """Everything that was sent, and everything that came."""

    sent_at: dict[bytes, float] = field(default_factory=dict)
    acked_s: list[float] = field(default_factory=list)
    received_s: list[float] = field(default_factory=list)
    history_s: list[float] = field(default_factory=list)
    typing: int = 0
    receipts: int = 0
    doubled: int = 0
    out_of_order: int = 0
    faults: list[str] = field(default_factory=list)
    newest: dict[tuple[str, bytes], int] = field(default_factory=dict)
    """By receiver and sender: the number of the last message."""

    def on_frame(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            self._on_message(peer, frame)
        elif frame.startswith(b'{"type":"message_ack"'):
            if text_field(frame, b"status") == b"sent":
                self.acked_s.append(time.perf_counter() - self.sent_at[text_field(frame, b"clientMessageId")])
        elif frame.startswith(b'{"type":"error"'):
            self.faults.append(frame[:200].decode())
        else:
            self.typing += frame.startswith(b'{"type":"typing"')
            self.receipts += frame.startswith(b'{"type":"read_receipt"')

    def _on_message(self, peer: Peer, frame: bytes) -> None:
        name = text_field(frame, b"clientMessageId")
        self.received_s.append(time.perf_counter() - self.sent_at[name])
        sender, _, digits = name.partition(b"-")
        number, last = int(digits), self.newest.get((peer.user, sender), -1)
        self.doubled += number == last
        self.out_of_order += number < last
        self.newest[(peer.user, sender)] = max(number, last)
        if sender != peer.user.encode():
            seq = int_field(frame, b"seq")
            peer.send(b'{"type":"read_receipt","threadId":"%s","seq":%d}' % ((peer.thread or "").encode(), seq))

    def type(self, peer: Peer) -> None:
        peer.send(b'{"type":"typing","threadId":"%s"}' % (peer.thread or "").encode())

    def send(self, peer: Peer, number: int) -> None:
        name = b"%s-%d" % (peer.user.encode(), number)
        self.sent_at[name] = time.perf_counter()
        thread = (peer.thread or "").encode()
        peer.send(b'{"type":"message","threadId":"%s","clientMessageId":"%s","content":"%s"}' % (thread, name, BODY))

    async def scroll_back(self, client: httpx.AsyncClient, peer: Peer) -> None:
        began = time.perf_counter()
        response = await client.get(
            f"/api/chat/threads/{peer.thread}/messages",
            params={"limit": 50},
            headers={"X-User-Id": peer.user, "X-User-Type": "user"},
        )
        self.history_s.append(time.perf_counter() - began)
        if response.status_code != httpx.codes.OK:
            self.faults.append(f"history: {response.status_code}")


async def mixed(
    url: str, ws: str, *, people: int, members: int, rate_per_s: float, seconds: float, live: Live
) -> dict[str, Any]:
    """`people` in threads of `members`, who together send `rate_per_s` messages."""
    watch = _Watch()
    gate = asyncio.Semaphore(AT_ONCE)

    async def join(number: int) -> Peer:
        async with gate:
            return await Peer.join(ws, f"p{number}", f"mixed-{number // members}", watch.on_frame)

    peers = await asyncio.gather(*(join(number) for number in range(people)))
    began, cpu = time.perf_counter(), time.process_time()
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        await asyncio.gather(
            _behave(watch, client, peers, rate_per_s, seconds),
            live.during(seconds, "delivered", lambda: len(watch.received_s)),
        )
    elapsed_s, spent_s = time.perf_counter() - began, time.process_time() - cpu
    expected = len(watch.sent_at) * members
    deadline = time.perf_counter() + SETTLE_S
    while (len(watch.received_s) < expected or len(watch.acked_s) < len(watch.sent_at)) and (  # noqa: ASYNC110
        time.perf_counter() < deadline
    ):
        await asyncio.sleep(0.02)  # polled: the callbacks are what is being measured
    lost_connections = sum(peer.lost for peer in peers)
    for peer in peers:
        peer.close()
    return {
        "people": people,
        "sent": len(watch.sent_at),
        "receipt": percentiles_ms(watch.received_s),
        "ack": percentiles_ms(watch.acked_s),
        "history": percentiles_ms(watch.history_s),
        "typing_frames_per_s": round(watch.typing / elapsed_s),
        "read_receipts_per_s": round(watch.receipts / elapsed_s),
        "lost": max(0, expected - len(watch.received_s) + watch.doubled),
        "unacked": len(watch.sent_at) - len(watch.acked_s),
        "doubled": watch.doubled,
        "out_of_order": watch.out_of_order,
        "connections_lost": lost_connections,
        "faults": watch.faults[:5],
        "generator_core_share": round(spent_s / elapsed_s, 2),
    }


async def _behave(
    watch: _Watch, client: httpx.AsyncClient, peers: list[Peer], rate_per_s: float, seconds: float
) -> None:
    """Open loop: nobody waits for an answer before the next one writes. The same people write in every run."""
    chance = random.Random(SEED)
    loop = asyncio.get_running_loop()
    start, scrolling = time.perf_counter(), []
    for number in range(int(rate_per_s * (seconds - TYPES_FOR_S))):
        wait = start + number / rate_per_s - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        peer = chance.choice(peers)
        watch.type(peer)
        loop.call_later(TYPES_FOR_S, watch.send, peer, number)
        if number % HISTORY_EVERY == 0:
            scrolling.append(asyncio.create_task(watch.scroll_back(client, peer)))
    await asyncio.sleep(TYPES_FOR_S + 0.05)
    await asyncio.gather(*scrolling)
