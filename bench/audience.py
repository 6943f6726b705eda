"""What `people` connected users cost the notifier: memory for each, and CPU while `rate_per_s` messages touch them.

Everybody is a member of `threads_each` threads of `members` people and follows none, so whatever reaches them is what
the notifier tells: presence of nobody, unread counts of their threads.
"""

import asyncio
import json
import time
from typing import Any, Final

import httpx

from bench.cores import Usage, rss_bytes
from bench.fields import int_field
from bench.peer import Peer
from bench.stack import Stack

BODY: Final = b"x" * 100
SENDERS: Final = 250
AT_ONCE: Final = 64
SETTLE_S: Final = 60.0


async def audience(
    stack: Stack, *, people: int, threads_each: int, members: int, rate_per_s: int, seconds: float
) -> dict[str, Any]:
    """Connect all, wait for their snapshots, send for `seconds`."""
    circles = people * threads_each // members
    await _create_threads(stack.url, people, circles, members)
    pid = stack.pids["notifier"]
    rss_before = rss_bytes(pid)
    snapshots = unread = 0
    all_told = asyncio.Event()

    def told(_peer: Peer, frame: bytes) -> None:
        nonlocal snapshots, unread
        if frame.startswith(b'{"type":"unread_snapshot"'):
            snapshots += 1
            if snapshots == people:
                all_told.set()
        elif frame.startswith(b'{"type":"unread"'):
            unread += 1

    began = time.perf_counter()
    gate = asyncio.Semaphore(AT_ONCE)

    async def join(number: int) -> Peer:
        async with gate:
            return await Peer.join(stack.ws, f"p{number}", None, told)

    peers = await asyncio.gather(*(join(number) for number in range(people)))
    connected_s = time.perf_counter() - began
    async with asyncio.timeout(SETTLE_S):
        await all_told.wait()
    settled_s = time.perf_counter() - began
    rss_each = (rss_bytes(pid) - rss_before) / people
    acked = 0

    def at_sender(_peer: Peer, frame: bytes) -> None:
        nonlocal acked
        acked += frame.startswith(b'{"type":"message_ack"') and b'"sent"' in frame and int_field(frame, b"seq") > 0

    senders = [await Peer.join(stack.ws, f"p{number}", None, at_sender) for number in range(SENDERS)]
    usage = Usage({"notifier": pid})
    usage.start()
    unread_before, cpu, began = unread, time.process_time(), time.perf_counter()
    sent = await _send(senders, circles, people, members, rate_per_s, seconds)
    elapsed_s = time.perf_counter() - began
    share = usage.shares()["notifier"]
    generator = (time.process_time() - cpu) / elapsed_s
    await asyncio.sleep(1.0)
    figures = {
        "people": people,
        "threads_each": threads_each,
        "members_per_thread": members,
        "connected_after_s": round(connected_s, 1),
        "all_snapshots_after_s": round(settled_s, 1),
        "notifier_bytes_per_person": round(rss_each),
        "messages_per_s": round(sent / elapsed_s),
        "acked": acked,
        "sent": sent,
        "unread_frames_per_s": round((unread - unread_before) / (elapsed_s + 1.0)),
        "notifier_core_share": share,
        "connections_lost": sum(peer.lost for peer in peers),
        "generator_core_share": round(generator, 2),
    }
    for peer in (*peers, *senders):
        peer.close()
    return figures


async def _create_threads(url: str, people: int, circles: int, members: int) -> None:
    """Thread c has the people c*stride ...: neighbours, spread so that everybody is in as many."""
    gate = asyncio.Semaphore(16)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def create(circle: int) -> None:
            owner, *others = _members_of(circle, people, members)
            async with gate:
                response = await client.post(
                    "/api/chat/threads",
                    content=json.dumps({"id": f"c{circle}", "members": [{"userId": user} for user in others]}),
                    headers={"X-User-Id": owner, "X-User-Type": "user", "Content-Type": "application/json"},
                )
            response.raise_for_status()

        await asyncio.gather(*(create(circle) for circle in range(circles)))


def _members_of(circle: int, people: int, members: int) -> list[str]:
    return [f"p{(circle * members + place) % people}" for place in range(members)]


async def _send(senders: list[Peer], circles: int, people: int, members: int, rate_per_s: int, seconds: float) -> int:
    """At the rate, round the threads of the senders (each in its own)."""
    own: dict[str, list[int]] = {sender.user: [] for sender in senders}
    for circle in range(circles):
        for user in _members_of(circle, people, members):
            if user in own:
                own[user].append(circle)
    began = time.perf_counter()
    sent = 0
    while (elapsed_s := time.perf_counter() - began) < seconds:
        while sent < elapsed_s * rate_per_s:
            sender = senders[sent % len(senders)]
            threads = own[sender.user]
            circle = threads[(sent // len(senders) + sent) % len(threads)]  # neighbours write elsewhere
            sender.send(
                b'{"type":"message","threadId":"c%d","clientMessageId":"n-%d","content":"%s"}' % (circle, sent, BODY)
            )
            sent += 1
        await asyncio.sleep(0.005)
    return sent
