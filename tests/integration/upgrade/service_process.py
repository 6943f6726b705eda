"""A service of any version as a supervisor runs it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Final

import httpx

from tests.integration.upgrade.version_tree import VersionTree
from tests.kit.nats_server import free_port
from tests.kit.waiting import until

READY_S: Final = 30.0
END_S: Final = 30.0


class ServiceProcess:
    """Started at once. `log` is the file with all that it says."""

    def __init__(self, tree: VersionTree, service: str, log: Path, **settings: str) -> None:
        self.port = free_port()
        self.log = log
        port = "GATEWAY_PORT" if service == "gateway" else f"{service.upper()}_PROBE_PORT"
        environment = tree.environment(**settings, **{port: str(self.port)})
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                tree.argv(f"chatterbus_{service}"), env=environment, stdout=output, stderr=output
            )

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def is_ready(self) -> bool:
        """What /readyz says."""
        assert self._process.poll() is None, self.log.read_text()
        async with httpx.AsyncClient(timeout=1) as http:
            try:
                return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).is_success
            except httpx.HTTPError:
                return False

    async def until_ready(self) -> None:
        await until(self.is_ready, READY_S, f"ready; see {self.log}")

    async def retire(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        await until(lambda: self._process.poll() is not None, END_S, "it has ended")
        return self._process.returncode

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(END_S)
