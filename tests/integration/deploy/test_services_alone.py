"""Each service by itself, with nothing but its environment: it says what is wrong, and waits for what is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from chatterbus_persister.migrate import migrate
from tests.integration.upgrade.service_process import ServiceProcess
from tests.integration.upgrade.version_tree import VersionTree
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import PARTITIONS, Database, PostgresServer
from tests.kit.waiting import until

EX_CONFIG: Final = 78
START_S: Final = 30.0
SERVICES: Final = ("gateway", "notifier", "persister")

WRONG: Final = {
    "gateway": (
        {"GATEWAY_PORT": "high", "GATEWAY_STORAGE": "s3", "NATS_USER": "gw", "NATS_PASSWORD_FILE": "/nothing"},
        ["NATS_PASSWORD_FILE:", "GATEWAY_PORT:", "no key to check tokens with", "GATEWAY_STORAGE=s3 needs"],
    ),
    "notifier": (
        {"NOTIFIER_SHARD": "2/2", "NOTIFIER_WEBHOOK_URL": "https://example.com/hook", "NATS_PASSWORD": "alone"},
        ["NOTIFIER_SHARD:", "NATS_PASSWORD needs NATS_USER", "NOTIFIER_WEBHOOK_URL needs"],
    ),
    "persister": (
        {"PERSISTER_DSN": "hunter2", "PERSISTER_STORAGE": "s3", "NATS_URL": "http://nats"},
        ["NATS_URL:", "PERSISTER_DSN:", "PERSISTER_STORAGE=s3 needs"],
    ),
}


def run(service: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", f"chatterbus_{service}"],
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=START_S,
    )


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database without any table."""
    database = postgres_server.fresh_database("template0")
    yield database
    database.drop()


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_is_wrong_is_said_at_once_and_the_exit_code_is_78(service: str) -> None:
    settings, expected = WRONG[service]
    ended = run(service, **settings)
    lines = ended.stderr.splitlines()
    assert ended.returncode == EX_CONFIG
    assert len(lines) == len(expected), lines
    for begin in expected:
        assert any(line.startswith(f"configuration: {begin}") for line in lines), lines
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(("service", "missing"), [("gateway", "GATEWAY_JWT_SECRET"), ("persister", "PERSISTER_DSN")])
def test_without_any_setting_a_service_says_what_it_needs(service: str, missing: str) -> None:
    ended = run(service)
    assert ended.returncode == EX_CONFIG
    (line,) = ended.stderr.splitlines()
    assert missing in line


async def health(service: ServiceProcess, path: str) -> int:
    async with httpx.AsyncClient(timeout=2) as http:
        try:
            return (await http.get(f"http://127.0.0.1:{service.port}{path}")).status_code
        except httpx.HTTPError:
            return 0


async def test_services_wait_alive_for_nats_the_database_and_its_schema_and_then_are_ready(
    tmp_path: Path, nats_server: NatsServer, empty: Database
) -> None:
    nats_server.stop()
    own = {
        "gateway": {"GATEWAY_DEV_MODE": "true"},
        "notifier": {},
        "persister": {"PERSISTER_DSN": empty.dsn},
    }
    started = {
        name: ServiceProcess(VersionTree(()), name, tmp_path / f"{name}.log", NATS_URL=nats_server.url, **own[name])
        for name in SERVICES
    }

    async def alive(service: ServiceProcess) -> bool:
        return (await health(service, "/healthz"), await health(service, "/readyz")) == (200, 503)

    try:
        for service in started.values():
            await until(lambda one=service: alive(one), START_S, "it lives and is not ready")
            assert "nats unreachable, trying again" in service.log.read_text()
        said = started["persister"].log.read_text()
        assert "the schema is empty and this version needs" in said
        nats_server.start()
        await started["notifier"].until_ready()
        assert await alive(started["persister"])
        migrate(empty.dsn, PARTITIONS)
        await started["persister"].until_ready()
        await started["gateway"].until_ready()
    finally:
        for service in started.values():
            service.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_waits_ends_when_it_is_told_to(service: str, tmp_path: Path) -> None:
    own = {"gateway": {"GATEWAY_DEV_MODE": "true"}, "persister": {"PERSISTER_DSN": "postgresql://u@127.0.0.1:1/x"}}
    waiting = ServiceProcess(
        VersionTree(()), service, tmp_path / "log", NATS_URL="nats://127.0.0.1:1", **own.get(service, {})
    )
    try:
        await until(lambda: "nats unreachable" in waiting.log.read_text(), START_S, "it waits")
        assert await waiting.retire() == 0
    finally:
        waiting.close()
