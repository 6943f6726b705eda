"""A PostgreSQL for a peer: the same server with the same settings as `chatterbus up` has, empty, gone afterwards."""

import asyncio
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from bench.cores import pinned_child
from chatterbus import postgres, postgres_home
from chatterbus.embedded import binary_version, find_binaries
from chatterbus.ports import choose_free
from chatterbus.supervisor import run_once

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Database:
    dsn: str
    pid: int


@contextmanager
def database(sink: Any, cores: set[int]) -> Iterator[Database]:
    """Running and empty; `sink` is the open file of its log."""
    with tempfile.TemporaryDirectory(prefix="chatterbus-peer-", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        place.chmod(0o711)  # its account must be able to pass
        installation = find_binaries().postgres
        version = binary_version(installation / "bin" / "postgres")
        home, _ = postgres_home.choose_home(place, secrets.token_hex(4), installation, version)
        password = secrets.token_hex(16)
        asyncio.run(_create(home, password))
        (port,) = choose_free(1)
        postgres.write_configuration(home, home.data, port)
        dsn = postgres.dsn(port, password)
        account = home.account
        server = subprocess.Popen(
            postgres.server_argv(home),
            env=home.env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            preexec_fn=pinned_child(cores, signal.SIGQUIT),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        try:
            _await_answer(dsn)
            yield Database(dsn, server.pid)
        finally:
            server.send_signal(signal.SIGINT)  # "fast": open sessions are ended
            server.wait(STOP_TIMEOUT_S)
            if not home.data.is_relative_to(place):
                shutil.rmtree(home.data.parent, ignore_errors=True)


async def _create(home: postgres.PostgresHome, password: str) -> None:
    staging = postgres.make_staging(home)
    initdb, roles = postgres.creation_steps(home, staging)
    await run_once(initdb, lambda _name, _line: None)
    await run_once(roles, lambda _name, _line: None, stdin=postgres.role_statements(password))
    staging.rename(home.data)


def _await_answer(dsn: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
