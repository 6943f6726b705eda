"""The notifier as a process: it is ready with NATS, says so without, and stops in time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.kit.nats_server import NatsServer
from tests.kit.notifier_process import Process, start
from tests.kit.waiting import until


@pytest.fixture
async def notifier(nats_server: NatsServer) -> AsyncIterator[Process]:
    running = await start(NATS_URL=nats_server.url)
    yield running
    if running.process.returncode is None:
        running.process.kill()
    await running.process.communicate()


async def test_it_is_ready_only_with_nats(notifier: Process, nats_server: NatsServer) -> None:
    port = (await notifier.logged("probes listening"))["port"]
    await notifier.logged("ready")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as http:
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["checks"] == {name: {"ok": True, "detail": ""} for name in ("nats", "shard")}
        assert (await http.get("/healthz")).status_code == 200
        metrics = (await http.get("/metrics")).text
        assert 'chatterbus_build_info{service="notifier",version="0.1.0"} 1.0' in metrics
        assert "event_loop_lag_seconds_bucket" in metrics

        async def answers(status: int) -> bool:
            return (await http.get("/readyz")).status_code == status

        nats_server.kill()
        await until(lambda: answers(503), 5, "not ready without NATS")
        assert (await http.get("/healthz")).status_code == 200
        nats_server.start()
        await until(lambda: answers(200), 10, "ready again")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_within_five_seconds(notifier: Process, signum: signal.Signals) -> None:
    await notifier.logged("ready")
    started_s = time.monotonic()
    notifier.process.send_signal(signum)
    assert await asyncio.wait_for(notifier.process.wait(), 5) == 0
    assert time.monotonic() - started_s < 5


async def test_it_stops_while_it_waits_for_nats(nats_server: NatsServer) -> None:
    nats_server.stop()
    waiting = await start(NATS_URL=nats_server.url)
    unreachable = await waiting.logged("nats unreachable, trying again")
    assert unreachable["server"] == f"127.0.0.1:{nats_server.port}"
    waiting.process.terminate()
    assert await asyncio.wait_for(waiting.process.wait(), 5) == 0
    await waiting.process.communicate()


async def test_a_bad_setting_ends_it_with_78_and_one_line() -> None:
    refused = await start(NATS_URL="http://example.com", NOTIFIER_PROBE_PORT="99999")
    _, errors = await asyncio.wait_for(refused.process.communicate(), 10)
    assert refused.process.returncode == 78
    lines = errors.decode().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("configuration: NATS_URL: each server is nats://host:port")
    assert lines[1].startswith("configuration: NOTIFIER_PROBE_PORT:")
