"""Delivery on a real NATS, to a receiver that fails, hangs, redirects, goes away and comes back."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from chatterbus_contracts.subjects import dead_hook_subject, hook_subject, slot_of
from chatterbus_contracts.webhooks import HookEvent, decode_hook, encode_hook
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.retry import RetryPolicy
from tests.integration.notifier.webhook_receiver import Received, Receiver, answer, close_early, hang
from tests.integration.notifier.webhook_stand import Stand, event
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

KEYS = ("anna", "ben", "cleo", "dora", "emil")


@pytest.fixture
async def stand(nats_server: NatsServer) -> AsyncIterator[Stand]:
    async with Stand(nats_server) as stand:
        yield stand


def some(count: int, first: int = 1) -> list[HookEvent]:
    return [event(number, KEYS[number % len(KEYS)]) for number in range(first, first + count)]


def ids_by_key(events: list[HookEvent]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in events:
        found[one.key].append(one.id)
    return dict(found)


def key_of(events: list[HookEvent]) -> dict[str, str]:
    return {one.id: one.key for one in events}


async def all_taken(stand: Stand, events: list[HookEvent], timeout_s: float = 20) -> None:
    await until(lambda: set(stand.taken_ids()) >= {one.id for one in events}, timeout_s, "all events are delivered")


async def test_events_are_delivered_once_in_order_of_their_key_and_as_they_were_encoded(stand: Stand) -> None:
    events = some(60)
    await stand.happen(*events[:30])
    stand.desk()
    await stand.happen(*events[30:])
    await all_taken(stand, events)
    assert Counter(stand.taken_ids()) == Counter(one.id for one in events)
    assert stand.firsts_by_key(key_of(events)) == ids_by_key(events)
    assert {one.id: one.body for one in stand.receiver.taken} == {one.id: one.body for one in events}


async def test_what_is_published_twice_is_delivered_once(stand: Stand) -> None:
    (one,) = some(1)
    await stand.happen(one, one)
    stand.desk()
    last = event(2, one.key)
    await stand.happen(last)
    await all_taken(stand, [last])
    assert stand.taken_ids() == [one.id, last.id]


async def test_a_receiver_that_fails_at_random_gets_everything_in_order_with_the_same_ids(stand: Stand) -> None:
    chance = random.Random(4711)
    failures = [answer(500), answer(302, "location: /"), answer(429, "retry-after: 0"), close_early, answer(410)]

    async def moody(received: Received) -> bytes | None:
        behave = answer(200) if chance.random() < 0.5 else chance.choice(failures)
        return await behave(received)

    stand.receiver.behave = moody
    events = some(60)
    stand.desk()
    await stand.happen(*events)
    await all_taken(stand, events)
    assert stand.firsts_by_key(key_of(events)) == ids_by_key(events)
    assert {one.id for one in stand.receiver.received} == {one.id for one in events}


async def test_a_receiver_that_answers_500_some_times_gets_the_event_then(stand: Stand) -> None:
    async def fourth_time(received: Received) -> bytes | None:
        return await answer(200 if len(stand.receiver.received) >= 4 else 500)(received)

    stand.receiver.behave = fourth_time
    events = some(1)
    stand.desk()
    await stand.happen(*events)
    await all_taken(stand, events)
    assert [one.id for one in stand.receiver.received] == [events[0].id] * 4


async def test_a_receiver_that_is_away_for_a_while_misses_nothing(stand: Stand) -> None:
    events = some(40)
    stand.desk()
    await stand.happen(*events[:20])
    await all_taken(stand, events[:20])
    await stand.receiver.stop()
    await stand.happen(*events[20:])
    await until(lambda: stand.count_is("WEBHOOK_LOG", 30), 10, "it was tried in vain")
    await stand.receiver.start()
    await all_taken(stand, events)
    assert stand.firsts_by_key(key_of(events)) == ids_by_key(events)


async def test_keys_whose_attempts_hang_or_fail_hold_up_no_others(stand: Stand) -> None:
    async def sick(received: Received) -> bytes | None:
        number = json.loads(received.body)["data"]["number"]
        return await {0: hang, 1: answer(500)}.get(number % 5, answer(200))(received)

    stand.receiver.behave = sick
    events = some(50)
    stand.desk(concurrency=3, timeout_s=30)
    await stand.happen(*events)
    await all_taken(stand, [one for one in events if one.key not in KEYS[:2]])
    hanging = [one for one in stand.receiver.received if key_of(events)[one.id] == KEYS[0]]
    assert len(hanging) == 1
    assert stand.receiver.most_at_once <= 3


async def test_one_key_is_delivered_one_at_a_time(stand: Stand) -> None:
    async def slow(received: Received) -> bytes | None:
        await asyncio.sleep(0.005)
        return await answer(200)(received)

    stand.receiver.behave = slow
    events = [event(number, "anna") for number in range(30)]
    stand.desk()
    await stand.happen(*events)
    await all_taken(stand, events)
    assert stand.receiver.most_at_once == 1
    assert stand.taken_ids() == [one.id for one in events]


async def test_more_than_the_window_waits_in_the_stream_and_comes_in_order(stand: Stand) -> None:
    stand.receiver.behave = answer(503)
    events = some(300)
    await stand.happen(*events)
    desk = stand.desk(window=20)
    await until(lambda: len(stand.receiver.received) > 20, 10, "it was tried")
    assert len(desk.desk._backlog) <= 20
    stand.receiver.behave = answer(200)
    await all_taken(stand, events)
    assert stand.firsts_by_key(key_of(events)) == ids_by_key(events)
    assert Counter(stand.taken_ids()) == Counter(one.id for one in events)


# --- restarts ----------------------------------------------------------------------------------------------------


async def test_a_desk_that_stops_in_order_repeats_nothing(stand: Stand) -> None:
    events = some(40)
    first = stand.desk()
    await stand.happen(*events[:20])
    await all_taken(stand, events[:20])
    await until(lambda: not first.waiting, 10, "the answers have arrived")
    await first.stop()
    stand.desk()
    await stand.happen(*events[20:])
    await all_taken(stand, events)
    assert Counter(stand.taken_ids()) == Counter(one.id for one in events)


async def test_desks_that_crash_again_and_again_deliver_everything_in_order_with_the_same_ids(stand: Stand) -> None:
    chance = random.Random(815)

    async def moody(received: Received) -> bytes | None:
        await asyncio.sleep(0.002)
        return await (answer(200) if chance.random() < 0.6 else answer(500))(received)

    stand.receiver.behave = moody
    events = some(120)
    await stand.happen(*events)
    for _ in range(5):
        before = len(stand.receiver.received)
        desk = stand.desk()
        await until(lambda before=before: len(stand.receiver.received) >= before + 15, 10, "it delivers")
        await desk.crash()
    stand.desk()
    await all_taken(stand, events)
    assert stand.firsts_by_key(key_of(events)) == ids_by_key(events)


async def test_attempts_go_on_counting_after_a_restart(stand: Stand) -> None:
    stand.receiver.behave = answer(500)
    (one,) = some(1)
    slow = RetryPolicy(random=lambda: 0.0, retry_for_s=60, first_s=30)
    await stand.happen(one)
    for attempt in (1, 2, 3):
        desk = stand.desk(policy=slow)
        await until(lambda attempt=attempt: len(stand.receiver.received) == attempt, 10, f"attempt {attempt}")
        await until(lambda attempt=attempt: stand.count_is("WEBHOOK_LOG", attempt), 10, "it is logged")
        await desk.stop()
    logged = [json.loads((await stand.link.jetstream.get_msg("WEBHOOK_LOG", seq)).data) for seq in (1, 2, 3)]
    assert [entry["attempt"] for entry in logged] == [1, 2, 3]


async def test_another_number_of_shards_goes_on_where_the_others_were(stand: Stand) -> None:
    events = [event(number, f"user{number % 23}") for number in range(200)]
    keys = key_of(events)

    async def some_fail(received: Received) -> bytes | None:
        return await answer(500 if slot_of(keys[received.id]) % 3 == 0 else 200)(received)

    stand.receiver.behave = some_fail
    await stand.happen(*events[:100])
    alone = stand.desk()
    healthy = [one for one in events[:100] if slot_of(one.key) % 3]
    await all_taken(stand, healthy)
    await until(lambda: alone.waiting.isdisjoint(key_of(healthy)), 10, "the answers have arrived")
    await alone.stop()
    stand.receiver.behave = answer(200)
    two = [stand.desk(Shard(index, 2)) for index in range(2)]
    await stand.happen(*events[100:150])
    await all_taken(stand, events[:150])
    for desk in two:
        await until(lambda desk=desk: not desk.waiting, 10, "the answers have arrived")
        await desk.stop()
    stand.desk()
    await stand.happen(*events[150:])
    await all_taken(stand, events)
    assert Counter(stand.taken_ids()) == Counter(one.id for one in events)
    assert stand.firsts_by_key(keys) == ids_by_key(events)


async def test_shards_deliver_only_their_own(stand: Stand) -> None:
    events = [event(number, f"user{number}") for number in range(40)]
    stand.desk(Shard(1, 2))
    await stand.happen(*events)
    mine = [one for one in events if Shard(1, 2).owns(one.key)]
    await all_taken(stand, mine)
    assert set(stand.taken_ids()) == {one.id for one in mine}


async def test_nothing_is_begun_by_who_does_not_lead(stand: Stand) -> None:
    leads = False
    events = some(5)
    await stand.happen(*events)
    desk = stand.desk(guard=lambda: leads)
    await until(lambda: len(desk.desk._backlog) == 5, 10, "the events were read")
    assert stand.receiver.received == []
    leads = True
    await all_taken(stand, events)


async def test_a_restart_of_nats_loses_nothing(stand: Stand, nats_server: NatsServer) -> None:
    events = some(40)
    desk = stand.desk()
    await stand.happen(*events[:20])
    await all_taken(stand, events[:20])
    nats_server.kill()
    nats_server.start()
    await stand.happen(*events[20:])
    await all_taken(stand, events, timeout_s=30)
    assert desk.failed is None
    assert stand.firsts_by_key(key_of(events)) == ids_by_key(events)


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning(stand: Stand) -> None:
    first, second = some(10), some(5, first=11)
    desk = stand.desk()
    await stand.happen(*first)
    await all_taken(stand, first)
    await desk.stop()
    await stand.link.jetstream.delete_stream("WEBHOOKS")
    await stand.happen(*second)
    stand.desk()
    await all_taken(stand, first + second)


async def test_what_waits_when_the_stream_is_lost_is_delivered_from_memory(stand: Stand) -> None:
    stand.receiver.behave = answer(500)
    first, second = some(10), some(5, first=11)
    stand.desk()
    await stand.happen(*first)
    await until(lambda: len(stand.receiver.received) >= len(KEYS), 10, "it was tried")
    await stand.link.jetstream.delete_stream("WEBHOOKS")
    stand.receiver.behave = answer(200)
    await stand.happen(*second)
    await all_taken(stand, first + second, timeout_s=30)


async def test_what_cannot_be_read_is_left_out(stand: Stand) -> None:
    await stand.happen(event(1, "anna"))
    await stand.link.jetstream.publish(hook_subject("anna"), b"nonsense")
    await stand.happen(event(2, "anna"))
    stand.desk()
    await until(lambda: stand.taken_ids() == ["evt_1", "evt_2"], 10, "the others are delivered")


# --- giving up ---------------------------------------------------------------------------------------------------


async def test_an_event_that_fails_for_its_retry_time_is_kept_as_dead_and_its_key_goes_on(stand: Stand) -> None:
    async def first_never(received: Received) -> bytes | None:
        return await answer(500 if received.id == "evt_1" else 200)(received)

    stand.receiver.behave = first_never
    short = RetryPolicy(random=lambda: 0.0, retry_for_s=0.3, first_s=0.02, longest_s=0.1)
    sick, next_one = event(1, "anna"), event(2, "anna")
    stand.desk(policy=short)
    await stand.happen(sick, next_one)
    await all_taken(stand, [next_one])
    dead = await stand.link.jetstream.get_last_msg("WEBHOOK_DEAD", dead_hook_subject("anna"))
    assert dead.data == encode_hook(sick)
    assert decode_hook(dead.data).body == sick.body
    attempts = [one for one in stand.receiver.received if one.id == sick.id]
    assert len(attempts) > 3
    assert stand.receiver.received[-1].id == next_one.id


async def test_a_private_receiver_is_refused_unless_it_is_allowed(stand: Stand) -> None:
    async def loopback(host: str, port: int) -> list[object]:
        return [ip_address("127.0.0.1")]

    url = f"https://hooks.example.com:{stand.receiver.port}/"
    stand.desk(url=url, allow_private=False, resolver=loopback)
    await stand.happen(event(1, "anna"))
    await until(lambda: stand.count_is("WEBHOOK_LOG", 1), 10, "it was tried")
    entry = json.loads((await stand.link.jetstream.get_msg("WEBHOOK_LOG", 1)).data)
    assert (entry["outcome"], entry["error"], entry["status"]) == ("retrying", "target_refused", None)
    assert stand.receiver.connections == 0


async def test_without_a_url_nothing_is_read_or_made(stand: Stand) -> None:
    desk = stand.desk(url=None, secret=None)
    await stand.link.flush(5)
    assert desk.failed is None
    assert await stand.count("WEBHOOKS") == 0
    await desk.stop()


async def test_the_log_says_what_came_of_each_attempt(stand: Stand) -> None:
    async def second_time(received: Received) -> bytes | None:
        return await answer(200 if len(stand.receiver.received) == 2 else 503)(received)

    stand.receiver.behave = second_time
    began = datetime.now(UTC)
    stand.desk()
    await stand.happen(event(1, "anna"))
    await until(lambda: stand.count_is("WEBHOOK_LOG", 2), 10, "both attempts are logged")
    first, second = [json.loads((await stand.link.jetstream.get_msg("WEBHOOK_LOG", seq)).data) for seq in (1, 2)]
    shared = {"id": "evt_1", "type": "message.missed", "key": "anna"}
    assert first.items() >= (shared | {"attempt": 1, "outcome": "retrying", "status": 503, "error": "refused"}).items()
    assert second.items() >= (shared | {"attempt": 2, "outcome": "delivered", "status": 200}).items()
    assert datetime.fromisoformat(first["nextAttemptAt"]) > began
    assert datetime.fromisoformat(second["at"]) >= datetime.fromisoformat(first["at"])


async def test_a_second_receiver_of_the_same_port_is_told_nothing_of_connections_kept(stand: Stand) -> None:
    """A receiver that restarts between two events is connected to anew, without a failed attempt in between."""
    stand.desk()
    await stand.happen(event(1, "anna"))
    await all_taken(stand, [event(1, "anna")])
    await stand.receiver.stop()
    again = Receiver()
    again.port = stand.receiver.port
    async with again:
        await stand.happen(event(2, "anna"))
        await until(lambda: [one.id for one in again.taken] == ["evt_2"], 10, "the next event comes")


async def test_a_desk_ends_when_it_is_stopped_even_if_nats_answers_in_that_moment(stand: Stand) -> None:
    """nats-py passes over a cancellation that comes together with an answer."""
    desk = stand.desk()
    saving = asyncio.Event()

    async def answered_all_the_same(_: bytes) -> None:
        saving.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    desk.desk._store.save = answered_all_the_same
    await stand.happen(event(1, "anna"))
    async with asyncio.timeout(10):
        await saving.wait()
        await desk.stop()
