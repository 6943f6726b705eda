"""A server to be measured beside: how it gets here, how it starts, where it keeps messages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

PEERS: Final = Path(__file__).parent / "peers"
INSTALLED: Final = Path(__file__).parent / ".peers"
STORED: Final = """
SELECT count(*), count(DISTINCT (thread_id, sender_id, client_message_id)) FROM messages WHERE sender_id LIKE 'sender-%'
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a process."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]


class PeerKind(Protocol):
    """`path` is the address of its sockets; `stored` counts rows, and different messages, of `throughput`'s senders."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def stored(self) -> str: ...

    @property
    def schema(self) -> Path:
        """The statements for an empty database. There once it is installed."""
        ...

    def missing(self) -> str | None:
        """Why it can not be measured on this machine."""
        ...

    def install(self) -> None:
        """Nothing when it was done before."""
        ...

    def launch(self, port: int, dsn: str, home: Path) -> Launch:
        """To listen on `port` of loopback, and store in `dsn`. `home` is an empty folder that goes when it ends."""
        ...


@dataclass(frozen=True, slots=True)
class PeerServer:
    """A server in bench/peers. It listens on PORT of loopback, stores in DATABASE_URL."""

    name: str
    command: tuple[str, ...]
    needs: str
    path: str
    stored: str = STORED

    @property
    def folder(self) -> Path:
        return PEERS / self.name

    @property
    def schema(self) -> Path:
        return PEERS / "schema.sql"

    def missing(self) -> str | None:
        return None if shutil.which(self.needs) else f"{self.needs} is not on this machine"

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

    def launch(self, port: int, dsn: str, home: Path) -> Launch:
        env = {**os.environ, "PORT": str(port), "DATABASE_URL": dsn, "NODE_ENV": "production"}
        return Launch(self.command, self.folder, env)

    def _npm_steps(self) -> list[list[str]]:
        return [["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]]

    def _pip_steps(self, lock: Path) -> list[list[str]]:
        home = INSTALLED / self.name
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return [[sys.executable, "-m", "venv", "--clear", str(home)], [*pip, "--require-hashes", "-r", str(lock)]]
