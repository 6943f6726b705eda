"""A disk fills up: writers wait or are told to send again, nothing acked is lost, and with room again all goes on."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import nats
import pytest

from chatterbus.child import ChildSpec
from chatterbus.nats import NatsServer
from chatterbus.probe import HttpReady, NatsStuck
from chatterbus.supervisor import Supervisor
from tests.chaos.keeping import RigScenario, held_on_a_rig
from tests.chaos.rig import can_mount, small_disk
from tests.chaos.scenarios import disks
from tests.chaos.sizes import Size
from tests.kit.nats_server import BINARY, free_port
from tests.kit.waiting import until


@pytest.fixture(autouse=True)
def _small_disks() -> None:
    """Skip, or fail in CI, where none can be mounted."""
    if can_mount():
        return
    how = "small disks are tmpfs mounts: root may make them (and CAP_SYS_ADMIN in a container)"
    if os.environ.get("CI") == "true":
        pytest.fail(how)
    pytest.skip(how)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "scenario", [disks.nats_disk_full, disks.postgres_disk_full], ids=lambda scenario: scenario.__name__
)
async def test_nothing_acked_is_lost_and_all_goes_on_after(scenario: RigScenario, tmp_path: Path, size: Size) -> None:
    await held_on_a_rig(scenario, tmp_path, size)


async def test_a_nats_server_that_failed_to_write_is_started_again_by_up_once_there_is_room(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _name, _line: None)
    with small_disk(disks.NATS_DISK_MB) as disk:
        server = NatsServer(free_port(), free_port(), disk / "store", "secret")
        config = tmp_path / "nats.conf"
        config.write_text(server.configuration())
        stuck = NatsStuck(server.health_url, server.store)
        spec = ChildSpec("nats", (str(BINARY), "-c", str(config)), {}, HttpReady(server.health_url), stuck=stuck)
        await supervisor.start_ready(spec)
        first = supervisor.pids()["nats"]
        link = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
        try:
            jetstream = link.jetstream()
            await jetstream.add_stream(name="S", subjects=["s"], max_bytes=disks.MIB)

            async def taken() -> bool:
                try:
                    await jetstream.publish("s", bytes(1_000), timeout=0.5)
                except (nats.errors.Error, TimeoutError):
                    return False
                return True

            async def refused() -> bool:
                return not await taken()

            with disks.filled(disk):
                await until(refused, 20, "the stream takes nothing")
                assert not await stuck.passes(first)
                assert supervisor.pids()["nats"] == first
            await until(taken, 20, "the stream takes messages again")
            assert supervisor.pids()["nats"] != first
        finally:
            await link.close()
            await supervisor.stop(["nats"], asyncio.Event())
