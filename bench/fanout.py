"""Deliveries a second in one thread of `members` followers, one sender with a window of unanswered messages."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.crew import Seat, Spent, Watch, core_share, crew
from bench.fields import text_field
from bench.live import Live
from bench.order import added
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


@dataclass(frozen=True, slots=True)
class _Measured:
    delivered: int
    spent: Spent


class _Part:
    """The followers of one process of the generator; the first has the speaker, too."""

    def __init__(self, seat: Seat, *, url: str, members: int) -> None:
        self._seat = seat
        self._url = url
        self._members = members
        self._crowd, self._speaker = _Crowd(), _Speaker()
        self._pen: Peer | None = None
        self._peers: list[Peer] = []

    async def join(self) -> None:
        if self._seat.first:
            self._pen = await Peer.join(self._url, "speaker", "crowd", self._speaker.at_sender)
        for number in self._seat.numbers(self._members):
            self._peers.append(await Peer.join(self._url, f"m{number}", "crowd", self._crowd.at_member))

    async def speak(self, window: int) -> None:
        if self._pen is not None:
            for _ in range(window):
                self._speaker.send(self._pen)

    async def delivered(self) -> int:
        return self._crowd.delivered

    async def measure(self, seconds: float) -> _Measured:
        before, watch = self._crowd.delivered, Watch()
        await asyncio.sleep(seconds)
        return _Measured(self._crowd.delivered - before, watch.spent())

    async def hush(self) -> int:
        """How many the speaker has sent, for good."""
        self._speaker.running = False
        return self._speaker.sent

    async def settle(self, sent: int) -> dict[str, int]:
        """What went wrong, once everything is there or will not come any more."""
        crowd, speaker = self._crowd, self._speaker
        deadline = time.perf_counter() + SETTLE_S
        while (crowd.delivered < sent * len(self._peers) or speaker.acked < speaker.sent) and (  # noqa: ASYNC110
            time.perf_counter() < deadline
        ):
            await asyncio.sleep(0.05)  # polled: the callbacks are what is being measured
        counts = [crowd.counts.get(peer, 0) for peer in self._peers]
        lost_connections = sum(peer.lost for peer in self._peers)
        for peer in (*self._peers, *([self._pen] if self._pen else [])):
            peer.close()
        return {
            "unanswered": speaker.sent - speaker.acked,
            "lost": sum(max(0, sent - count) for count in counts),
            "doubled": sum(max(0, count - sent) for count in counts),
            "out_of_order": crowd.out_of_order,
            "connections_lost": lost_connections,
        }


async def fanout(
    url: str, *, members: int, window: int, seconds: float, live: Live, generators: int = 1
) -> dict[str, Any]:
    """Every follower must get every message once and in the order of sending."""
    async with crew(generators, partial(_Part, url=url, members=members)) as parts:
        await parts.each(_Part.join)
        await parts.each(_Part.speak, window)
        await asyncio.sleep(WARM_UP_S)
        measured, _ = await asyncio.gather(
            parts.each(_Part.measure, seconds),
            live.watch(seconds, "delivered", lambda: parts.sum(_Part.delivered)),
        )
        sent = await parts.sum(_Part.hush)
        faults = await parts.each(_Part.settle, sent)
    return {
        "deliveries_per_s": round(sum(each.delivered / each.spent.elapsed_s for each in measured)),
        "members": members,
        **added(faults),
        "generators": generators,
        "generator_core_share": core_share([each.spent for each in measured]),
    }
