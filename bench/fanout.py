"""Deliveries a second in one thread of `members` followers, one sender with a window of unanswered messages."""

import asyncio
import time
from typing import Any

from bench.fields import text_field
from bench.live import Live
from bench.peer import Peer

BODY = b"x" * 100
WARM_UP_S = 1.0
SETTLE_S = 5.0


class _Crowd:
    """What each follower got, of messages that are numbered 1, 2, 3 ... by their one sender."""

    def __init__(self) -> None:
        self.delivered = 0
        self.out_of_order = 0
        self.counts: dict[Peer, int] = {}
        self._newest: dict[Peer, int] = {}

    def at_member(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message",'):
            self.delivered += 1
            number = int(text_field(frame, b"clientMessageId")[2:])
            newest = self._newest.get(peer, 0)
            if number > newest:
                self._newest[peer] = number
            else:
                self.out_of_order += 1
            self.counts[peer] = self.counts.get(peer, 0) + 1


class _Speaker:
    """The sender: a new message for every ack."""

    def __init__(self) -> None:
        self.sent = self.acked = 0
        self.running = True

    def at_sender(self, peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"') and b'"sent"' in frame:
            self.acked += 1
            if self.running:
                self.send(peer)

    def send(self, peer: Peer) -> None:
        self.sent += 1
        peer.send(b'{"type":"message","threadId":"crowd","clientMessageId":"f-%d","content":"%s"}' % (self.sent, BODY))


async def fanout(url: str, *, members: int, window: int, seconds: float, live: Live) -> dict[str, Any]:
    """Every follower must get every message once and in the order of sending."""
    crowd, speaker = _Crowd(), _Speaker()
    sender = await Peer.join(url, "speaker", "crowd", speaker.at_sender)
    peers = [await Peer.join(url, f"m{n}", "crowd", crowd.at_member) for n in range(members)]
    for _ in range(window):
        speaker.send(sender)
    await asyncio.sleep(WARM_UP_S)
    before, started, cpu = crowd.delivered, time.perf_counter(), time.process_time()
    await live.during(seconds, "delivered", lambda: crowd.delivered)
    elapsed_s = time.perf_counter() - started
    rate = (crowd.delivered - before) / elapsed_s
    share = (time.process_time() - cpu) / elapsed_s
    speaker.running = False
    deadline = time.perf_counter() + SETTLE_S
    while (crowd.delivered < speaker.sent * members or speaker.acked < speaker.sent) and (  # noqa: ASYNC110
        time.perf_counter() < deadline
    ):
        await asyncio.sleep(0.05)  # polled: the callbacks are what is being measured
    counts = [crowd.counts.get(peer, 0) for peer in peers]
    lost_connections = sum(peer.lost for peer in peers)
    for peer in (sender, *peers):
        peer.close()
    return {
        "deliveries_per_s": round(rate),
        "members": members,
        "unanswered": speaker.sent - speaker.acked,
        "lost": sum(max(0, speaker.sent - count) for count in counts),
        "doubled": sum(max(0, count - speaker.sent) for count in counts),
        "out_of_order": crowd.out_of_order,
        "connections_lost": lost_connections,
        "generator_core_share": round(share, 2),
    }
