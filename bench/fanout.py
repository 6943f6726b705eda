"""Deliveries a second in one thread of `members` followers, one sender with a window of unanswered messages."""

import asyncio
import time
from typing import Any

from bench.fields import int_field
from bench.peer import Peer

BODY = b"x" * 100


async def fanout(url: str, *, members: int, window: int, seconds: float) -> dict[str, Any]:
    """Every follower checks that the seqs it sees are consecutive."""
    delivered = 0
    holes = 0
    last: dict[Peer, int] = {}
    running = True
    number = 0

    def at_member(peer: Peer, frame: bytes) -> None:
        nonlocal delivered, holes
        if frame.startswith(b'{"type":"message",'):
            delivered += 1
            seq = int_field(frame, b"seq")
            holes += peer in last and seq != last[peer] + 1
            last[peer] = seq

    def at_sender(peer: Peer, frame: bytes) -> None:
        if frame.startswith(b'{"type":"message_ack"') and b'"sent"' in frame and running:
            send(peer)

    def send(peer: Peer) -> None:
        nonlocal number
        number += 1
        peer.send(b'{"type":"message","threadId":"crowd","clientMessageId":"f-%d","content":"%s"}' % (number, BODY))

    sender = await Peer.join(url, "speaker", "crowd", at_sender)
    peers = [await Peer.join(url, f"m{n}", "crowd", at_member) for n in range(members)]
    for _ in range(window):
        send(sender)
    await asyncio.sleep(1.0)
    before, started, cpu = delivered, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    elapsed_s = time.perf_counter() - started
    rate = (delivered - before) / elapsed_s
    share = (time.process_time() - cpu) / elapsed_s
    running = False
    await asyncio.sleep(0.5)
    lost = sum(peer.lost for peer in peers)
    for peer in (sender, *peers):
        peer.close()
    return {
        "deliveries_per_s": round(rate),
        "members": members,
        "holes": holes,
        "connections_lost": lost,
        "generator_core_share": round(share, 2),
    }
