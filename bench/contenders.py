"""Who is measured: Chatterbus, and small servers as people write them. All are asked in the same frames.

Promises: a contender's server side, its database included, is on the cores it was given and gone when the block ends.
Does not promise that a peer is the best that can be written with its tools: it is what a tutorial leads to, without
anything that would slow it down.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from bench.cores import pinned_child
from bench.database import database
from bench.stack import LIMITS_OFF, stack
from chatterbus.ports import choose_free

PEERS: Final = Path(__file__).parent / "peers"
INSTALLED: Final = Path(__file__).parent / ".peers"
SCHEMA: Final = PEERS / "schema.sql"
PRODUCT: Final = "chatterbus"
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Contender:
    """One that runs. `pids` are the roots of all its processes."""

    ws: str
    dsn: str
    pids: dict[str, int]


@dataclass(frozen=True, slots=True)
class PeerServer:
    """A server in bench/peers. It listens on PORT of loopback, stores in DATABASE_URL."""

    name: str
    command: tuple[str, ...]
    needs: str
    path: str

    @property
    def folder(self) -> Path:
        return PEERS / self.name

    @property
    def installable(self) -> bool:
        return shutil.which(self.needs) is not None

    def install(self) -> None:
        """What its lock file names, once for each version of that file."""
        npm = (self.folder / "package-lock.json").exists()
        lock = self.folder / ("package-lock.json" if npm else "requirements.lock")
        stamp = INSTALLED / f"{self.name}.lock"
        if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
            return
        INSTALLED.mkdir(exist_ok=True)
        for step in self._npm_steps() if npm else self._pip_steps(lock):
            subprocess.run(step, cwd=self.folder, check=True)
        shutil.copyfile(lock, stamp)

    def _npm_steps(self) -> list[list[str]]:
        return [["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]]

    def _pip_steps(self, lock: Path) -> list[list[str]]:
        home = INSTALLED / self.name
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return [[sys.executable, "-m", "venv", "--clear", str(home)], [*pip, "--require-hashes", "-r", str(lock)]]


KINDS: Final = {
    peer.name: peer
    for peer in (
        PeerServer("node-ws", ("node", "server.js"), "npm", "/ws"),
        PeerServer("socket-io", ("node", "server.js"), "npm", "/socket.io/?EIO=4&transport=websocket"),
        PeerServer("fastapi", (str(INSTALLED / "fastapi" / "bin" / "python"), "server.py"), sys.executable, "/ws"),
    )
}
NAMES: Final = (PRODUCT, *KINDS)


@contextmanager
def running(name: str, log: Path, cores: set[int]) -> Iterator[Contender]:
    """The contender of that name on an empty database."""
    if name == PRODUCT:
        with stack(log, env=LIMITS_OFF, cores=cores) as target:
            yield Contender(target.ws, target.ready["postgres"], target.pids)
        return
    peer = KINDS[name]
    with log.open("w") as sink, database(sink, cores) as store:
        with psycopg.connect(store.dsn, autocommit=True) as connection:
            connection.execute(SCHEMA.read_bytes())
        (port,) = choose_free(1)
        server = subprocess.Popen(
            peer.command,
            cwd=peer.folder,
            env={**os.environ, "PORT": str(port), "DATABASE_URL": store.dsn, "NODE_ENV": "production"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            preexec_fn=pinned_child(cores, signal.SIGKILL),
        )
        try:
            _await_port(server, port, log)
            yield Contender(
                f"ws://127.0.0.1:{port}{peer.path}", store.dsn, {"server": server.pid, "postgres": store.pid}
            )
        finally:
            server.terminate()
            server.wait(STOP_TIMEOUT_S)


def _await_port(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"a peer did not start: see {log}")
