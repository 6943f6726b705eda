"""A whole running Chatterbus, as a user starts it, shared by the tests of this directory."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 30
TOKEN_TTL_S: Final = 3_600


@dataclass(frozen=True)
class Stack:
    """Where it is, and how to speak for a user. `gateways` lists all gateways' URLs; `url` is the first's."""

    url: str
    gateways: list[str]
    secret: str
    children_file: Path

    def token(self, user: str, *, ttl_s: int = TOKEN_TTL_S, **claims: Any) -> str:
        """A token that speaks for `user`."""
        now = int(time.time())
        return jwt.encode(
            {"sub": user, "user_type": "user", "iat": now, "exp": now + ttl_s, **claims}, self.secret, "HS256"
        )

    def pid(self, name: str) -> int:
        """The current process of a child: gateway-1, persister-1 ..."""
        return int(_children(self.children_file)[name])

    def kill(self, name: str, signal_number: int = signal.SIGKILL) -> int:
        """Signal a child; its supervisor starts it again. Returns the pid it had."""
        pid = self.pid(name)
        os.kill(pid, signal_number)
        return pid


def _children(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return {name: child["pid"] if isinstance(child, dict) else child for name, child in found.items()}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`chatterbus up --ephemeral` with two gateways, in development mode (tokens work as well)."""
    log = tmp_path_factory.mktemp("stack") / "up.log"
    command = [sys.executable, "-c", "from chatterbus.main import app; app()"]
    command += ["up", "--json", "--ephemeral", "--port", "0", "--gateways", "2"]
    with log.open("wb") as log_file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log_file)
    try:
        yield _ready(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], log: Path) -> Stack:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline() if readable else b""
    if not line:
        pytest.fail(f"the stack did not start within {START_TIMEOUT_S} s:\n{log.read_text()[-3000:]}")
    ready = json.loads(line)
    return Stack(
        url=ready["url"],
        gateways=ready["gateways"],
        secret=Path(ready["jwtSecretFile"]).read_text().strip(),
        children_file=Path(ready["childrenFile"]),
    )
