"""message.created on a real NATS: every message, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from chatterbus_contracts.envelopes import Event, event_line
from chatterbus_contracts.subjects import slot_of
from chatterbus_notifier.missed.created import CreatedDesk
from chatterbus_notifier.shard import Shard
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.notifier.missed_stand import Running, World, hook_settings, message_frame
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

SOON_S = 8.0

StartDesk = Callable[..., Running]


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=5)
    yield link
    await link.close(1)


@pytest.fixture
async def world(link: NatsLink) -> World:
    world = World(link)
    await world.start()
    return world


@pytest.fixture
async def start_desk(nats_server: NatsServer, link: NatsLink, world: World) -> AsyncIterator[StartDesk]:
    """Starts desks; they are stopped at the end."""
    async with AsyncExitStack() as stack:

        def start(shard: Shard | None = None, guard: Callable[[], bool] = lambda: True, **settings: object) -> Running:
            chosen = hook_settings(nats_server.url, **settings)
            running = Running(CreatedDesk(link, shard or Shard(0, 1), guard, chosen))
            stack.push_async_callback(running.stop)
            return running

        yield start


async def following(running: Running) -> Running:
    """It reads the stream."""
    await until(running.desk._reading._follower.following.is_set, SOON_S, "the stream is read")
    return running


async def test_every_message_is_told_in_the_order_of_its_thread(world: World, start_desk: StartDesk) -> None:
    threads = [world.thread(f"t{number}", "alice", "bob") for number in range(5)]
    await following(start_desk())
    for number in range(40):
        await world.say(threads[number % 5], count=1 + number % 3)
    total = sum(world.last_seq.values())
    await until(lambda: len(world.hooks) >= total, SOON_S, "all are told")
    for thread in threads:
        mine = [name for name in world.created() if name.startswith(f"{thread}~")]
        assert mine == [f"{thread}~{seq}" for seq in range(1, world.last_seq[thread] + 1)]
    assert {hook.key for hook in world.hooks} == set(threads)
    assert world.hooks[0].id == "created-t0~1"


async def test_an_event_that_is_announced_again_is_told_once(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk())
    await world.say(thread, count=3)
    again = [event_line(Event("message", 9, message_frame(thread, seq))) for seq in (1, 2, 3)]
    await world.announce(thread, *again)
    await world.say(thread)
    await until(lambda: len(world.hooks) >= 4, SOON_S, "all are told")
    await desk.stop()
    await world.announce(thread, *again)  # by JetStream's memory, after a restart
    await following(start_desk())
    await world.say(thread)
    await until(lambda: len(world.hooks) >= 5, SOON_S, "the last is told")
    assert world.created() == [f"t~{seq}" for seq in range(1, 6)]


async def test_a_late_announcement_is_told_though_newer_ones_were(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    await following(start_desk())
    for seq in (1, 3, 2):
        await world.announce(thread, event_line(Event("message", seq, message_frame(thread, seq))))
    await until(lambda: len(world.hooks) >= 3, SOON_S, "all are told")
    assert world.created() == ["t~1", "t~3", "t~2"]


async def test_other_events_are_passed_over_and_so_is_what_cannot_be_read(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    await following(start_desk())
    await world.announce(thread, event_line(Event("read_receipt", 1, b'{"type":"read_receipt"}')))
    await world.announce(thread, b"message 2 {not json", event_line(Event("message_updated", 3, b"{}")))
    await world.say(thread)
    await until(lambda: bool(world.hooks), SOON_S, "the message is told")
    assert world.created() == ["t~1"]


async def test_a_restart_goes_on_where_it_was(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk())
    await world.say(thread, count=3)
    await until(lambda: len(world.hooks) >= 3, SOON_S, "the first three are told")
    await desk.stop()
    await world.say(thread, count=3)
    start_desk()
    await until(lambda: len(world.hooks) >= 6, SOON_S, "all are told")
    assert world.created() == [f"t~{seq}" for seq in range(1, 7)]


async def test_it_is_off_unless_it_is_wanted(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    off = start_desk(notifier_webhook_events="message.missed")
    await asyncio.wait_for(asyncio.shield(off._task), SOON_S)
    await world.say(thread)
    await following(start_desk())
    await world.say(thread)
    await until(lambda: bool(world.hooks), SOON_S, "the later message is told")
    assert world.created() == ["t~2"]


async def test_each_thread_is_one_shards(world: World, start_desk: StartDesk) -> None:
    threads = [world.thread(f"t{number}", "alice", "bob") for number in range(20)]
    desks = [await following(start_desk(Shard(index, 2))) for index in range(2)]
    for thread in threads:
        await world.say(thread)
    await until(lambda: len(world.hooks) >= 20, SOON_S, "all are told")
    assert sorted(world.created()) == sorted(f"{thread}~1" for thread in threads)
    for index, running in enumerate(desks):
        assert len(running.desk._recent) == sum(slot_of(thread) % 2 == index for thread in threads)


async def test_who_does_not_lead_tells_nothing_until_it_does(world: World, start_desk: StartDesk) -> None:
    leads = False
    asked = 0

    def guard() -> bool:
        nonlocal asked
        asked += 1
        return leads

    thread = world.thread("t", "alice", "bob")
    await following(start_desk(guard=guard))
    await world.say(thread)
    await until(lambda: asked >= 2, SOON_S, "it was tried more than once")
    assert world.hooks == []
    leads = True
    await until(lambda: bool(world.hooks), SOON_S, "it is told")
