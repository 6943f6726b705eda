"""A gateway's lease over a real NATS: from the first write to the last."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from functools import partial

import pytest

from chatterbus_contracts.codec import encode
from chatterbus_contracts.presence import Lease
from chatterbus_gateway import app
from chatterbus_gateway.presence.lease import LeaseHolder
from chatterbus_runtime.nats_link import NatsLink
from tests.integration.gateway.conftest import Client, Start, connect, listens
from tests.integration.gateway.presence_stand import WAIT_S, PresenceStand
from tests.kit.nats_server import NatsServer, free_port
from tests.kit.waiting import until

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
async def stand(link: NatsLink) -> PresenceStand:
    return await PresenceStand.listen(link)


def last(stand: PresenceStand) -> Lease:
    lease = stand.leases[-1]
    assert lease is not None
    return lease


async def test_the_lease_is_there_when_the_port_opens_and_is_renewed(
    stand: PresenceStand, start_gateway: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LeaseHolder", partial(LeaseHolder, refresh_s=0.1))
    gateway = await start_gateway(gateway_id="g1")
    assert await stand.lease() is not None
    await gateway.login("anna")
    await until(lambda: sum(count for _, count in last(stand).slots) == 1, WAIT_S, "a refresh counts the connection")
    await until(lambda: len(stand.leases) >= 5, WAIT_S, "refreshes")
    assert len({lease.incarnation for lease in stand.leases if lease is not None}) == 1


async def test_a_new_process_of_the_id_has_a_higher_incarnation_than_any_lease_that_is_left(
    stand: PresenceStand, start_gateway: Start
) -> None:
    left = Lease(gateway_id=stand.gateway_id, incarnation=2**52, draining=False, slots=[])
    await stand.bucket.put(stand.key, encode(left))
    gateway = await start_gateway(gateway_id="g1")
    await gateway.login("anna")
    await until(lambda: stand.states == {"anna": "active"}, WAIT_S, "the connection is told")
    lease = await stand.lease()
    assert lease is not None
    assert lease.incarnation == stand.receiver.incarnation == 2**52 + 1


async def test_the_lease_comes_back_when_nats_has_lost_the_bucket_with_its_memory(
    stand: PresenceStand, start_gateway: Start, nats_server: NatsServer
) -> None:
    await start_gateway(gateway_id="g1")
    incarnation = last(stand).incarnation
    for _ in range(2):
        before = len(stand.leases)
        nats_server.kill()
        nats_server.start()
        await until(lambda before=before: len(stand.leases) > before, 15, "the lease is back")
        assert last(stand).incarnation == incarnation

    async def is_kept() -> bool:  # what is heard is the attempt; the first one may come before there is a bucket
        return await stand.lease() is not None

    await until(is_kept, 15, "the lease is kept")


async def test_at_sigterm_the_lease_says_draining_first_and_is_taken_away_at_the_end_and_the_next_process_starts_anew(
    stand: PresenceStand, nats_server: NatsServer
) -> None:
    incarnations = []
    for _ in range(2):
        stand.leases.clear()
        await run_until_sigterm(nats_server)
        await until(lambda: None in stand.leases, WAIT_S, "the lease is taken away")
        *kept, end = stand.leases
        assert end is None
        assert [lease.draining for lease in kept if lease is not None][-1]
        assert not any(lease.draining for lease in kept[:-1] if lease is not None)
        assert await stand.lease() is None
        assert kept[0] is not None
        incarnations.append(kept[0].incarnation)
    assert stand.states == {}
    assert list(stand.receiver.moving.values())[-1]
    assert incarnations[0] < incarnations[1]


async def run_until_sigterm(nats_server: NatsServer) -> None:
    """A gateway process with one client, which is sent away."""
    port = free_port()
    env = {
        **os.environ,
        "NATS_URL": nats_server.url,
        "GATEWAY_ID": "g1",
        "GATEWAY_PORT": str(port),
        "GATEWAY_DEV_MODE": "true",
        "GATEWAY_RECONNECT_JITTER_S": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chatterbus_gateway", env=env, stdout=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: listens(port), 15, "the gateway listens")
        client = Client(await connect(f"ws://127.0.0.1:{port}/ws", compression=None))
        await client.say(type="auth", userId="anna")
        await client.hear("auth_success")
        process.send_signal(signal.SIGTERM)
        assert await client.closed() == 4000
        async with asyncio.timeout(WAIT_S):
            output, _ = await process.communicate()
        assert process.returncode == 0
        assert b"exception" not in output
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
