"""Clients that go and come back: resume at another gateway, an outbox whose process is killed, and a gateway that is
cut off from the queue. What a client was told must be what is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from websockets.exceptions import WebSocketException

from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.roamer import Roamer
from tests.chaos.side_gateway import side_gateway
from tests.chaos.sizes import Size, seed
from tests.kit.checkers import Violation, check_once, check_order, check_set
from tests.kit.history import Attempt, History, Stored
from tests.kit.socket import Socket
from tests.kit.waiting import until

WITHIN_S: Final = 60.0
FLOOD_RATE: Final = 200.0
FLOODERS: Final = 8  # each far below its rate limit
OUTBOX_CHILD: Final = Path(__file__).with_name("outbox_child.py")
COMMAND: Final = b"chat.cmd."


async def roaming(cluster: Cluster, size: Size) -> Figures:
    """P8 over the whole system: go at any moment, come back at another gateway, with the rev one had."""
    number, count = seed(), size.pick(quick=10, full=60)
    duration_s = size.pick(quick=8.0, full=45.0)
    print(f"P8: CHATTERBUS_CHAOS_SEED={number}", flush=True)
    dice, mark = random.Random(number), uuid4().hex[:6]
    thread, began = f"p8-{mark}", time.monotonic()
    writers, reader = [f"writer{n}-{mark}" for n in range(FLOODERS)], f"reader-{mark}"
    await cluster.stack.create_thread(thread, *writers, reader)
    roamers = [Roamer(cluster, reader, thread, random.Random(dice.random())) for _ in range(count)]
    going = [asyncio.create_task(roamer.roam()) for roamer in roamers]
    try:
        sent = await _flood(cluster, thread, writers, duration_s)
        for roamer in roamers:
            roamer.settle()
        truth = await cluster.stack.history(thread, reader)
        shown = [(m["seq"], m["content"], m["rev"]) for m in truth]
        last_seq = truth[-1]["seq"]
        await until(lambda: all(one.timeline.last_seq >= last_seq and one.is_level for one in roamers), WITHIN_S,
                    "everybody is level")  # fmt: skip
    finally:
        for task in going:
            task.cancel()
        results = await asyncio.gather(*going, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    wrong = [
        f"roamer {n} shows something else than the store"
        for n, one in enumerate(roamers)
        if [(m.seq, m.content, m.rev) for m in one.timeline.messages] != shown
    ]
    wrong += [fault for one in roamers for fault in one.faults]
    assert not wrong, f"seed {number}: {len(wrong)} faults: {wrong[:8]}"
    assert len(truth) == sent
    stays = sum(one.stays for one in roamers)
    return Figures(
        "P8",
        f"{count} clients leave at random moments and come back at another gateway under {sent / duration_s:.0f}"
        " messages/s",
        sent,
        sent,
        0,
        0,
        None,
        "P8: no hole, no double, every view equals the store's",
        f"{stays} stays, {sum(one.resyncs for one in roamers)} resyncs",
        seed=number,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )


async def _flood(cluster: Cluster, thread: str, writers: list[str], duration_s: float) -> int:
    sockets = [await cluster.stack.join(writer, gateway=1 + n % 2) for n, writer in enumerate(writers)]
    loop = asyncio.get_running_loop()
    began, count = loop.time(), 0
    while loop.time() < began + duration_s:
        socket = sockets[count % len(sockets)]
        await socket.send("message", threadId=thread, content=f"m{count}", clientMessageId=f"m{count}")
        count += 1
        await asyncio.sleep(max(0.0, began + count / FLOOD_RATE - loop.time()))
    for place, socket in enumerate(sockets):
        mine = {f"m{n}" for n in range(place, count, len(sockets))}
        await until(lambda socket=socket, mine=mine: mine <= _acked(socket), WITHIN_S, "all of the flood is stored")
        await socket.close()
    return count


def _acked(socket: Socket) -> set[str]:
    return {f["clientMessageId"] for f in socket.history if f["type"] == "message_ack" and f["status"] == "sent"}


async def outbox_killed(cluster: Cluster, size: Size, folder: Path) -> Figures:
    """A process with a FileOutbox is killed at random moments of its sending, and started again with the same file."""
    number, rounds = seed(), size.pick(quick=10, full=200)
    per_round = 5
    print(f"outbox: CHATTERBUS_CHAOS_SEED={number}", flush=True)
    dice, began = random.Random(number), time.monotonic()
    user, thread = f"ann-{uuid4().hex[:6]}", f"ob-{uuid4().hex[:8]}"
    await cluster.stack.create_thread(thread, user)
    path, kills = folder / f"{thread}.outbox", dict.fromkeys(("posting", "sending"), 0)
    posted: set[int] = set()
    twice = 0  # sent by one process, stored, and sent again by the next
    for turn in range(rounds):
        stored = {m["content"] for m in await cluster.stack.history(thread, user)}
        twice += len({f"m-{n}" for n in posted} & stored & _left(path))
        child = await _child(cluster, user, thread, path, turn * per_round, per_round)
        die_behind = min(dice.randrange(1, 2 * per_round), per_round)  # posts; the next may or may not be in the file
        after_s = dice.choice((0.0, dice.random() * 0.005, dice.random() * 0.03))
        kills["posting" if die_behind < per_round else "sending"] += 1
        posted |= await _read_posts(child, die_behind)
        await asyncio.sleep(after_s)  # which is when it dies
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        assert child.stdout is not None
        posted |= _posts(await child.stdout.read())
        await child.wait()
    last = await _child(cluster, user, thread, path, rounds * per_round, 1)
    output, _ = await last.communicate()
    assert b"drained" in output, output.decode()
    posted.add(rounds * per_round)
    contents = [m["content"] for m in await cluster.stack.history(thread, user)]
    lost = {f"m-{n}" for n in posted} - set(contents)
    assert not lost, f"seed {number}: posted and not stored: {sorted(lost)[:5]}"
    assert len(contents) == len(set(contents)), f"seed {number}: stored twice"
    numbers = [int(content.removeprefix("m-")) for content in contents]
    assert numbers == sorted(numbers), f"seed {number}: stored out of order"
    return Figures(
        "outbox",
        f"kill -9 of a client between post and ack, {rounds} times, each time started with the same outbox file",
        len(posted),
        len(posted),
        len(lost),
        len(contents) - len(set(contents)),
        None,
        "G2 G3 G5",
        f"killed {kills['posting']} times while posting, {kills['sending']} times behind it; {twice} messages were"
        f" stored when the next process sent them again; {len(contents) - len(posted)} more were in the file than were"
        " reported as posted",
        seed=number,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )


def _left(path: Path) -> set[str]:
    """The ids in the file that are not done."""
    left: set[str] = set()
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        entry = json.loads(line)
        if "done" in entry:
            left.discard(entry["done"])
        else:
            left.add(entry["put"]["clientMessageId"])
    return left


async def _child(
    cluster: Cluster, user: str, thread: str, path: Path, first: int, count: int
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(OUTBOX_CHILD),
        cluster.stack.url,
        cluster.stack.token(user),
        str(path),
        thread,
        str(first),
        str(count),
        stdout=asyncio.subprocess.PIPE,
    )


async def _read_posts(child: asyncio.subprocess.Process, count: int) -> set[int]:
    assert child.stdout is not None
    posted: set[int] = set()
    async with asyncio.timeout(WITHIN_S):
        while len(posted) < count and (line := await child.stdout.readline()):
            posted |= _posts(line)
    return posted


def _posts(output: bytes) -> set[int]:
    return {int(line.split()[1]) for line in output.split(b"\n")[:-1] if line.startswith(b"posted ")}


async def cut_while_publishing(cluster: Cluster, size: Size, folder: Path) -> Figures:
    """T15: between a gateway and NATS, in the middle of publishes."""
    number, cuts = seed(), size.pick(quick=6, full=100)
    print(f"T15: CHATTERBUS_CHAOS_SEED={number}", flush=True)
    dice, history = random.Random(number), History()
    thread, user, began = f"t15-{uuid4().hex[:8]}", f"ann-{uuid4().hex[:6]}", time.monotonic()
    await cluster.stack.create_thread(thread, user)
    settings = {"GATEWAY_PUBLISH_ACK_TIMEOUT_S": "1", "GATEWAY_ANSWER_TIMEOUT_S": "3"}
    async with side_gateway(cluster, folder / "side.log", **settings) as side:
        socket = await Socket.join(side.ws, token=cluster.stack.token(user))
        sent = 0
        for _ in range(cuts):
            for _ in range(dice.randrange(6)):
                await _send(socket, thread, user, sent, history)
                sent += 1
                await asyncio.sleep(dice.random() * 0.02)
            accepted = side.nats.accepted
            trigger = side.nats.cut_when(lambda data: COMMAND in data, forward=dice.random() < 0.5)
            while not trigger.fired:
                await _send(socket, thread, user, sent, history)
                sent += 1
                await asyncio.sleep(dice.random() * 0.01)
            side.nats.trigger = None
            for _ in range(dice.randrange(10)):
                await _send(socket, thread, user, sent, history)
                sent += 1
            await until(lambda before=accepted: side.nats.accepted > before, WITHIN_S, "the gateway connects again")
            await until(side.is_ready, WITHIN_S, "the gateway is ready again")
        outcomes = await _outcomes(socket, thread, user, sent, history)
        await socket.close()
    await _read_stored(cluster, thread, user, history)
    wrong = _wrong(history)
    stored = {message.value for message in history.stored}
    unknown = {one.value for one in history.attempts if one.outcome == "info"}
    assert not wrong, f"seed {number}: {wrong[:8]}"
    return Figures(
        "T15",
        f"the connection between a gateway and NATS is cut {cuts} times in the middle of publishes",
        sent,
        len(history.acked),
        0,
        0,
        None,
        "C1 C2, each answered once",
        f"{outcomes['fail']} rejected, none of them stored; {len(unknown)} unknown, {len(unknown & stored)} of those"
        " are",
        seed=number,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )


async def queue_frozen(cluster: Cluster, size: Size, folder: Path) -> Figures:
    """Backpressure: nothing passes between a gateway and NATS, nobody is told, and clients go on sending."""
    count, senders = size.pick(quick=3_000, full=20_000), 10
    history, answer_s = History(), 8.0
    thread, mark, began = f"bp-{uuid4().hex[:8]}", uuid4().hex[:6], time.monotonic()
    users = [f"u{n}-{mark}" for n in range(senders)]
    await cluster.stack.create_thread(thread, *users)
    settings = {
        "GATEWAY_PUBLISH_ACK_TIMEOUT_S": "3",
        "GATEWAY_ANSWER_TIMEOUT_S": str(answer_s),
        "GATEWAY_MAX_IN_FLIGHT": "1000",
        "GATEWAY_RATE_FRAMES_PER_S": "1000000",
        "GATEWAY_RATE_BURST_FRAMES": "1000000",
        "GATEWAY_MAX_IN_FLIGHT_PER_CONNECTION": "100000",
    }
    async with side_gateway(cluster, folder / "side.log", **settings) as side:
        sockets = [await Socket.join(side.ws, token=cluster.stack.token(user)) for user in users]
        before_mb = most_mb = side.rss_mb
        side.nats.blackhole()
        frozen_at = time.monotonic()
        for sent in range(count):
            await _send(sockets[sent % senders], thread, users[sent % senders], sent, history, padding=1_000)
        most_mb = max(most_mb, side.rss_mb)
        await until(lambda: sum(map(_final, sockets)) >= count, answer_s + 15, "everybody is answered")
        answered_s = time.monotonic() - frozen_at
        most_mb = max(most_mb, side.rss_mb)
        refusals = [f for socket in sockets for f in socket.history if f["type"] == "error"]
        hard = [f for f in refusals if not f["retryable"] and f["fate"] == "rejected"]
        assert not hard, hard[:3]
        assert len(refusals) == count, f"{len(refusals)} refusals of {count}"
        side.nats.pass_all()
        await until(side.is_ready, WITHIN_S, "the gateway is connected again")
        await _works(sockets[0], thread)
        for place, socket in enumerate(sockets):
            _note_outcomes(socket, thread, users[place], history)
            await socket.close()
    await _read_stored(cluster, thread, users[0], history)
    history.stored = [message for message in history.stored if message.value != "after"]
    wrong = [one for one in check_set(history) if one.kind != "lost"] + check_once(history)
    assert not wrong, wrong[:8]
    assert most_mb - before_mb <= 64, f"{before_mb:.0f} MB before, {most_mb:.0f} MB"
    return Figures(
        "T9 gateway",
        f"nothing passes between a gateway and NATS, {count} messages are sent meanwhile",
        count,
        0,
        0,
        0,
        round(answered_s, 1),
        "each answered once and retryably; C1 C2",
        f"memory +{most_mb - before_mb:.0f} MB, {len(history.stored)} of those of unknown fate were stored",
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )


async def _send(socket: Socket, thread: str, user: str, number: int, history: History, *, padding: int = 0) -> None:
    value = f"{user}-{number}"
    history.attempts.append(Attempt(value, user, thread, number, "invoke", time.monotonic()))
    fields = {"metadata": {"x": "x" * padding}} if padding else {}
    await socket.send("message", threadId=thread, content=value, clientMessageId=value, **fields)


def _final(socket: Socket) -> int:
    return sum(_is_final(frame) for frame in socket.history)


def _is_final(frame: dict[str, Any]) -> bool:
    return frame["type"] == "error" or (frame["type"] == "message_ack" and frame["status"] == "sent")


async def _outcomes(socket: Socket, thread: str, user: str, sent: int, history: History) -> dict[str, int]:
    await until(lambda: _final(socket) >= sent, WITHIN_S, f"{sent} messages are answered")
    return _note_outcomes(socket, thread, user, history)


def _note_outcomes(socket: Socket, thread: str, user: str, history: History) -> dict[str, int]:
    counts = {"ok": 0, "fail": 0, "info": 0}
    answered: set[str] = set()
    for frame in socket.history:
        if not _is_final(frame):
            continue
        value = frame["clientMessageId"]
        assert value not in answered, f"{value} was answered twice"
        answered.add(value)
        outcome = "ok" if frame["type"] == "message_ack" else "fail" if frame["fate"] == "rejected" else "info"
        counts[outcome] += 1
        order = int(value.rpartition("-")[2]) if value[-1].isdigit() else 0
        history.attempts.append(
            Attempt(value, user, thread, order, outcome, time.monotonic(), frame.get("seq"))  # type: ignore[arg-type]
        )
    return counts


async def _read_stored(cluster: Cluster, thread: str, user: str, history: History) -> None:
    """When what is in the queue is applied: a message sent now comes behind it."""
    socket = await cluster.stack.join(user)
    await socket.say(thread, "behind", "behind")
    await socket.close()
    history.stored = [
        Stored(m["content"], thread, m["seq"], m["rev"], m["id"], m["senderId"])
        for m in await cluster.stack.history(thread, user)
        if m["content"] != "behind"
    ]


def _wrong(history: History) -> list[Violation]:
    return [*check_set(history), *check_once(history), *check_order(history)]


async def _works(socket: Socket, thread: str) -> None:
    async def stored() -> bool:
        try:
            await socket.say(thread, "after", "after")
        except (AssertionError, OSError, WebSocketException, httpx.HTTPError):
            return False
        return True

    await until(stored, WITHIN_S, "messages are stored again")
