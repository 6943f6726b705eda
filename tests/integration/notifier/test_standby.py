"""Two notifiers of one shard, as processes: one works, and the other takes over when it is gone or hangs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.kit.nats_server import NatsServer
from tests.kit.notifier_process import Process, start

TAKEOVER_S = 15.0


@pytest.fixture
async def pair(nats_server: NatsServer) -> AsyncIterator[tuple[Process, Process]]:
    """The leader, and its standby."""
    setting = {"NATS_URL": nats_server.url, "LOG_FORMAT": "json", "NOTIFIER_LEAD_TTL_S": "5"}
    leader = await start(**setting)
    await leader.logged("leading")
    standby = await start(**setting)
    await standby.logged("ready")
    yield leader, standby
    for member in (leader, standby):
        if member.process.returncode is None:
            member.process.kill()
        await member.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
async def test_a_standby_takes_over_within_fifteen_seconds(
    pair: tuple[Process, Process], number: signal.Signals
) -> None:
    leader, standby = pair
    assert not any(line["event"] == "leading" for line in standby.lines)
    began = time.monotonic()
    os.kill(leader.process.pid, number)
    await standby.logged("leading", timeout_s=TAKEOVER_S)
    assert time.monotonic() - began < TAKEOVER_S


async def test_a_leader_that_was_frozen_finds_that_it_leads_no_more(pair: tuple[Process, Process]) -> None:
    leader, standby = pair
    os.kill(leader.process.pid, signal.SIGSTOP)
    await standby.logged("leading", timeout_s=TAKEOVER_S)
    os.kill(leader.process.pid, signal.SIGCONT)
    await leader.logged("not leading any more", timeout_s=TAKEOVER_S)


async def test_shards_do_not_wait_for_each_other(nats_server: NatsServer) -> None:
    shards = [await start(NATS_URL=nats_server.url, LOG_FORMAT="json", NOTIFIER_SHARD=f"{i}/2") for i in range(2)]
    for shard in shards:
        await shard.logged("leading")
        shard.process.kill()
        await shard.process.communicate()
