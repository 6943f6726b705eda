"""Clients that come and go: all at once and back behind what they missed, and dying at any point of their coming."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from typing import Final
from uuid import uuid4

from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.gauges import INDEXES
from tests.chaos.raw_socket import RawSocket, upgrade
from tests.chaos.scenarios.sockets import FD_SLACK, WITHIN_S, auth, changes_of, gauges, port_of, ws_of
from tests.chaos.sizes import Size, seed
from tests.kit.socket import Socket
from tests.kit.waiting import until

# What the first half leaves is there once (code, pools, what the collector has not looked at yet); a gateway that kept
# each dead connection, 10 kB, would take 25 MB for the second.
SECOND_HALF_MAX_MB: Final = 16.0


async def storm(cluster: Cluster, size: Size) -> Figures:
    """T37: over both gateways, each client behind its own position."""
    count, behind = size.pick(quick=150, full=1_000), 50
    thread, mark = f"t37-{uuid4().hex[:8]}", uuid4().hex[:6]
    writer, reader = f"writer-{mark}", f"reader-{mark}"
    await cluster.stack.create_thread(thread, writer, reader)
    began = time.monotonic()
    sender = await Socket.join(ws_of(cluster), thread=thread, token=cluster.stack.token(writer))
    await sender.say(thread, "before", "m-0")
    rev = (await changes_of(cluster, writer, thread))["rev"]
    clients = [Returner(cluster, 1 + number % 2, reader, thread, rev) for number in range(count)]
    for client in clients:
        await client.come()
    await until(lambda: all(client.is_level for client in clients), WITHIN_S, "everybody is there")
    for client in clients:
        client.socket.kill()
    for number in range(1, behind + 1):
        await sender.send("message", threadId=thread, content=f"{number}", clientMessageId=f"m-{number}")
    for number in range(1, behind + 1):
        await sender.expect(
            "message_ack", lambda f, n=number: f["clientMessageId"] == f"m-{n}" and f["status"] == "sent"
        )
    target = (await changes_of(cluster, writer, thread))["rev"]
    jitter = random.Random(seed())
    opened_at = time.monotonic()
    times_s = await asyncio.gather(*(client.come_back(target, jitter.random()) for client in clients))
    whole_s = time.monotonic() - opened_at
    holes = sum(client.seqs != list(range(2, behind + 2)) for client in clients)
    for client in clients:
        client.socket.kill()
    await sender.close()
    assert not holes, f"{holes} clients did not get each of the {behind} messages once"
    worst_s = max(times_s)
    limit_s = 5.0 if size.is_full else 10.0  # the quick one runs beside the other tests
    assert worst_s <= limit_s, f"the last of {count} was whole after {worst_s:.1f} s"
    return Figures(
        "T37",
        f"{count} clients are dropped at once and come back within a second, {behind} messages behind",
        behind + 1,
        behind + 1,
        0,
        0,
        round(worst_s, 2),
        "each message once at each client, in order",
        f"each whole again {worst_s:.1f} s after it began to connect at worst, all of them within {whole_s:.1f} s",
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )


class Returner:
    """A client with a position."""

    def __init__(self, cluster: Cluster, gateway: int, user: str, thread: str, rev: int) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._user = user
        self._thread = thread
        self._since = rev
        self._arrived = asyncio.Event()
        self.rev = -1
        self.seqs: list[int] = []
        self.socket: RawSocket

    @property
    def is_level(self) -> bool:
        return self.rev >= self._since

    async def come(self) -> None:
        port = port_of(self._cluster, self._gateway)
        self.socket = await RawSocket.open(
            port, answers_pings=True, on_frame=self._heard, first=auth(self._cluster, self._user)
        )
        self.socket.say(type="subscribe", threadId=self._thread, sinceRev=self._since)

    async def come_back(self, target: int, after_s: float) -> float:
        """Seconds from the first packet to the last message."""
        await asyncio.sleep(after_s)
        began = time.monotonic()
        self.seqs.clear()
        self._gateway = 3 - self._gateway
        await self.come()
        async with asyncio.timeout(WITHIN_S):
            while self.rev < target:
                self._arrived.clear()
                await self._arrived.wait()
        return time.monotonic() - began

    def _heard(self, frame: bytes) -> None:
        event = json.loads(frame)
        if event["type"] == "message":
            self.seqs.append(event["data"]["seq"])
        if event["type"] == "subscribed" and event["rev"] == self._since:
            self.rev = event["rev"]
        elif "rev" in event and event["type"] not in ("subscribed", "message_ack"):
            self.rev = max(self.rev, event["rev"])
        self._arrived.set()


async def churn(cluster: Cluster, size: Size) -> Figures:
    """T38."""
    count, at_once = size.pick(quick=600, full=10_000), 40
    number = seed()
    print(f"T38: CHATTERBUS_CHAOS_SEED={number}", flush=True)
    dice = random.Random(number)
    users = [f"u{n}-{uuid4().hex[:6]}" for n in range(8)]
    threads = [f"t38-{uuid4().hex[:8]}" for _ in range(6)]
    for thread in threads:
        await cluster.stack.create_thread(thread, *users)
    both = [gauges(cluster, 1), gauges(cluster, 2)]
    base = [await gauge.now() for gauge in both]
    began, died_s = time.monotonic(), 0.0

    async def die(left: int) -> None:
        nonlocal died_s
        from_s, deaths = time.monotonic(), iter(range(left))

        async def one_after_the_other() -> None:
            for _ in deaths:
                with contextlib.suppress(OSError, TimeoutError):
                    await _come_and_die(cluster, dice, dice.randrange(6), users, threads)

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
        died_s += time.monotonic() - from_s
        try:
            await until(empty, WITHIN_S, "indexes and descriptors are as before")
        except AssertionError:
            raise AssertionError(f"seed {number}: before {base}, now {[await each.now() for each in both]}") from None

    async def empty() -> bool:
        for gauge, before in zip(both, base, strict=True):
            now = await gauge.now()
            if any(now[name] > before[name] for name in INDEXES) or now["fds"] > before["fds"] + FD_SLACK:
                return False
        return True

    await die(count // 2)
    halfway = [gauge.rss_mb for gauge in both]
    await die(count - count // 2)
    after = [gauge.rss_mb for gauge in both]
    grown = ", ".join(f"{a - b['rss_mb']:+.0f} MB" for a, b in zip(after, base, strict=True))
    late_mb = max(a - h for a, h in zip(after, halfway, strict=True))
    assert late_mb <= SECOND_HALF_MAX_MB, f"seed {number}: the second half took {late_mb:.0f} MB more"
    return Figures(
        "T38",
        f"{count} connections die at a random point of connect, auth, subscribe",
        0,
        0,
        0,
        0,
        None,
        "C7",
        f"{count / died_s:.0f} a second; all indexes empty and descriptors back"
        f" {(time.monotonic() - began - died_s) / 2:.1f} s after each half; memory {grown}, of which the second half"
        f" {late_mb:+.0f} MB",
        seed=number,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )


async def _come_and_die(
    cluster: Cluster, dice: random.Random, stage: int, users: list[str], threads: list[str]
) -> None:
    port = port_of(cluster, dice.randrange(2) + 1)
    if stage == 0:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upgrade(port)[: dice.randrange(len(upgrade(port)))])
        await asyncio.sleep(0)
        writer.transport.abort()
        return
    socket = await RawSocket.open(port)
    try:
        if stage > 1:
            socket.say(**auth(cluster, dice.choice(users), dice.choice([None, *threads])))
        if stage > 2:
            for thread in dice.sample(threads, 3):
                socket.say(type="subscribe", threadId=thread, **({"sinceRev": 0} if dice.random() < 0.5 else {}))
            socket.say(type="presence_watch", userIds=users[:3])
        if stage > 3:
            await _until_frames(socket, dice.randrange(6))
        if stage > 4:
            socket.say(type="message", threadId=threads[0], content="x", clientMessageId=uuid4().hex)
            socket.say(type="unsubscribe", threadId=threads[1])
        await asyncio.sleep(dice.random() * 0.02)  # which is when it dies
    finally:
        socket.kill()


async def _until_frames(socket: RawSocket, count: int) -> None:
    with contextlib.suppress(AssertionError):
        await until(lambda: socket.frames >= count or socket.gone.done(), 1.0, "frames came")
