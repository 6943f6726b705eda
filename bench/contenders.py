"""Who is measured: Chatterbus, small servers as people write them, and ejabberd. All do the same for the generator.

Promises: a contender's server side, its database included, is on the cores it was given and gone when the block ends.
Does not promise that a peer is the best that can be written with its tools: it is what a tutorial leads to, without
anything that would slow it down.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psycopg

from bench.cores import pinned_child
from bench.database import database
from bench.ejabberd import Ejabberd
from bench.peer_server import INSTALLED, STORED, PeerKind, PeerServer
from bench.stack import LIMITS_OFF, stack
from chatterbus.ports import choose_free

PRODUCT: Final = "chatterbus"
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Contender:
    """One that runs. `pids` are the roots of all its processes."""

    ws: str
    dsn: str
    pids: dict[str, int]
    stored: str


SERVERS: Final = (
    PeerServer("node-ws", ("node", "server.js"), "npm", "/ws"),
    PeerServer("socket-io", ("node", "server.js"), "npm", "/socket.io/?EIO=4&transport=websocket"),
    PeerServer("fastapi", (str(INSTALLED / "fastapi" / "bin" / "python"), "server.py"), sys.executable, "/ws"),
)
KINDS: Final[dict[str, PeerKind]] = {peer.name: peer for peer in (*SERVERS, Ejabberd())}
NAMES: Final = (PRODUCT, *KINDS)


@contextmanager
def running(name: str, log: Path, cores: set[int]) -> Iterator[Contender]:
    """The contender of that name on an empty database."""
    if name == PRODUCT:
        with stack(log, env=LIMITS_OFF, cores=cores) as target:
            yield Contender(target.ws, target.ready["postgres"], target.pids, STORED)
        return
    peer = KINDS[name]
    with (
        log.open("w") as sink,
        database(sink, cores) as store,
        tempfile.TemporaryDirectory(prefix="chatterbus-peer-") as home,
    ):
        with psycopg.connect(store.dsn, autocommit=True) as connection:
            connection.execute(peer.schema.read_bytes())
        (port,) = choose_free(1)
        start = peer.launch(port, store.dsn, Path(home))
        server = subprocess.Popen(
            start.argv,
            cwd=start.cwd,
            env=start.env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            preexec_fn=pinned_child(cores, signal.SIGKILL),
        )
        try:
            place = f"127.0.0.1:{port}{peer.path}"
            _await_answer(server, f"http://{place}", log)
            pids = {"server": server.pid, "postgres": store.pid}
            yield Contender(f"ws://{place}", store.dsn, pids, peer.stored)
        finally:
            server.terminate()
            server.wait(STOP_TIMEOUT_S)


def _await_answer(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until it answers a request, whatever it says: one that listens may still be far from serving."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            httpx.get(url, timeout=1.0)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"a peer did not start: see {log}")
