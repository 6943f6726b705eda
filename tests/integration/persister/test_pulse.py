"""Readiness notices a PostgreSQL that is frozen with its connections open, and a busy one is no reason for alarm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from chatterbus_persister.pulse import CHECK, EVERY_S, PATIENCE_S, Pulse
from chatterbus_runtime.health import Health
from tests.kit.postgres_server import Database
from tests.kit.tcp_proxy import TcpProxy, open_proxy
from tests.kit.waiting import until

RED_WITHIN_S = 10.0


@pytest.fixture
async def proxy(postgres: Database) -> AsyncIterator[TcpProxy]:
    parts = conninfo_to_dict(postgres.dsn)
    async with open_proxy(lambda: (str(parts.get("host", "127.0.0.1")), int(str(parts["port"])))) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def beating(dsn: str, health: Health, **times: float) -> AsyncIterator[None]:
    task = asyncio.create_task(Pulse(dsn, health, **times).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_a_frozen_database_is_seen_within_ten_seconds() -> None:
    assert EVERY_S + PATIENCE_S < RED_WITHIN_S


async def test_a_database_that_stops_answering_is_red_and_green_again_by_itself(
    postgres: Database, proxy: TcpProxy
) -> None:
    health = Health(CHECK)
    dsn = make_conninfo(postgres.dsn, host="127.0.0.1", port=proxy.port)
    async with beating(dsn, health, every_s=0.05, patience_s=0.3):
        await until(lambda: health.ready, 5, "it answers")
        proxy.blackhole()
        await until(lambda: not health.ready, 2, "it is red")
        proxy.pass_all()
        await until(lambda: health.ready, 2, "it is green: the late answer is an answer")
        assert proxy.accepted == 1
        proxy.refuse()
        await until(lambda: not health.ready, 2, "it is red")
        proxy.pass_all()
        await until(lambda: health.ready, 2, "it is green")


async def test_a_busy_database_is_no_alarm(postgres: Database) -> None:
    health = Health(CHECK)
    stop = asyncio.Event()

    async def burden() -> None:
        async with await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True) as connection:
            while not stop.is_set():
                await connection.execute("SELECT count(*) FROM generate_series(1, 300000)")

    red = 0
    async with beating(postgres.dsn, health, every_s=0.02, patience_s=1.5), asyncio.TaskGroup() as group:
        await until(lambda: health.ready, 5, "it answers")
        for _ in range(8):
            group.create_task(burden())
        for _ in range(100):
            await asyncio.sleep(0.02)  # the claim is about a span of time
            red += not health.ready
        stop.set()
    assert red == 0
