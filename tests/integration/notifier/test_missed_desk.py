"""Missed messages on a real NATS, with a store and gateways that answer by script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from random import Random

import pytest

from chatterbus_contracts.codec import parse_json
from chatterbus_contracts.ids import GatewayId
from chatterbus_notifier.missed.desk import MissedDesk
from chatterbus_notifier.missed.notes import Notes
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.store import StoreQueries
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.notifier.missed_stand import Running, World, hook_settings
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

SOON_S = 8.0
AFTER_S = 0.3

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
            store = StoreQueries(link, chosen.notifier_store_timeout_s)

            def gateways() -> list[GatewayId]:
                return world.gateways

            running = Running(MissedDesk(link, shard or Shard(0, 1), store, gateways, guard, chosen))
            stack.push_async_callback(running.stop)
            return running

        yield start


async def following(running: Running) -> Running:
    """It reads the stream."""
    await until(running.desk._reading._follower.following.is_set, SOON_S, "the stream is read")
    return running


async def settled(running: Running, questions: int, world: World) -> None:
    """The store was asked so often, and nothing is open."""
    await until(
        lambda: len(world.questions) >= questions and running.desk.open_threads == 0, SOON_S, "nothing is open any more"
    )


async def test_an_unread_message_is_told_once_it_is_old_enough(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk())
    began_s = time.monotonic()
    await world.say(thread)
    await until(lambda: bool(world.hooks), SOON_S, "the event is there")
    assert time.monotonic() - began_s >= AFTER_S
    hook = world.hooks[0]
    assert (hook.id, hook.type, hook.key) == ("missed-t~1-bob", "message.missed", "bob")
    assert world.missed()[0]["threadTitle"] == "A thread"
    assert world.missed()[0]["lastMessage"]["id"] == "t~1"
    await settled(desk, 1, world)
    assert world.told() == [("bob", 1, 1)]


async def test_a_burst_is_one_event_for_each_who_missed_it(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob", "carol")
    desk = await following(start_desk(notifier_missed_after_s=1))
    await world.say(thread, count=20)
    await world.say(thread, count=5)
    await settled(desk, 1, world)
    await until(lambda: len(world.hooks) >= 2, SOON_S, "both are told")
    assert sorted(world.told()) == [("bob", 25, 25), ("carol", 25, 25)]


async def test_what_was_read_in_time_is_not_told(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk(notifier_missed_after_s=1))
    await world.say(thread)
    world.read(thread, "bob")
    await settled(desk, 1, world)
    assert world.hooks == []
    assert world.attending_asked == 0


async def test_who_muted_the_thread_is_not_told(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    world.mute(thread, "bob")
    desk = await following(start_desk(notifier_missed_after_s=1))
    await world.say(thread)
    await settled(desk, 1, world)
    assert world.hooks == []


async def test_who_looks_at_the_thread_is_told_only_after_looking_away(world: World, start_desk: StartDesk) -> None:
    world.gateways.append(GatewayId("gone"))  # nobody answers for it
    thread = world.thread("t", "alice", "bob", "carol")
    world.attend(thread, "bob")
    await following(start_desk())
    await world.say(thread)
    await until(lambda: len(world.questions) >= 3, SOON_S, "the thread was looked at again and again")
    assert [user for user, _, _ in world.told()] == ["carol"]
    world.attending.clear()
    await until(lambda: len(world.hooks) >= 2, SOON_S, "bob is told too")
    assert world.told() == [("carol", 1, 1), ("bob", 1, 1)]


async def test_who_looks_at_the_thread_and_reads_is_never_told(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    world.attend(thread, "bob")
    desk = await following(start_desk())
    await world.say(thread)
    await until(lambda: len(world.questions) >= 2, SOON_S, "the thread was looked at again")
    world.read(thread, "bob")
    await settled(desk, 3, world)
    assert world.hooks == []


async def test_two_events_of_a_user_and_thread_are_an_interval_apart(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk(notifier_missed_interval_s=2))
    await world.say(thread)
    await until(lambda: len(world.hooks) == 1, SOON_S, "the first event")
    await world.say(thread)
    await world.say(thread)
    await until(lambda: len(world.hooks) == 2, SOON_S, "the second event")
    first, second = (datetime.fromisoformat(parse_json(hook.body)["timestamp"]) for hook in world.hooks)
    assert (second - first).total_seconds() > 1.5
    await settled(desk, 2, world)
    assert world.told() == [("bob", 1, 1), ("bob", 3, 3)]


async def test_nothing_new_is_not_told_again_for_the_sake_of_others(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob", "carol")
    desk = await following(start_desk(notifier_missed_interval_s=0.1))
    world.attend(thread, "carol")
    await world.say(thread)
    await until(lambda: len(world.questions) >= 4, SOON_S, "looked at again after the interval")
    assert [user for user, _, _ in world.told()] == ["bob"]
    world.read(thread, "carol")
    await settled(desk, 5, world)


async def test_after_reading_all_new_messages_are_told_anew(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk(notifier_missed_interval_s=0.1))
    await world.say(thread)
    await until(lambda: len(world.hooks) == 1, SOON_S, "the first event")
    world.read(thread, "bob")
    await world.say(thread)
    await until(lambda: len(world.hooks) == 2, SOON_S, "the second event")
    await settled(desk, 2, world)
    assert world.told() == [("bob", 1, 1), ("bob", 1, 2)]


async def test_a_kill_between_publishing_and_noting_leaves_one_event(
    world: World, start_desk: StartDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = world.thread("t", "alice", "bob")

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as stuck:
        stuck.setattr(Notes, "confirm", never)
        desk = await following(start_desk())
        await world.say(thread)
        await until(lambda: len(world.hooks) == 1, SOON_S, "it is published")
        await desk.stop()
    again = await following(start_desk())
    await settled(again, 2, world)
    await world.say(world.thread("later", "alice", "bob"))
    await until(lambda: len(world.hooks) >= 2, SOON_S, "something later is told")
    assert [hook.id for hook in world.hooks] == ["missed-t~1-bob", "missed-later~1-bob"]


async def test_two_processes_that_both_believe_to_lead_tell_it_once(world: World, start_desk: StartDesk) -> None:
    threads = [world.thread(f"t{number}", "alice", "bob", "carol") for number in range(10)]
    desks = [await following(start_desk()) for _ in range(2)]
    for thread in threads:
        await world.say(thread)
    for desk in desks:
        await settled(desk, 20, world)
    await until(lambda: len(world.hooks) >= 20, SOON_S, "all are told")
    assert len({hook.id for hook in world.hooks}) == len(world.hooks) == 20


async def test_members_beyond_a_page_are_told_too(world: World, start_desk: StartDesk) -> None:
    world.page = 2
    users = [f"user-{number}" for number in range(7)]
    thread = world.thread("t", "alice", *users)
    await following(start_desk())
    await world.say(thread)
    await until(lambda: len(world.hooks) >= 7, SOON_S, "all are told")
    assert sorted(user for user, _, _ in world.told()) == users


async def test_while_the_store_is_away_everything_waits_and_nothing_is_lost(
    world: World, start_desk: StartDesk
) -> None:
    threads = [world.thread(f"t{number}", "alice", "bob") for number in range(40)]
    world.close_store()
    desk = await following(start_desk())
    for thread in threads:
        await world.say(thread)
    await until(lambda: desk.desk._paused_until_s > 0, SOON_S, "the store was missed")
    world.open_store()
    await until(lambda: len(world.hooks) >= 40, 15, "all are told")
    await settled(desk, 40, world)
    assert len({hook.id for hook in world.hooks}) == len(world.hooks) == 40


async def test_a_restart_goes_on_with_what_was_open(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    world.close_store()
    desk = await following(start_desk())
    await world.say(thread)
    await until(lambda: desk.desk._paused_until_s > 0, SOON_S, "the thread is due")
    await desk.stop()
    await world.say(world.thread("meanwhile", "alice", "bob"))
    world.open_store()
    start_desk()
    await until(lambda: len(world.hooks) >= 2, SOON_S, "both threads are told of")
    assert sorted(hook.id for hook in world.hooks) == ["missed-meanwhile~1-bob", "missed-t~1-bob"]


async def test_a_restart_does_not_tell_old_news_again(world: World, start_desk: StartDesk) -> None:
    """A thread that stays open keeps the position back; what is behind it was told long ago."""
    told, held = world.thread("told", "alice", "bob"), world.thread("held", "alice", "carol")
    world.attend(held, "carol")
    desk = await following(start_desk(notifier_missed_interval_s=0.1))
    await world.say(held)
    await world.say(told)
    await until(lambda: len(world.hooks) == 1, SOON_S, "bob is told")
    await desk.stop()
    asked = len(world.questions)
    await following(start_desk(notifier_missed_interval_s=0.1))
    await until(
        lambda: {question.thread_id for question in world.questions[asked:]} == {told, held}, SOON_S, "both are checked"
    )
    world.attending.clear()
    await until(lambda: len(world.hooks) == 2, SOON_S, "carol is told")
    assert [user for user, _, _ in world.told()] == ["bob", "carol"]


async def test_the_position_moves_on_when_nothing_is_open(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    desk = await following(start_desk())
    await world.say(thread)
    await settled(desk, 1, world)
    await until(lambda: desk.desk._reading._kept._saved == 2, SOON_S, "the position is kept")
    await desk.stop()
    asked = len(world.questions)
    other = world.thread("other", "alice", "bob")
    start_desk()
    await world.say(other)
    await until(lambda: len(world.questions) > asked, SOON_S, "the other thread is checked")
    assert {question.thread_id for question in world.questions[asked:]} == {other}


async def test_switched_on_it_begins_with_what_comes_then(world: World, start_desk: StartDesk) -> None:
    before, after = world.thread("before", "alice", "bob"), world.thread("after", "alice", "bob")
    await world.say(before)
    await following(start_desk())
    await world.say(after)
    await until(lambda: bool(world.hooks), SOON_S, "the later message is told")
    assert [data["threadId"] for data in world.missed()] == ["after"]


async def test_switched_off_it_does_nothing_and_forgets_where_it_was(world: World, start_desk: StartDesk) -> None:
    thread = world.thread("t", "alice", "bob")
    await (await following(start_desk())).stop()
    off = start_desk(notifier_webhook_events="message.created")
    await asyncio.wait_for(asyncio.shield(off._task), SOON_S)
    await world.say(thread)
    await following(start_desk())
    await world.say(world.thread("later", "alice", "bob"))
    await until(lambda: bool(world.hooks), SOON_S, "the later message is told")
    assert [data["threadId"] for data in world.missed()] == ["later"]


async def test_each_thread_is_one_shards(world: World, start_desk: StartDesk) -> None:
    threads = [world.thread(f"t{number}", "alice", "bob") for number in range(20)]
    first, second = await following(start_desk(Shard(0, 2))), await following(start_desk(Shard(1, 2)))
    for thread in threads:
        await world.say(thread)
    await until(lambda: len(world.hooks) >= 20, SOON_S, "all are told")
    await settled(first, 20, world)
    await settled(second, 20, world)
    assert len(world.questions) == 20
    assert {data["threadId"] for data in world.missed()} == set(threads)


async def test_who_does_not_lead_tells_nothing_until_it_does(world: World, start_desk: StartDesk) -> None:
    leads = False
    thread = world.thread("t", "alice", "bob")
    await following(start_desk(guard=lambda: leads))
    await world.say(thread)
    await until(lambda: len(world.questions) >= 2, SOON_S, "it was tried more than once")
    assert world.hooks == []
    leads = True
    await until(lambda: bool(world.hooks), SOON_S, "it is told")
    assert [hook.id for hook in world.hooks] == ["missed-t~1-bob"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_through_kills_at_any_moment_everybody_is_told_of_the_last_message(
    world: World, start_desk: StartDesk, seed: int
) -> None:
    random = Random(seed)
    users = ["bob", "carol", "dan"]
    threads = [world.thread(f"t{number}", "alice", *users) for number in range(8)]
    desk = await following(start_desk(notifier_missed_interval_s=0.2))
    for _ in range(8):
        enough = len(world.hooks) + random.randint(0, 3)
        for _ in range(5):
            await world.say(random.choice(threads), count=random.randint(1, 3))
            world.read(random.choice(threads), random.choice(users))
        await until(lambda: len(world.hooks) > enough, SOON_S, "some are told")  # noqa: B023
        await desk.stop()
        desk = await following(start_desk(notifier_missed_interval_s=0.2))

    def unread() -> dict[tuple[str, str], int]:
        return {
            (member.user_id, thread): world.last_seq[thread]
            for thread in threads
            for member in world.members[thread].values()
            if member.unread_since
        }

    def everybody_knows() -> bool:
        told = {(data["userId"], data["threadId"]): data["lastSeq"] for data in world.missed()}
        return all(told.get(pair) == last_seq for pair, last_seq in unread().items() if pair[0] != "alice")

    await until(everybody_knows, SOON_S, f"everybody is told of the last message (seed {seed})")
    await until(lambda: desk.desk.open_threads == 0, SOON_S, f"nothing is open (seed {seed})")
    assert len({hook.id for hook in world.hooks}) == len(world.hooks)


async def test_messages_survive_a_restart_of_nats(
    nats_server: NatsServer, link: NatsLink, world: World, start_desk: StartDesk
) -> None:
    thread = world.thread("t", "alice", "bob")
    await following(start_desk(notifier_missed_after_s=2))
    await world.say(thread)
    nats_server.kill()
    await until(lambda: not link.is_connected, SOON_S, "the link is down")
    nats_server.start()
    await until(lambda: link.is_connected, SOON_S, "the link is back")

    async def told() -> bool:
        info = await link.jetstream.stream_info("WEBHOOKS")
        return info.state.messages >= 1

    await until(told, 15, "it is told")
