"""The queue brings things again, or its answers are lost: each message is stored once, under one seq."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chatterbus_contracts.commands import Command, encode_command, encode_parcel
from chatterbus_contracts.ids import GatewayId, ThreadId
from chatterbus_contracts.subjects import command_stream, command_subject, partition_of
from chatterbus_runtime.jetstream_publisher import PubAck
from tests.chaos.callers import Callers
from tests.chaos.crowd import THREADS
from tests.chaos.door import open_door
from tests.chaos.figures import Figures
from tests.chaos.rig import Rig, open_rig
from tests.chaos.scenarios.ledger import begin
from tests.chaos.sizes import Size
from tests.chaos.told import acks, acks_by_message, judged, note, stored, told_apart
from tests.chaos.verdict import verdict
from tests.kit.checkers import Violation
from tests.kit.ledger_commands import GATEWAY, create, send
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.socket import Socket
from tests.kit.waiting import until

TIMES: Final = (1, 5)
ANSWERED_WITHIN_S: Final = 60.0
FORGOTTEN_WITHIN_S: Final = 180.0  # the window is two minutes
PAUSED_AFTER: Final = 50  # frames: a client has no window, but the server should not drown at once


async def delivered_again(home: Path, size: Size) -> Figures:
    """T13: every frame reaches a gateway one to five times, every command the queue one to five times."""
    number, began = begin("T13"), time.monotonic()
    rng, frames = random.Random(number), size.pick(quick=150, full=1_000)
    thread, user = next(iter(THREADS.values())), "ann"
    async with open_rig(home) as rig, open_door(rig, "one") as one, open_door(rig, "two") as two:
        await rig.sender.ask(create(thread, user))
        sockets = [await Socket.join(door.ws, thread=thread, userId=user) for door in (one, two)]
        sent_at = await _frames_again(sockets, thread, frames, rng)
        commands = [send(thread, user, f"q-{n}", f"q-{n}") for n in range(frames)]
        times = await _parcels_again(rig, commands, rng)
        history = await stored(rig)
        told = acks_by_message(*sockets)
        for socket in sockets:
            await socket.close()
        for command in commands:
            told[command.client_message_id or ""] = rig.sender.answers[command.id]
            sent_at[command.client_message_id or ""] = [began] * times[command.id]
        found = told_apart(told, sent_at)
        note(history, told, sent_at, user, thread, in_order=False)  # two connections: no order between them
        rows, repeats = len(history.stored), sum(map(len, sent_at.values()))
    if rows != 2 * frames:
        found.append(Violation("C1", "rows", f"{rows} of {2 * frames}"))
    return judged(
        history,
        size,
        number,
        began,
        "T13",
        "the same frame delivered 1 to 5 times, over two gateways; the same command 1 to 5 times in the queue",
        f"{frames} frames and {frames} commands, {repeats} deliveries, {rows} rows, all acks of a message identical",
        found,
    )


async def retried_late(home: Path, size: Size) -> Figures:
    """T14: a retry beyond the queue's window, and by a persister that has never seen the message."""
    number, began = begin("T14"), time.monotonic()
    count = size.pick(quick=40, full=300)
    thread, user = next(iter(THREADS.values())), "ann"
    async with open_rig(home) as rig, open_door(rig) as door:
        await rig.sender.ask(create(thread, user))
        socket = await Socket.join(door.ws, thread=thread, userId=user)
        commands = [send(thread, user, f"q-{n}", f"q-{n}") for n in range(count)]
        sent_at: dict[str, list[float]] = {}
        await _send_all(socket, thread, [f"f-{n}" for n in range(count)], sent_at)
        for command in commands:
            await rig.sender.ask(command)
        last_at = time.monotonic()
        (persister,) = rig.persisters
        persister.signal(15)
        await persister.ended()
        await persister.start_again()
        if not size.is_full:
            await _shorten_window(rig, thread)
        window_s = await _until_forgotten(rig, commands[-1], last_at)  # and so all that came before it
        for command in commands[:-1]:
            await _publish_again(rig, command)
        await _send_all(socket, thread, [f"f-{n}" for n in range(count)], sent_at)
        await until(
            lambda: all(len(rig.sender.answers[one.id]) > 1 for one in commands), ANSWERED_WITHIN_S, "all is answered"
        )
        await until(lambda: len(acks(socket)) == 2 * count, ANSWERED_WITHIN_S, "all frames are acked twice")
        told = acks_by_message(socket)
        for command in commands:
            told[command.client_message_id or ""] = rig.sender.answers[command.id]
            sent_at[command.client_message_id or ""] = [began] * len(rig.sender.answers[command.id])
        await socket.close()
        history = await stored(rig)
        note(history, told, sent_at, user, thread)
    return judged(
        history,
        size,
        number,
        began,
        "T14",
        "a retry beyond the queue's window of duplicates, after a restart of the persister",
        f"{2 * count} messages again: by their frame, and by the same parcel under the same Nats-Msg-Id when the queue"
        f" took it anew, {window_s:.1f} s later",
        told_apart(told, sent_at),
    )


async def acks_lost(home: Path, size: Size) -> Figures:
    """T21: everything is stored, and nobody is told."""
    number = begin("T21")
    lost_s = size.pick(quick=2.0, full=10.0)
    settings = size.pick(quick={"GATEWAY_ANSWER_TIMEOUT_S": "2"}, full={})
    async with open_rig(home) as rig, open_door(rig, **settings) as door:
        crowd = Callers(rig, [door], number, pause_s=size.pick(quick=0.1, full=0.05))
        try:
            await crowd.open()
            crowd.start()
            await crowd.until_acked(20)
            door.answers.on = True
            await asyncio.sleep(lost_s)  # the fault's own duration
            door.answers.on = False
            await crowd.until_acked(20, ANSWERED_WITHIN_S)
            found = [] if door.answers.taken else [Violation("T21", "no ack was lost", "")]
            notes = f"{door.answers.taken} messages of acks were lost"
            fault = f"all acks between persister and gateway lost for {lost_s:g} s"
            return await verdict(crowd, size, "T21", fault, number, notes=notes, found=found)
        finally:
            await crowd.close()


# --- parts -------------------------------------------------------------------------------------------------------


async def _frames_again(
    sockets: Sequence[Socket], thread: str, frames: int, rng: random.Random
) -> dict[str, list[float]]:
    """Each frame one to five times, to one gateway or the other; all of them answered."""
    sent_at: dict[str, list[float]] = {}
    again: list[str] = []
    for n in range(frames):
        again += [f"f-{n}"] * rng.randint(*TIMES)
    window = 12  # how far copies may drift from their place
    again = [name for _, name in sorted((place + rng.random() * window, name) for place, name in enumerate(again))]
    for place, name in enumerate(again):
        await _send_all(rng.choice(sockets), thread, [name], sent_at)
        if place % PAUSED_AFTER == 0:
            await asyncio.sleep(0)
    total = len(again)
    await until(lambda: sum(len(acks(socket)) for socket in sockets) == total, ANSWERED_WITHIN_S, "all is acked")
    return sent_at


async def _parcels_again(rig: Rig, commands: Sequence[Command], rng: random.Random) -> dict[str, int]:
    """Each command one to five times, alone or with the next ones: the queue takes each parcel for a new one."""
    times: dict[str, int] = {command.id: rng.randint(*TIMES) for command in commands}
    for copy in range(TIMES[1]):
        due = [command for command in commands if times[command.id] > copy]
        while due:
            parcel, due = due[: (count := rng.randint(1, 7))], due[count:]
            await _publish(rig, parcel, f"{parcel[0].id}-{copy}")
    answers = rig.sender.answers
    await until(
        lambda: all(len(answers.get(name, ())) == count for name, count in times.items()),
        ANSWERED_WITHIN_S,
        "every copy is answered",
    )
    return times


async def _publish(rig: Rig, commands: Sequence[Command], message_id: str) -> None:
    subject = command_subject(partition_of(commands[0].thread_id, PARTITIONS), GatewayId(GATEWAY))
    await rig.sender.publish_raw(subject, encode_parcel([encode_command(one) for one in commands]), message_id)


async def _publish_again(rig: Rig, command: Command) -> None:
    """The very same parcel: alone, under its own id."""
    await _publish(rig, [command], command.id)


async def _until_forgotten(rig: Rig, command: Command, last_at: float) -> float:
    """Publish it under the same id until the queue takes it for a new one. How long after it that was."""
    subject = command_subject(partition_of(command.thread_id, PARTITIONS), GatewayId(GATEWAY))
    parcel = encode_parcel([encode_command(command)])

    async def forgotten() -> bool:
        outcome = await rig.sender.publisher.publish_wait(subject, parcel, message_id=command.id)
        if isinstance(outcome, PubAck) and outcome.duplicate:
            await asyncio.sleep(0.2)
        return isinstance(outcome, PubAck) and not outcome.duplicate

    await until(forgotten, FORGOTTEN_WITHIN_S, "the queue has forgotten the id")
    return time.monotonic() - last_at


async def _shorten_window(rig: Rig, thread: str) -> None:
    await _change(rig, thread, duplicate_window=0.5)


async def _change(rig: Rig, thread: str, **config: Any) -> None:
    jetstream, name = rig.sender.link.jetstream, _stream_of(thread)
    await jetstream.update_stream((await jetstream.stream_info(name)).config, **config)


def _stream_of(thread: str) -> str:
    return command_stream(partition_of(ThreadId(thread), PARTITIONS))


async def _send_all(socket: Socket, thread: str, names: Sequence[str], sent_at: dict[str, list[float]]) -> None:
    """One frame each."""
    for name in names:
        sent_at.setdefault(name, []).append(time.monotonic())
        await socket.send("message", threadId=thread, content=name, clientMessageId=name)
