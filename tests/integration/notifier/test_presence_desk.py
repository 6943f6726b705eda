"""The presence desk on a real NATS, among scripted gateways: who is told what, through deaths and restarts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from pydantic import TypeAdapter

from chatterbus_contracts.codec import decode, encode
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import ChoosePresence, Chosen
from chatterbus_contracts.subjects import choose_presence_subject, slot_of
from chatterbus_notifier.presence.voice import CODE_HEADER
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.link_errors import NoResponders
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.notifier.presence_stand import (
    DEADLINE_S,
    DEBOUNCE_S,
    LEASE_S,
    PACE,
    LiveGateway,
    RunningDesk,
    Watcher,
)
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until


class Stand:
    """Links, a watcher, and whatever a test starts; all of it is ended after the test."""

    def __init__(self, ours: NatsLink, theirs: NatsLink, stack: AsyncExitStack) -> None:
        self.ours, self.theirs = ours, theirs
        self.watcher = Watcher(theirs)
        self.clock = VersionClock(lambda: time.time_ns() // 1_000_000)
        self._stack = stack

    async def gateway(self, name: str = "g1", incarnation: int = 1) -> LiveGateway:
        gateway = LiveGateway(self.theirs, name, incarnation)
        await gateway.start()
        self._stack.callback(gateway.kill)
        return gateway

    async def desk(self, shard: str = "0/1", *, settled: bool = True) -> RunningDesk:
        """A leader; `settled`: that has taken over and says so twice."""
        resets = self.watcher.resets
        desk = RunningDesk(self.ours, self.clock, shard)
        self._stack.push_async_callback(desk.kill)
        if settled:
            await until(lambda: self.watcher.resets >= resets + 2, DEADLINE_S, "the takeover")
        return desk


@pytest.fixture
async def stand(nats_server: NatsServer) -> AsyncIterator[Stand]:
    settings = ServiceSettings(nats_url=nats_server.url)
    async with AsyncExitStack() as stack:
        links = []
        for name in ("notifier", "gateway"):
            link = await NatsLink.connect(settings, name, connect_patience_s=10)
            stack.push_async_callback(link.close, 1)
            links.append(link)
        stand = Stand(links[0], links[1], stack)
        await links[1].flush(2)
        yield stand


def user_of(slot_is: Callable[[int], bool]) -> str:
    return next(f"user-{n}" for n in range(10_000) if slot_is(slot_of(f"user-{n}")))


async def test_a_join_is_told_at_once_and_a_leave_after_the_debounce(stand: Stand) -> None:
    gateway = await stand.gateway()
    desk = await stand.desk()
    gateway.join("alice", "c1")
    await stand.watcher.until_told("alice", "online")
    left_at_s = time.monotonic()
    gateway.leave("c1")
    await stand.watcher.until_told("alice", "online", "offline")
    told = stand.watcher.public[-1]
    assert told.at_s - left_at_s >= DEBOUNCE_S
    assert told.notice.last_seen_at is not None
    assert desk.audience.joined == [("alice", "c1")]
    assert desk.audience.left == ["alice"]
    assert stand.watcher.own_of("alice") == ["online"]


async def test_a_gateway_that_dies_takes_its_users_offline_within_lease_and_debounce(stand: Stand) -> None:
    gateway = await stand.gateway()
    desk = await stand.desk()
    gateway.join("alice", "c1")
    await stand.watcher.until_told("alice", "online")
    died_at_s = time.monotonic()
    gateway.kill()
    await stand.watcher.until_told("alice", "online", "offline")
    assert stand.watcher.public[-1].at_s - died_at_s <= LEASE_S + DEBOUNCE_S + PACE.poll_s + 0.5
    assert desk.desk.gateways == []


async def test_users_of_a_dead_gateway_who_come_back_elsewhere_do_not_blink(stand: Stand) -> None:
    first, second = await stand.gateway("g1"), await stand.gateway("g2")
    await stand.desk()
    first.join("alice", "c1")
    first.join("bob", "c2")
    await until(lambda: len(stand.watcher.public) == 2, DEADLINE_S, "both online")
    first.kill()
    second.join("alice", "c3")
    await stand.watcher.until_told("bob", "online", "offline")
    assert stand.watcher.of("alice") == ["online"]


async def test_moving_connections_have_the_longer_grace(stand: Stand) -> None:
    first, second = await stand.gateway("g1"), await stand.gateway("g2")
    await stand.desk()
    first.join("alice", "c1")
    first.join("bob", "c2")
    await until(lambda: len(stand.watcher.public) == 2, DEADLINE_S, "both online")
    first.leave("c2")
    first.leave("c1", moving=True)
    await stand.watcher.until_told("bob", "online", "offline")  # alice would be gone by now
    second.join("alice", "c3")
    second.join("carl", "c4")
    await stand.watcher.until_told("carl", "online")
    second.leave("c4")
    await stand.watcher.until_told("carl", "online", "offline")
    assert stand.watcher.of("alice") == ["online"]


async def test_a_lost_change_is_found_by_the_lease(stand: Stand) -> None:
    gateway = await stand.gateway()
    await stand.desk()
    gateway.script.join("alice", "c1")  # never published
    await stand.watcher.until_told("alice", "online")


async def test_a_gateway_whose_answer_is_too_large_is_asked_for_fewer_slots(stand: Stand) -> None:
    gateway = await stand.gateway()
    gateway.answers_slots = 20
    gateway.script.join("alice", "c1")
    await stand.desk(settled=False)
    await stand.ours.flush(1)

    async def is_online() -> bool:
        return [item.user_id for item in (await stand.watcher.online()).items] == ["alice"]

    await until(is_online, DEADLINE_S, "alice is found")


async def test_a_restarted_leader_blinks_nobody_and_tells_at_last_who_left_meanwhile(stand: Stand) -> None:
    gateway = await stand.gateway()
    first = await stand.desk()
    gateway.join("alice", "c1")
    gateway.join("bob", "c2")
    await until(lambda: len(stand.watcher.public) == 2, DEADLINE_S, "both online")
    before = await stand.watcher.ask("alice", "bob")
    await first.kill()
    gateway.leave("c2")
    resets = stand.watcher.resets
    await stand.desk(settled=False)
    await until(lambda: stand.watcher.resets == resets + 1, DEADLINE_S, "gathered")
    early = await stand.watcher.ask("alice", "bob")
    assert early["alice"].status == "online"
    assert early["alice"].version > before["alice"].version
    assert early["bob"].version < before["bob"].version  # so a gateway that saw bob online believes itself
    await until(lambda: stand.watcher.resets == resets + 2, DEADLINE_S, "settled")
    late = await stand.watcher.ask("alice", "bob")
    assert late["bob"].status == "offline"
    assert late["bob"].version > before["bob"].version
    assert len(stand.watcher.public) == 2  # no frame for all that


async def test_a_question_waits_while_a_new_leader_gathers(stand: Stand) -> None:
    gateway = await stand.gateway()
    gateway.script.join("alice", "c1")
    await gateway.renew()
    await stand.desk(settled=False)
    await until(lambda: gateway.asked > 0, DEADLINE_S, "asked for a snapshot")
    assert (await stand.watcher.ask("alice"))["alice"].status == "online"


async def test_a_gateway_that_does_not_answer_holds_a_new_leader_up_for_a_while_only(stand: Stand) -> None:
    gateway = await stand.gateway()
    gateway.kill()  # its lease stays for a while
    began_s = time.monotonic()
    resets = stand.watcher.resets
    await stand.desk(settled=False)
    await until(lambda: stand.watcher.resets > resets, DEADLINE_S, "gathering ended")
    assert time.monotonic() - began_s >= PACE.gathering_s * 0.9


async def test_last_seen_outlives_a_restart_and_an_unknown_user_was_never_seen(stand: Stand) -> None:
    gateway = await stand.gateway()
    first = await stand.desk()
    gateway.join("alice", "c1")
    await stand.watcher.until_told("alice", "online")
    gateway.leave("c1")
    await stand.watcher.until_told("alice", "online", "offline")
    seen_at = stand.watcher.public[-1].notice.last_seen_at
    await first.stop()
    await stand.desk()
    answer = await stand.watcher.ask("alice", "nobody")
    assert (answer["alice"].status, answer["alice"].last_seen_at) == ("offline", seen_at)
    assert (answer["nobody"].status, answer["nobody"].last_seen_at) == ("offline", None)


async def test_an_orderly_end_keeps_when_those_were_seen_who_had_just_left(stand: Stand) -> None:
    gateway = await stand.gateway()
    first = await stand.desk()
    gateway.join("alice", "c1")
    await stand.watcher.until_told("alice", "online")
    gateway.leave("c1")
    await until(lambda: first.audience.left == ["alice"], DEADLINE_S, "alice left")
    await first.stop()
    await stand.desk()
    assert (await stand.watcher.ask("alice"))["alice"].last_seen_at is not None
    assert stand.watcher.of("alice") == ["online"]


async def test_invisible_looks_like_a_disconnect_and_outlives_a_restart(stand: Stand) -> None:
    gateway = await stand.gateway()
    first = await stand.desk()
    for user in ("hider", "leaver"):
        gateway.join(user, f"c-{user}")
        await stand.watcher.until_told(user, "online")
    chosen = await stand.watcher.choose("hider", "invisible")
    assert decode(TypeAdapter(Chosen), chosen.data).status == "invisible"
    gateway.leave("c-leaver")
    for user in ("hider", "leaver"):
        await stand.watcher.until_told(user, "online", "offline")
    hider, leaver = stand.watcher.public[-2:]
    assert abs(hider.at_s - leaver.at_s) < DEBOUNCE_S / 2
    assert stand.watcher.own_of("hider") == ["online", "invisible"]
    await first.kill()
    desk = await stand.desk()
    assert desk.audience.joined == [("hider", "c-hider")]
    answer = await stand.watcher.ask("hider", "leaver")
    assert answer["hider"].status == answer["leaver"].status == "offline"
    assert answer["hider"].last_seen_at is not None
    assert answer["hider"].version == answer["leaver"].version
    assert stand.watcher.own_of("hider")[-1] == "invisible"
    assert [item.user_id for item in (await stand.watcher.online()).items] == []
    gateway.leave("c-hider")
    gateway.join("hider", "c-again")
    await stand.watcher.choose("hider", "online")
    await stand.watcher.until_told("hider", "online", "offline", "online")


async def test_dnd_is_shown_to_others(stand: Stand) -> None:
    gateway = await stand.gateway()
    await stand.desk()
    gateway.join("alice", "c1")
    await stand.watcher.until_told("alice", "online")
    await stand.watcher.choose("alice", "dnd")
    await stand.watcher.until_told("alice", "online", "dnd")


async def test_a_choice_that_cannot_be_read_or_is_another_shards_is_refused(stand: Stand) -> None:
    await stand.desk("1/2", settled=False)
    foreign, own = user_of(lambda slot: slot % 2 == 0), user_of(lambda slot: slot % 2 == 1)
    subject = choose_presence_subject(slot_of(own))
    asked = encode(ChoosePresence(user_id=UserId(foreign), status="dnd"))

    async def is_listened_to() -> bool:
        try:
            await stand.theirs.request(subject, asked, 2)
        except NoResponders:
            return False
        return True

    await until(is_listened_to, DEADLINE_S, "the desk listens")
    for payload in (asked, b"{}"):
        answer = await stand.theirs.request(subject, payload, 2)
        assert (answer.headers or {}).get(CODE_HEADER) == ErrorCode.BAD_REQUEST


async def test_two_shards_tell_of_their_own_users_only(stand: Stand) -> None:
    even, odd = user_of(lambda slot: slot % 2 == 0), user_of(lambda slot: slot % 2 == 1)
    gateway = await stand.gateway()
    first = await stand.desk("0/2")
    second = await stand.desk("1/2")
    gateway.join(even, "c1")
    gateway.join(odd, "c2")
    await until(lambda: len(stand.watcher.public) == 2, DEADLINE_S, "both online")
    assert first.audience.joined == [(even, "c1")]
    assert second.audience.joined == [(odd, "c2")]
    answer = await stand.watcher.ask(even, odd)
    assert {user: item.status for user, item in answer.items()} == {even: "online", odd: "online"}
    assert len(stand.watcher.public) == 2


async def test_online_users_are_listed_in_order_page_by_page(stand: Stand) -> None:
    gateway = await stand.gateway()
    await stand.desk()
    for name in ("dora", "alice", "carl", "bob"):
        gateway.join(name, f"c-{name}", "away" if name == "bob" else "active")
    await until(lambda: len(stand.watcher.public) == 4, DEADLINE_S, "all online")
    first = await stand.watcher.online(limit=2)
    assert [(item.user_id, item.status) for item in first.items] == [("alice", "online"), ("bob", "away")]
    assert first.more
    rest = await stand.watcher.online(after="bob", limit=2)
    assert [item.user_id for item in rest.items] == ["carl", "dora"]
    assert not rest.more


async def test_who_does_not_lead_says_nothing(stand: Stand) -> None:
    gateway = await stand.gateway()
    desk = await stand.desk()
    desk.leads = False
    gateway.join("alice", "c1")
    await until(lambda: desk.audience.joined == [("alice", "c1")], DEADLINE_S, "alice joined")
    assert await stand.watcher.ask("alice", timeout_s=0.3) == {}
    assert stand.watcher.public == []


async def test_nats_away_blinks_nobody(stand: Stand, nats_server: NatsServer) -> None:
    gateway = await stand.gateway()
    desk = await stand.desk()
    gateway.join("alice", "c1")
    gateway.join("bob", "c2")
    await until(lambda: len(stand.watcher.public) == 2, DEADLINE_S, "both online")
    gateway.leave("c2")
    await until(lambda: desk.audience.left == ["bob"], DEADLINE_S, "bob left")
    desk.desk.link_lost()
    nats_server.kill()
    gateway.kill()
    await until(lambda: not stand.ours.is_connected and not stand.theirs.is_connected, DEADLINE_S, "the loss")
    nats_server.start()
    await until(lambda: stand.ours.is_connected and stand.theirs.is_connected, DEADLINE_S, "the return")
    gateway = await stand.gateway("g1", incarnation=1)
    gateway.script.join("alice", "c1")
    gateway.script.versions = [7] * len(gateway.script.versions)
    desk.desk.link_found()
    await stand.watcher.until_told("bob", "online", "offline")
    assert stand.watcher.of("alice") == ["online"]
