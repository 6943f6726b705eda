"""Disks that fill up under NATS's store and under PostgreSQL's data, by somebody else's file, and get room again.

While a disk is full, writers wait or are told to send again; afterwards everything goes on. Two things are left to
whoever supervises the servers (`chatterbus up`, a container's restart policy), and played here: a nats-server that
failed to write refuses everything until it is started again (its /healthz says so), and a PostgreSQL that panicked and
could not recover either has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import psycopg

from tests.chaos.crowd import THREADS, Crowd
from tests.chaos.door import Door, open_door
from tests.chaos.figures import Figures
from tests.chaos.rig import Rig, open_rig, small_disk
from tests.chaos.scenarios.ledger import begin, working
from tests.chaos.sizes import Size
from tests.chaos.verdict import verdict
from tests.kit.checkers import Violation
from tests.kit.nats_server import free_port
from tests.kit.socket import Socket
from tests.kit.waiting import until

NATS_DISK_MB: Final = 64
POSTGRES_DISK_MB: Final = 128
MIB: Final = 1 << 20
# NATS promises no more than three quarters of the disk to all streams together.
SMALL_STREAMS: Final = {"PERSISTER_QUEUE_MAX_BYTES": str(4 * MIB), "PERSISTER_EVENTS_MAX_BYTES": str(8 * MIB)}
RED_WITHIN_S: Final = 20.0
GREEN_WITHIN_S: Final = 30.0
STILL_REFUSING_S: Final = 3.0  # how long the supervisor of nats-server takes its time
ASKED: Final = 8
# More log than the disk holds, however much of it is set aside for the next segments.
FILL_LOG: Final = f"""
SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, {2 * POSTGRES_DISK_MB})
"""
LOOK_S: Final = 0.05
PIECES: Final = (65_536, 4_096)


async def nats_disk_full(home: Path, size: Size) -> Figures:
    """T19: the queue takes nothing, and says so."""
    number, monitor = begin("T19"), free_port()
    found: list[Violation] = []
    codes: set[str] = set()
    restarts, red_s, green_s = 0, [], []
    with small_disk(NATS_DISK_MB) as store:
        options = ("-m", str(monitor))
        async with open_rig(home, store=store, nats_options=options, **SMALL_STREAMS) as rig:
            async with open_door(rig) as door:
                crowd = await working(rig, number)
                for turn in range(size.pick(quick=1, full=3)):
                    began = time.monotonic()
                    with filled(store):
                        await until_ready(rig, False, RED_WITHIN_S)
                        red_s.append(time.monotonic() - began)
                        codes |= await refused(door, crowd, turn, found)
                    began = time.monotonic()
                    if not await nats_is_well(monitor):
                        found += await red_for(rig, STILL_REFUSING_S)
                        rig.nats.stop()
                        rig.nats.start()
                        restarts += 1
                    await until_ready(rig, True, GREEN_WITHIN_S)
                    await crowd.until_acked(50)
                    green_s.append(time.monotonic() - began)
                await door.until_ready()
            found += survived(rig)
            notes = (
                f"filled {len(red_s)} times; readiness of the persister red after {max(red_s):.1f} s at most, and until"
                f" all is well; that of the gateway stays green, for it can read, and {ASKED} messages were answered"
                f" each time with {', '.join(sorted(codes))} (retryable). With room again nats-server refused to write"
                f" until its supervisor restarted it, as its /healthz asks for ({restarts} times);"
                f" {max(green_s):.1f} s after room was made all was acked again"
            )
            fault = f"NATS's disk of {NATS_DISK_MB} MB is full, then has room again"
            return await verdict(crowd, size, "T19", fault, number, notes=notes, found=found)


async def postgres_disk_full(home: Path, size: Size) -> Figures:
    """T27: no table can grow, then the log can not either."""
    number = begin("T27")
    restarts, red_s, green_s = 0, [], []
    with small_disk(POSTGRES_DISK_MB) as disk:
        async with open_rig(home, disk=disk) as rig:
            crowd = await working(rig, number)
            for turn in range(size.pick(quick=2, full=6)):
                began = time.monotonic()
                with filled(disk):
                    await until_ready(rig, False, RED_WITHIN_S)
                    red_s.append(time.monotonic() - began)
                    if turn % 2:
                        with suppress(psycopg.Error):
                            await rig.sql(FILL_LOG)
                        await until(lambda n=turn: rig.postgres.panics > n // 2, RED_WITHIN_S, "it panicked")
                        await until_ready(rig, False, RED_WITHIN_S)
                began = time.monotonic()
                if turn % 2 and await rig.postgres.ended_within(2.0):
                    rig.postgres.start()
                    restarts += 1
                await until_ready(rig, True, GREEN_WITHIN_S)
                await crowd.until_acked(50)
                green_s.append(time.monotonic() - began)
            lost = rig.persisters[0].sessions_lost
            notes = (
                f"filled {len(red_s)} times; readiness red after {max(red_s):.1f} s at most, all acked again"
                f" {max(green_s):.1f} s after room was made; {lost} ledger sessions given up, no persister ended."
                f" {rig.postgres.panics} times the log had no room either: PostgreSQL panicked and recovered by itself;"
                f" it ended, and was started by its supervisor, {restarts} times"
            )
            fault = f"PostgreSQL's disk of {POSTGRES_DISK_MB} MB is full, every other time for its log too"
            return await verdict(crowd, size, "T27", fault, number, notes=notes, found=survived(rig))


# --- parts -------------------------------------------------------------------------------------------------------


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not one page is left on it."""
    junk = disk / "junk"
    try:
        with junk.open("wb", buffering=0) as sink:
            for piece in PIECES:
                with suppress(OSError):
                    while True:
                        sink.write(bytes(piece))
        yield
    finally:
        junk.unlink()


async def until_ready(rig: Rig, expected: bool, within_s: float) -> None:
    """Every persister says so, or says the opposite."""

    async def all_say() -> bool:
        said = await asyncio.gather(*(one.is_ready() for one in rig.persisters))
        return all(one is expected for one in said)

    await until(all_say, within_s, "readiness is " + ("green" if expected else "red"))


async def red_for(rig: Rig, seconds: float) -> list[Violation]:
    """Readiness does not turn green for so long: there is room on the disk, but nothing is written."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any([await one.is_ready() for one in rig.persisters]):
            return [Violation("T19", "ready while nothing can be told", "")]
        await asyncio.sleep(LOOK_S)
    return []


async def refused(door: Door, crowd: Crowd, turn: int, found: list[Violation]) -> set[str]:
    """The codes with which a gateway answered messages; they are sent once more by way of the queue, as by a client."""
    user, thread = crowd.senders[0], list(THREADS.values())[1]  # where nobody writes but us
    values = [crowd.adopt(f"door-{turn}-{n}", thread, user, turn * ASKED + n) for n in range(ASKED)]
    socket = await Socket.join(door.ws, userId=user)
    for value in values:
        await socket.send("message", threadId=thread, content=value.name, clientMessageId=value.name)
    answers = [await socket.expect("error", within_s=RED_WITHIN_S) for _ in values]
    found += [Violation("T19", "a final refusal", answer["code"]) for answer in answers if not answer["retryable"]]
    found += [
        Violation("T19", "a false ack", frame["clientMessageId"])
        for frame in socket.history
        if frame["type"] == "message_ack"
    ]
    await socket.close()
    crowd.send_later(values)
    return {answer["code"] for answer in answers}


async def nats_is_well(monitor: int) -> bool:
    """What a supervisor asks."""
    async with httpx.AsyncClient(timeout=5) as client:
        return (await client.get(f"http://127.0.0.1:{monitor}/healthz")).is_success


def survived(rig: Rig) -> list[Violation]:
    """Persisters that did not."""
    return [
        Violation("G14", "the process ended", one.home.name) for one in rig.persisters if one.returncode is not None
    ]
