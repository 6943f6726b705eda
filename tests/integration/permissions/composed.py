"""The services as docker-compose.yml starts them, as processes of this machine: its environment, other addresses.

Promises: user names, inbox prefixes and which secret goes where are read from the compose file, not repeated.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.integration.permissions.deployment import ROOT, DeployedNats, DeployedPostgres, Secrets
from tests.kit.nats_server import free_port

STOP_TIMEOUT_S: Final = 30.0
VARIABLE: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
PORTS: Final = {
    "gateway": "GATEWAY_PORT",
    "persister": "PERSISTER_PROBE_PORT",
    "notifier": "NOTIFIER_PROBE_PORT",
}


def compose_file() -> dict[str, Any]:
    """docker-compose.yml with the defaults of its variables."""
    text = VARIABLE.sub(lambda found: found[1], (ROOT / "docker-compose.yml").read_text())
    content: dict[str, Any] = yaml.safe_load(text)
    return content


class ComposedService:
    """One service, by its name in the compose file."""

    def __init__(
        self, name: str, secrets: Secrets, nats: DeployedNats, postgres: DeployedPostgres, **settings: str
    ) -> None:
        self.name = name
        self.port = free_port()
        self.log = secrets.root / f"{name}-{self.port}.log"
        told: dict[str, str] = compose_file()["services"][name]["environment"]
        self._env = {
            "PATH": os.environ["PATH"],
            **{
                variable: str("" if value is None else value).replace("/run/secrets", str(secrets.folder))
                for variable, value in told.items()
            },
            "NATS_URL": f"nats://127.0.0.1:{nats.port}",
            PORTS[name]: str(self.port),
            **settings,
        }
        if self._env.pop("PERSISTER_DSN_FILE", None):
            self._env["PERSISTER_DSN"] = postgres.dsn_as("persister_dsn")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", f"chatterbus_{self.name}"]
            self._process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log, cwd=Path(self.log).parent)

    async def is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        async with httpx.AsyncClient(timeout=2) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.port}/readyz")).is_success
            except httpx.HTTPError:
                return False

    def stop(self) -> int:
        """In order; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(STOP_TIMEOUT_S)
