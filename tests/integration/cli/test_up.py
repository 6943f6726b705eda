"""`chatterbus up` from outside: what it starts, heals, keeps and leaves."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import jwt
import nats
import psycopg
from typer.testing import CliRunner

from chatterbus import processes
from chatterbus.main import app
from tests.integration.cli.fake_services import environment_of
from tests.integration.cli.up_process import UpProcess
from tests.kit.waiting import until

NewUp = Callable[..., UpProcess]
NAMES = {"postgres", "nats", "persister-1", "notifier", "gateway-1"}


def none_alive(pids: dict[str, int]) -> bool:
    return not any(processes.is_alive(pid) for pid in pids.values())


def answers(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def directories() -> list[str]:
    return [str(path.resolve()) for path in Path(tempfile.gettempdir()).glob("chatterbus-*")]


async def test_ready_line_names_a_database_a_queue_and_every_process(up: NewUp, data_dir: Path) -> None:
    ready = await (await up("--port", "0", "--data-dir", str(data_dir)).start()).until_ready()

    assert set(ready["pids"]) == NAMES
    assert all(processes.is_alive(pid) for pid in ready["pids"].values())
    with psycopg.connect(ready["postgres"]) as connection:
        settings = dict(
            connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN "
                "('fsync', 'synchronous_commit', 'data_checksums', 'server_encoding', 'log_error_verbosity')"
            ).fetchall()
        )
        assert settings == {
            "fsync": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "log_error_verbosity": "terse",
        }
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        assert connection.execute("SELECT count(*) FROM migrated").fetchone() == (1,)
    client = await nats.connect(ready["nats"])
    assert client.max_payload == 4 * 1024 * 1024
    assert (await client.jetstream().account_info()).streams == 0
    await client.close()
    assert ready["ws"] == ready["url"].replace("http", "ws") + "/ws"


async def test_sigterm_leaves_no_process_and_prints_nothing_more(up: NewUp, data_dir: Path) -> None:
    process = await up("--port", "0", "--gateways", "2", "--data-dir", str(data_dir)).start()
    ready = await process.until_ready()
    assert len(ready["gateways"]) == 2

    assert await process.stop() == 0

    assert none_alive(ready["pids"])
    assert await process.rest_of_stdout() == b""
    assert not (data_dir / "pg" / "postmaster.pid").exists()  # PostgreSQL was shut down, not killed
    assert "did not stop" not in process.log()


async def test_services_are_told_everything_by_environment(up: NewUp, data_dir: Path, fakes: Path) -> None:
    process = await up("--port", "0", "--partitions", "3", "--data-dir", str(data_dir), "--log-level", "debug").start()
    ready = await process.until_ready()
    port = ready["url"].rpartition(":")[2]
    gateway = environment_of(fakes, f"gateway-{port}")
    migration = environment_of(fakes, "migrate")

    assert migration["PERSISTER_DSN"] == ready["postgres"]
    assert gateway["NATS_URL"] == ready["nats"]
    assert (gateway["GATEWAY_HOST"], gateway["GATEWAY_PORT"]) == ("127.0.0.1", port)
    assert (gateway["GATEWAY_PARTITIONS"], gateway["GATEWAY_DEV_MODE"]) == ("3", "true")
    assert (gateway["LOG_LEVEL"], gateway["LOG_FORMAT"]) == ("debug", "json")
    assert "PERSISTER_DSN" not in gateway  # only the persister has the database's credentials
    minted = CliRunner().invoke(app, ["token", "--user", "alice", "--secret-file", ready["jwtSecretFile"]])
    assert jwt.decode(minted.stdout.strip(), gateway["GATEWAY_JWT_SECRET"], algorithms=["HS256"])["sub"] == "alice"


async def test_killed_postgres_nats_and_service_come_back_on_the_same_ports(up: NewUp, data_dir: Path) -> None:
    process = await up("--port", "0", "--data-dir", str(data_dir)).start()
    ready = await process.until_ready()
    with psycopg.connect(ready["postgres"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")

    for name in ("postgres", "nats", "gateway-1"):
        os.kill(ready["pids"][name], signal.SIGKILL)

    await until(lambda: set(process.current_pids()) == NAMES, 15, "every child to run again")
    await until(lambda: answers(ready["postgres"]), 15, "PostgreSQL to answer on its old port")
    client = await nats.connect(ready["nats"], max_reconnect_attempts=50, reconnect_time_wait=0.1)
    await client.close()
    with psycopg.connect(ready["postgres"]) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)
    now = process.current_pids()
    assert all(now[name] != ready["pids"][name] for name in ("postgres", "nats", "gateway-1"))
    assert now["notifier"] == ready["pids"]["notifier"]

    assert await process.stop() == 0
    assert none_alive(now)


async def test_data_survives_a_restart_and_partitions_do_not_change_under_it(up: NewUp, data_dir: Path) -> None:
    options = ("--port", "0", "--data-dir", str(data_dir))
    first = await up(*options).start()
    ready = await first.until_ready()
    with psycopg.connect(ready["postgres"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    await first.stop()

    refused = await up(*options, "--partitions", "8").start()
    assert await refused.exit_code() == 1
    assert "created with 4 partitions" in refused.log()

    ready = await (await up(*options).start()).until_ready()
    with psycopg.connect(ready["postgres"]) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)


async def test_sigkill_of_up_takes_its_children_along_and_the_next_up_recovers(up: NewUp, data_dir: Path) -> None:
    options = ("--port", "0", "--data-dir", str(data_dir))
    process = await up(*options).start()
    ready = await process.until_ready()

    process.signal(signal.SIGKILL)

    await until(lambda: none_alive(ready["pids"]), 15, "the children of a killed `up` to be gone")
    again = await (await up(*options).start()).until_ready()
    assert answers(again["postgres"])


async def test_second_up_on_a_data_directory_says_who_has_it(up: NewUp, data_dir: Path) -> None:
    first = await up("--port", "0", "--data-dir", str(data_dir)).start()
    await first.until_ready()

    second = await up("--port", "0", "--data-dir", str(data_dir)).start()

    assert await second.exit_code() == 1
    holder = (data_dir / "lock").read_text().strip()
    assert f"Another `chatterbus up` (pid {holder})" in second.log()


async def test_taken_port_is_refused_with_the_holder_and_a_way_out(up: NewUp, data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await up("--port", str(port), "--data-dir", str(data_dir)).start()
        assert await process.exit_code() == 1
    assert f"Port {port} on 127.0.0.1 is taken" in process.log()
    assert f"pid {os.getpid()}" in process.log() or not processes.LINUX
    assert "--port" in process.log()


async def test_database_of_another_major_version_is_refused_untouched(up: NewUp, data_dir: Path) -> None:
    (data_dir / "pg").mkdir(parents=True)
    (data_dir / "pg" / "PG_VERSION").write_text("17\n")

    process = await up("--port", "0", "--data-dir", str(data_dir)).start()

    assert await process.exit_code() == 1
    assert "PostgreSQL 17" in process.log()
    assert "PostgreSQL 18" in process.log()
    assert [path.name for path in (data_dir / "pg").iterdir()] == ["PG_VERSION"]


async def test_service_that_keeps_dying_at_start_ends_it_with_its_last_lines(up: NewUp, data_dir: Path) -> None:
    process = await up("--port", "0", "--data-dir", str(data_dir), env={"FAKE_BROKEN": "persister"}).start()

    assert await process.exit_code() == 1

    assert "| no luck today" in process.log()
    assert "persister-1 keeps dying at start" in process.log()
    assert not (data_dir / "pg" / "postmaster.pid").exists()


async def test_stop_during_start_leaves_nothing(up: NewUp, data_dir: Path) -> None:
    process = await up("--port", "0", "--data-dir", str(data_dir)).start()
    await until(lambda: (data_dir / "pg.new").exists(), 10, "initdb to begin")

    process.signal(signal.SIGINT)

    assert await process.exit_code() == 130
    assert await process.rest_of_stdout() == b""
    assert not (data_dir / "pg").exists()


async def test_ephemeral_data_is_gone_at_the_end(up: NewUp) -> None:
    process = await up("--port", "0", "--ephemeral").start()
    ready = await process.until_ready()
    assert ready["dataDir"] in directories()

    await process.stop()

    assert ready["dataDir"] not in directories()


async def test_development_mode_is_refused_off_loopback(up: NewUp, data_dir: Path) -> None:
    process = await up("--host", "0.0.0.0", "--dev", "--data-dir", str(data_dir)).start()

    assert await process.exit_code() == 1
    assert "anyone be anyone" in process.log()
