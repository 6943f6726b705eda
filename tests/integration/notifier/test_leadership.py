"""Leading a shard, on a real NATS: one at a time, and somebody soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chatterbus_notifier.leadership import Leadership
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

TTL_S = 2.0


class Work:
    """A term: begun until cancelled."""

    def __init__(self) -> None:
        self.terms = 0
        self.at_work = False

    async def run(self) -> None:
        self.terms += 1
        self.at_work = True
        try:
            await asyncio.Event().wait()
        finally:
            self.at_work = False


class Candidate:
    """An instance of the shard, with a link of its own."""

    def __init__(self, link: NatsLink, name: str, now_ms: int) -> None:
        self.link = link
        self.work = Work()
        self.clock = VersionClock(lambda: now_ms)
        self.leadership = Leadership(link, Shard(0, 1), name, self.clock, ttl_s=TTL_S, timeout_s=1.0)
        self.task = asyncio.create_task(self.leadership.run(lambda: self.work))

    @property
    def leads(self) -> bool:
        return self.work.at_work and self.leadership.guard()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


class Stand:
    """Makes candidates, and ends them."""

    def __init__(self, server: NatsServer, stack: AsyncExitStack) -> None:
        self.server = server
        self.stack = stack

    async def candidate(self, name: str, now_ms: int = 1_000) -> Candidate:
        link = await NatsLink.connect(ServiceSettings(nats_url=self.server.url), name)
        candidate = Candidate(link, name, now_ms)
        self.stack.push_async_callback(link.close, 0.5)
        self.stack.push_async_callback(candidate.stop)
        return candidate


@pytest.fixture
async def stand(server: NatsServer) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as stack:
        yield Stand(server, stack)


async def test_of_several_one_leads(stand: Stand) -> None:
    candidates = [await stand.candidate(f"n{number}") for number in range(3)]
    await until(lambda: any(candidate.leads for candidate in candidates), 5, "a leader")
    for candidate in candidates:
        await asyncio.wait_for(candidate.leadership.decided.wait(), 5)
    assert [candidate.leads for candidate in candidates].count(True) == 1


async def test_a_leader_that_resigns_is_followed_within_a_moment_and_its_versions_are_passed_over(stand: Stand) -> None:
    first = await stand.candidate("first", now_ms=9_000_000)
    await until(lambda: first.leads, 5, "first")
    used = first.clock.next()
    second = await stand.candidate("second", now_ms=1_000)
    await asyncio.wait_for(second.leadership.decided.wait(), 5)
    await first.stop()
    await first.leadership.resign()
    await until(lambda: second.leads, 3, "second")
    assert second.clock.next() > used


async def test_a_leader_whose_connection_is_gone_is_followed_without_waiting_for_the_ttl(stand: Stand) -> None:
    first = await stand.candidate("first")
    await until(lambda: first.leads, 5, "first")
    second = await stand.candidate("second")
    await asyncio.wait_for(second.leadership.decided.wait(), 5)
    await first.stop()
    await first.link.close(0.5)
    await until(lambda: second.leads, TTL_S + 2, "second")


async def test_a_leader_that_hangs_stops_by_itself_before_another_begins(stand: Stand) -> None:
    first = await stand.candidate("first")
    await until(lambda: first.leads, 5, "first")
    second = await stand.candidate("second")
    first.leadership._bucket._timeout_s = 0.0  # every renewal fails, as in a process that is starved
    first.leadership._answer = lambda _message: None  # type: ignore[method-assign]
    both = False

    def passed_on() -> bool:
        nonlocal both
        both = both or (first.leadership.guard() and second.leadership.guard())
        return second.leads

    await until(passed_on, TTL_S * 2 + 4, "second")
    assert not both


async def test_leading_is_lost_with_nats_and_found_again_after_it(stand: Stand, server: NatsServer) -> None:
    only = await stand.candidate("only")
    await until(lambda: only.leads, 5, "leader")
    server.stop()
    await until(lambda: not only.leadership.guard(), 5, "no guard without NATS")
    server.start()
    await until(lambda: only.leads, 15, "leader again")
