"""The version before, under load, through an upgrade: steps before, new processes one by one, steps after."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

from chatterbus_persister.schema_version import READ_STEPS
from tests.integration.upgrade.service_process import ServiceProcess
from tests.integration.upgrade.version_tree import FormerVersionMissing, VersionTree, former_version, next_version
from tests.integration.upgrade.writers import Writer
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import Database, PostgresServer
from tests.kit.waiting import until

MIGRATE_S: Final = 60.0
WRITERS: Final = 4
THREADS: Final = 2
MORE_MESSAGES: Final = 15  # of every writer, before each next step is taken
GOES_ON_S: Final = 40.0

Start = Callable[..., ServiceProcess]


@pytest.fixture
def former(tmp_path: Path) -> VersionTree:
    try:
        return former_version(tmp_path / "former")
    except FormerVersionMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture
def later(tmp_path: Path) -> VersionTree:
    return next_version(tmp_path / "later")


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database without any table."""
    database = postgres_server.fresh_database("template0")
    yield database
    database.drop()


@pytest.fixture
def start(tmp_path: Path, nats_server: NatsServer, empty: Database) -> Iterator[Start]:
    """Start a service of a version."""
    started: list[ServiceProcess] = []
    numbers = count(1)

    def start(tree: VersionTree, service: str) -> ServiceProcess:
        own = {
            "gateway": {"GATEWAY_DEV_MODE": "true", "GATEWAY_RECONNECT_JITTER_S": "0"},
            "persister": {"PERSISTER_DSN": empty.dsn, "PERSISTER_REBALANCE_INTERVAL_S": "0.2"},
            "notifier": {},
        }[service]
        log = tmp_path / f"{service}-{next(numbers)}.log"
        started.append(ServiceProcess(tree, service, log, NATS_URL=nats_server.url, **own))
        return started[-1]

    yield start
    for service in started:
        service.close()


def migrated(tree: VersionTree, database: Database, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        tree.argv("chatterbus_persister.migrate", *options),
        env=tree.environment(PERSISTER_DSN=database.dsn),
        capture_output=True,
        text=True,
        timeout=MIGRATE_S,
    )


def steps_of(database: Database) -> set[str]:
    with psycopg.connect(database.dsn) as connection:
        return {name for (name,) in connection.execute(READ_STEPS)}


async def test_an_upgrade_of_running_services_loses_nothing_and_keeps_the_order(
    former: VersionTree, later: VersionTree, empty: Database, start: Start
) -> None:
    assert migrated(former, empty).returncode == 0
    assert steps_of(empty) == {"0003"}
    services = {name: start(former, name) for name in ("persister", "notifier", "gateway")}
    for service in services.values():
        await service.until_ready()
    gateways = [services["gateway"]]
    writers = [Writer(f"w{n}", f"t{n % THREADS}", lambda: [each.ws for each in gateways]) for n in range(WRITERS)]
    writing = [asyncio.create_task(writer.write()) for writer in writers]

    async def go_on(what: str) -> None:
        """Everybody gets further messages through."""
        wanted = [len(writer.acked) + MORE_MESSAGES for writer in writers]
        await until(
            lambda: all(len(w.acked) >= n for w, n in zip(writers, wanted, strict=True)), GOES_ON_S, f"writing: {what}"
        )

    await go_on("with the version before")
    before = await asyncio.to_thread(migrated, later, empty, "--before")
    assert before.returncode == 0, before.stderr
    assert steps_of(empty) == {"9001"}
    await go_on("the version before, with the schema of the next one")

    for name in ("persister", "notifier"):
        successor = start(later, name)
        await successor.until_ready()
        await go_on(f"both versions of the {name}")
        assert await services[name].retire() == 0
        services[name] = successor
        await go_on(f"the gateway is of the version before, the {name} is not")
    gateways.append(start(later, "gateway"))
    await gateways[1].until_ready()
    gone = gateways.pop(0)
    assert await gone.retire() == 0
    await go_on("everything is of the next version")

    after = await asyncio.to_thread(migrated, later, empty, "--after")
    assert after.returncode == 0, after.stderr
    assert steps_of(empty) == {"9001", "after_9001"}
    await go_on("after the steps that wait for the end")
    for writer in writers:
        writer.stop()
    await asyncio.gather(*writing)

    with psycopg.connect(empty.dsn) as connection:
        for writer in writers:
            stored = connection.execute(
                "SELECT client_message_id, seq FROM messages WHERE thread_id = %s AND sender_id = %s ORDER BY seq",
                (writer.thread, writer.user),
            ).fetchall()
            assert stored == [(f"c{n}", seq) for n, seq in enumerate(writer.acked)]
        wrong = connection.execute(
            "SELECT thread_id FROM threads t WHERE mood <> 'calm' OR last_seq <> "
            "(SELECT count(*) FROM messages m WHERE m.thread_id = t.thread_id)"
        ).fetchall()
        assert wrong == []
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)


async def test_new_services_that_start_before_their_steps_wait_and_leave_the_work_to_the_others(
    former: VersionTree, later: VersionTree, empty: Database, start: Start
) -> None:
    assert migrated(former, empty).returncode == 0
    old = {name: start(former, name) for name in ("persister", "gateway")}
    for service in old.values():
        await service.until_ready()
    early = start(later, "persister")
    await until(lambda: "run `chatterbus migrate --before`" in early.log.read_text(), 20, "it says what it waits for")
    assert not await early.is_ready()
    writer = Writer("ann", "t", lambda: [old["gateway"].ws])
    writing = asyncio.create_task(writer.write())
    await until(lambda: len(writer.acked) >= MORE_MESSAGES, GOES_ON_S, "writing goes on beside it")
    assert not await early.is_ready()
    assert (await asyncio.to_thread(migrated, later, empty, "--before")).returncode == 0
    await early.until_ready()
    assert await old["persister"].retire() == 0
    reached = len(writer.acked)
    await until(lambda: len(writer.acked) >= reached + MORE_MESSAGES, GOES_ON_S, "it has taken over")
    writer.stop()
    await writing
