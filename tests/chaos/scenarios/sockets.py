"""Clients that do not read, do not answer, or flood: what they cost the others, and the gateway.

All of them sit at gateway 1. Latency is that of messages from their send to the frame at a reader of another socket.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.gauges import Gauges
from tests.chaos.raw_socket import RawSocket
from tests.chaos.sizes import Size
from tests.kit.socket import Socket
from tests.kit.waiting import until

RATE: Final = 40.0  # messages/s, while latency is measured
MEASURED: Final = 10  # readers whose frames are looked into
FD_SLACK: Final = 6.0  # of the gateway's own: its pool of HTTP and storage connections moves
WITHIN_S: Final = 60.0


def gauges(cluster: Cluster, number: int = 1) -> Gauges:
    pid = cluster.pid(f"gateway-{number}")
    assert pid is not None
    return Gauges(pid, cluster.stack.gateways[number - 1])


def port_of(cluster: Cluster, number: int = 1) -> int:
    return int(urlsplit(cluster.stack.gateways[number - 1]).port or 0)


def auth(cluster: Cluster, user: str, thread: str | None = None) -> dict[str, Any]:
    """The first frame."""
    frame = {"type": "auth", "token": cluster.stack.token(user)}
    return frame if thread is None else {**frame, "threadId": thread}


class Latency:
    """Messages with their time of sending in them; `seconds` of every receipt."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.sent = 0
        self.acked = 0

    def heard(self, frame: bytes) -> None:
        event = json.loads(frame)
        if event["type"] == "message":
            self.seconds.append(time.monotonic() - float(event["data"]["content"].partition(" ")[0]))

    async def send_for(self, socket: Socket, thread: str, duration_s: float, *, padding: int = 100) -> None:
        """Write RATE messages a second for so long, and wait until they are acked."""
        loop = asyncio.get_running_loop()
        began, count = loop.time(), 0
        while loop.time() < began + duration_s:
            content = f"{time.monotonic()} {'x' * padding}"
            await socket.send("message", threadId=thread, content=content, clientMessageId=uuid4().hex)
            count += 1
            await asyncio.sleep(max(0.0, began + count / RATE - loop.time()))
        for _ in range(count):
            await socket.expect("message_ack", lambda f: f["status"] == "sent", within_s=WITHIN_S)
            self.acked += 1
        self.sent += count
        socket.frames.clear()

    def take_p99_ms(self) -> float:
        """Of all since the last call."""
        taken, self.seconds = sorted(self.seconds), []
        assert taken
        return 1000 * taken[min(len(taken) - 1, int(len(taken) * 0.99))]


@asynccontextmanager
async def audience(cluster: Cluster, thread: str, user: str, count: int, heard: Any) -> AsyncIterator[list[RawSocket]]:
    """Readers of a thread who read, the first MEASURED of them for `heard`."""
    opened: list[RawSocket] = []
    try:
        for number in range(count):
            on_frame = heard if number < MEASURED else None
            first = auth(cluster, user, thread)
            opened.append(await RawSocket.open(port_of(cluster), answers_pings=True, on_frame=on_frame, first=first))
        yield opened
    finally:
        for one in opened:
            one.kill()


async def readers_stop(cluster: Cluster, size: Size) -> Figures:
    """T35."""
    total, stuck = size.pick(quick=(60, 10), full=(500, 50))
    thread, mark = f"t35-{uuid4().hex[:8]}", uuid4().hex[:6]
    writer, reader, stopper = (f"{name}-{mark}" for name in ("writer", "reader", "stopper"))
    await cluster.stack.create_thread(thread, writer, reader, stopper)
    gauge, latency = gauges(cluster), Latency()
    began = time.monotonic()
    sender = await Socket.join(ws_of(cluster), thread=thread, token=cluster.stack.token(writer))
    async with audience(cluster, thread, reader, total - stuck, latency.heard) as readers:
        stopped = [
            await RawSocket.open(
                port_of(cluster), small_window=True, answers_pings=True, first=auth(cluster, stopper, thread)
            )
            for _ in range(stuck)
        ]
        await until(lambda: all(one.frames >= 2 for one in [*readers, *stopped]), WITHIN_S, "everybody has joined")
        duration_s = size.pick(quick=4.0, full=10.0)
        await latency.send_for(sender, thread, duration_s)
        before_ms, before = latency.take_p99_ms(), await gauge.now()
        for one in stopped:
            one.stop_reading()
        talking = asyncio.create_task(_go_on_talking(stopped))
        stopped_at, most_mb = time.monotonic(), before["rss_mb"]
        gone_s: float | None = None
        # 40 messages/s of 12 KB fill the lane of 2 MiB in a few seconds, before nothing having moved closes it.
        while time.monotonic() < stopped_at + 35:
            await latency.send_for(sender, thread, 1.0, padding=size.pick(quick=12_000, full=4_000))
            now = await gauge.now()
            most_mb = max(most_mb, now["rss_mb"])
            if (
                now["slow_closes"] - before["slow_closes"] >= stuck
                and now["connections"] <= before["connections"] - stuck
            ):
                gone_s = time.monotonic() - stopped_at
                break
        with_ms = latency.take_p99_ms()
        talking.cancel()
        for one in stopped:
            one.kill()
        await latency.send_for(sender, thread, duration_s)
        after_ms = latency.take_p99_ms()
    await sender.close()
    per_stuck_mb = (most_mb - before["rss_mb"]) / stuck
    assert gone_s is not None, f"{now['slow_closes'] - before['slow_closes']:.0f} of {stuck} closed within 35 s"
    assert gone_s <= 30, f"closed after {gone_s:.1f} s"
    assert with_ms <= max(3 * before_ms, 1_000), f"p99 {before_ms:.0f} ms, {with_ms:.0f} ms with the stuck ones"
    assert per_stuck_mb <= 4, f"{per_stuck_mb:.1f} MB each"  # the lane's 2 MiB, the transport's buffer, the allocator
    return _figures(
        "T35",
        f"{stuck} of {total} readers stop reading",
        size,
        began,
        latency,
        f"all closed as slow (4008) after {gone_s:.1f} s, memory +{most_mb - before['rss_mb']:.0f} MB"
        f" ({per_stuck_mb:.1f} MB each); p99 of the others {before_ms:.0f} ms before, {with_ms:.0f} ms with them (of"
        f" larger messages), {after_ms:.0f} ms after",
    )


async def _go_on_talking(sockets: list[RawSocket]) -> None:
    """So that they count as alive, however little they read."""
    while True:
        for one in sockets:
            if not one.gone.done():
                one.say(type="ping")
        await asyncio.sleep(1.0)


async def mute_and_zero_window(cluster: Cluster, size: Size) -> Figures:
    """T36. How fast depends on the gateway's own times: a quick system has short ones."""
    count = size.pick(quick=10, full=50)
    thread, user = f"t36-{uuid4().hex[:8]}", f"ann-{uuid4().hex[:6]}"
    await cluster.stack.create_thread(thread, user)
    gauge = gauges(cluster)
    file_id = await _large_file(cluster, user, thread)
    base = await gauge.now()
    began = time.monotonic()
    mute = [await RawSocket.open(port_of(cluster), first=auth(cluster, user, thread)) for _ in range(count)]
    blind = [
        await RawSocket.open(port_of(cluster), small_window=True, first=auth(cluster, user, thread))
        for _ in range(count)
    ]
    takers = [await _download(cluster, user, file_id) for _ in range(count)]
    await until(lambda: all(one.frames >= 2 for one in [*mute, *blind]), WITHIN_S, "everybody has joined")
    await until(_at_least(gauge, "files_moving", base["files_moving"] + count), WITHIN_S, "downloads are on their way")
    for one in (*blind, *takers):
        one.stop_reading()
    most = await gauge.now()

    async def given_back() -> bool:
        now = await gauge.now()
        return (
            now["connections"] <= base["connections"]
            and now["files_moving"] <= base["files_moving"]
            and now["fds"] <= base["fds"] + FD_SLACK
        )

    limit_s = size.pick(quick=30.0, full=75.0)
    stopped_at = time.monotonic()
    await until(given_back, limit_s, f"descriptors are back, {base['fds']:.0f} before, {gauge.fds} now")
    took_s = time.monotonic() - stopped_at
    for one in (*mute, *blind, *takers):
        one.kill()
    return _figures(
        "T36",
        f"{count} sockets never answer pings, {count} have a zero window, {count} take nothing of a download",
        size,
        began,
        None,
        f"all gone after {took_s:.1f} s; descriptors {base['fds']:.0f} before, {most['fds']:.0f} with them,"
        f" {gauge.fds} after",
    )


async def typing_flood(cluster: Cluster, size: Size) -> Figures:
    """T39."""
    writers, readers = size.pick(quick=(10, 20), full=(60, 100))
    thread, mark = f"t39-{uuid4().hex[:8]}", uuid4().hex[:6]
    writer, reader = f"writer-{mark}", f"reader-{mark}"
    typists = [f"typist{n}-{mark}" for n in range(writers)]
    await cluster.stack.create_thread(thread, writer, reader, *typists)
    latency, began = Latency(), time.monotonic()
    sender = await Socket.join(ws_of(cluster), thread=thread, token=cluster.stack.token(writer))
    duration_s = size.pick(quick=4.0, full=10.0)
    async with audience(cluster, thread, reader, readers, latency.heard) as people:
        hands = [
            await RawSocket.open(port_of(cluster, 2), answers_pings=True, first=auth(cluster, user, thread))
            for user in typists
        ]
        await until(lambda: all(one.frames >= 2 for one in [*people, *hands]), WITHIN_S, "everybody has joined")
        await latency.send_for(sender, thread, duration_s)
        before_ms = latency.take_p99_ms()
        flooding = asyncio.create_task(_type(hands, thread))
        try:
            await latency.send_for(sender, thread, duration_s)
        finally:
            flooding.cancel()
        with_ms = latency.take_p99_ms()
        for hand in hands:
            hand.kill()
    await sender.close()
    assert with_ms <= max(5 * before_ms, 250), f"p99 {before_ms:.0f} ms, {with_ms:.0f} ms with the flood"
    return _figures(
        "T39",
        f"{writers} clients send typing as fast as they may (40 frames/s each)",
        size,
        began,
        latency,
        f"p99 of messages {before_ms:.0f} ms before, {with_ms:.0f} ms during the flood",
    )


async def _type(hands: list[RawSocket], thread: str) -> None:
    while True:
        for hand in hands:
            hand.say(type="typing", threadId=thread)
        await asyncio.sleep(1 / 40)


def ws_of(cluster: Cluster, number: int = 1) -> str:
    return cluster.stack.gateway_ws(number)


def _at_least(gauge: Gauges, name: str, value: float) -> Any:
    async def reached() -> bool:
        return await gauge.get(name) >= value

    return reached


async def changes_of(cluster: Cluster, user: str, thread: str) -> dict[str, Any]:
    async with cluster.stack.rest(user) as client:
        answer = await client.get(f"/api/chat/threads/{thread}/changes", params={"sinceRev": 0, "limit": 1})
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def _large_file(cluster: Cluster, user: str, thread: str) -> str:
    """Larger than what the kernel takes for a peer that reads nothing."""
    async with cluster.stack.rest(user) as client:
        answer = await client.post(
            "/api/chat/attachments", params={"threadId": thread, "name": "x.bin"}, content=b"\0" * 12_000_000
        )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    name: str = answer.json()["id"]
    return name


async def _download(cluster: Cluster, user: str, file_id: str) -> RawSocket:
    """A request whose answer nobody takes."""
    loop = asyncio.get_running_loop()
    _, taker = await loop.create_connection(RawSocket, "127.0.0.1", port_of(cluster))
    taker.stop_reading()
    token = cluster.stack.token(user)
    head = f"GET /api/chat/attachments/{file_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    taker.write(head.encode())
    return taker


def _figures(scenario: str, fault: str, size: Size, began: float, latency: Latency | None, notes: str) -> Figures:
    return Figures(
        scenario,
        fault,
        0 if latency is None else latency.sent,
        0 if latency is None else latency.acked,
        0,
        0,
        None,
        "G12",
        notes,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )
