"""Persisters as processes between a nats-server and a PostgreSQL of their own, each behind proxies, to be broken.

Promises: the rig's own view of NATS and PostgreSQL goes around the proxies; whatever was started is gone at the end.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import httpx
import psycopg

from chatterbus_persister.failpoints import FREEZE
from chatterbus_persister.ledger_session import LOCKS
from chatterbus_persister.migrate import migrate
from tests.integration.persister.persister_process import PersisterProcess, Sender
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import PostgresServer
from tests.kit.tcp_proxy import TcpProxy, open_proxy
from tests.kit.waiting import until

OWNED_WITHIN_S: Final = 30.0
STOPPED_WITHIN_S: Final = 10.0
FAST: Final = {"PERSISTER_IDLE_SESSION_TIMEOUT_S": "5"}
DONE_SINCE: Final = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'chatterbus-ledger' AND state = 'idle' AND state_change > to_timestamp(%s)
"""
APPLIED: Final = re.compile(r"^chatterbus_ledger_commands_total (\S+)", re.MULTILINE)
OWNERS: Final = f"""
SELECT objid::int, pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = {LOCKS["partitions"]}::int::oid
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Persister(PersisterProcess):
    """One process. `to_postgres` and `to_nats` are its ways to them; `module` is what it runs."""

    to_postgres: TcpProxy
    to_nats: TcpProxy
    module = "chatterbus_persister"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-m", self.module], env=self._env, stdout=log, stderr=log)

    def arm(self, failpoint: str, *, freeze: bool = False) -> None:
        """Kill it, or freeze it, when it gets there."""
        prepared = self.home / "prepared"
        prepared.write_text(FREEZE if freeze else "")
        prepared.rename(self.failpoints / failpoint)

    def disarm(self) -> None:
        for armed in self.failpoints.iterdir():
            armed.unlink(missing_ok=True)

    @property
    def frozen(self) -> bool:
        """Stopped by SIGSTOP."""
        assert self._process is not None
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    @property
    def believes(self) -> set[int]:
        """The partitions that it thinks it owns, by its log."""
        held: set[int] = set()
        for line in self.log:
            match line.get("event"):
                case "partition taken":
                    held.add(line["partition"])
                case "partition released":
                    held.discard(line["partition"])
                case "ledger session lost":
                    held.clear()
        return held

    @property
    def sessions_lost(self) -> int:
        return len(self.logged("ledger session lost"))

    @property
    def refused(self) -> int:
        """Batches that it could not commit, because the partition was not where it believed."""
        return sum(line["error"].startswith("LostPartitionError") for line in self.logged("ledger session lost"))

    async def applied(self) -> int:
        """Commands that this process has committed, by its own count."""
        async with httpx.AsyncClient(timeout=5) as client:
            page = (await client.get(f"http://127.0.0.1:{self.port}/metrics")).text
        return int(float(APPLIED.findall(page)[0]))

    async def is_ready(self) -> bool | None:
        """By its own word; None when it does not answer."""
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.port}/readyz")).is_success
            except httpx.HTTPError:
                return None


class Thief(Persister):
    """A persister to whom the locks say nothing."""

    module = "tests.chaos.thief"


class Rig:
    """Made with `open_rig`."""

    def __init__(self, home: Path, nats: NatsServer, postgres: PostgresServer, stack: AsyncExitStack) -> None:
        self.home = home
        self.nats = nats
        self.postgres = postgres
        self.sender: Sender
        self.persisters: list[Persister] = []
        self._stack = stack

    async def add_persister(self, kind: type[Persister] = Persister, **settings: str) -> Persister:
        """Started, not yet ready."""
        name = f"persister-{len(self.persisters)}"
        home = self.home / name
        home.mkdir()
        to_postgres = await self.proxy("127.0.0.1", self.postgres.port)
        to_nats = await self.proxy("127.0.0.1", self.nats.port)
        dsn = self.postgres.dsn.replace(f":{self.postgres.port}/", f":{to_postgres.port}/")
        process = kind(home, name, f"nats://127.0.0.1:{to_nats.port}", dsn, **{**FAST, **settings})
        process.to_postgres, process.to_nats = to_postgres, to_nats
        self.persisters.append(process)
        self._stack.callback(process.close)
        process.start()
        return process

    async def proxy(self, host: str, port: int) -> TcpProxy:
        return await self._stack.enter_async_context(open_proxy(lambda: (host, port)))

    async def sql(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows, asked of PostgreSQL directly."""
        async with await psycopg.AsyncConnection.connect(
            self.postgres.dsn, autocommit=True, connect_timeout=5, application_name="rig"
        ) as connection:
            cursor = await connection.execute(query.encode(), parameters)
            return await cursor.fetchall() if cursor.description else []

    async def owners(self) -> dict[int, int]:
        """Partition to the pid of the session that holds its lock."""
        return dict(await self.sql(OWNERS))

    async def until_owned(self, within_s: float = OWNED_WITHIN_S) -> None:
        """Every partition is read by somebody."""

        async def owned() -> bool:
            try:
                return len(await self.owners()) == PARTITIONS
            except psycopg.OperationalError:
                return False

        await until(owned, within_s, "every partition has an owner")

    async def until_shared(self, *persisters: Persister) -> None:
        """Each of them holds its share."""
        share = PARTITIONS // len(persisters)
        await until(lambda: all(len(one.believes) == share for one in persisters), OWNED_WITHIN_S, "they share")


@asynccontextmanager
async def open_rig(
    home: Path,
    *,
    persisters: int = 1,
    disk: Path | None = None,
    store: Path | None = None,
    nats_options: Sequence[str] = (),
    **settings: str,
) -> AsyncIterator[Rig]:
    """Persisters that own all partitions. `disk` holds PostgreSQL's data, `store` NATS's."""
    store = store or home / "nats"
    for folder in (home, store):
        folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        nats = NatsServer(store, *nats_options)
        nats.start()
        stack.callback(nats.stop)
        postgres = PostgresServer(disk)
        stack.callback(postgres.close)
        postgres.start()
        migrate(postgres.dsn, PARTITIONS)
        rig = Rig(home, nats, postgres, stack)
        rig.sender = await Sender.connect(nats.url)
        stack.push_async_callback(rig.sender.close)
        for _ in range(persisters):
            await rig.add_persister(**settings)
        await rig.until_owned()
        if persisters == 2:
            await rig.until_shared(*rig.persisters)
        yield rig


def can_mount() -> bool:
    """Whether a small disk can be made here."""
    try:
        with small_disk(1):
            return True
    except OSError:
        return False


@contextmanager
def small_disk(size_mb: int) -> Iterator[Path]:
    """A tmpfs that PostgreSQL's account can reach too; raises OSError where nothing can be mounted."""
    folder = Path(mkdtemp(prefix="cb-test-disk-"))
    folder.chmod(0o711)
    try:
        options = f"size={size_mb}m,mode=0711"
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
        )
        if made.returncode:
            raise OSError(made.stderr.decode().strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=False)
    finally:
        folder.rmdir()
