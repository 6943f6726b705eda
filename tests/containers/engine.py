"""Docker and docker compose, by their command lines, with deadlines.

Promises: a stack of these tests has a project name, ports and a network of its own, so that it can run beside others;
what it started is gone when the block ends, volumes included.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from tests.kit.nats_server import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
COMMAND_TIMEOUT_S: Final = 60.0
BUILD_TIMEOUT_S: Final = 900.0
UP_TIMEOUT_S: Final = 240.0
SWITCH: Final = "CHATTERBUS_CONTAINERS"
SERVICES: Final = ("gateway", "persister", "notifier")


class CommandFailed(Exception):
    """What was run, and what it said."""

    def __init__(self, command: tuple[str, ...], said: str) -> None:
        super().__init__(f"{' '.join(command)}\n{said[-4000:]}")
        self.said = said


def docker(
    *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> str:
    """Standard output and error. Raises CommandFailed."""
    command = ("docker", *arguments)
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    if done.returncode:
        raise CommandFailed(command, done.stdout)
    return done.stdout.strip()


def need_engine() -> None:
    """Skip, or fail in CI, where there is no engine."""
    if os.environ.get(SWITCH) == "none":
        pytest.skip(f"containers are left out by {SWITCH}=none")
    try:
        docker("info", timeout_s=10)
        docker("compose", "version", timeout_s=10)
    except (CommandFailed, FileNotFoundError, subprocess.TimeoutExpired) as error:
        said = str(error).splitlines()[-1]
        leave_out(f"no engine: install Docker with its compose plugin and start it ({said})")


def leave_out(why: str) -> NoReturn:
    """Skip, or fail in CI, where nothing is left out unless it is said so."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}. To leave containers out: {SWITCH}=none")
    pytest.skip(why)


def inspected(name: str) -> dict[str, Any]:
    """`docker inspect` of a container or an image."""
    found: dict[str, Any] = json.loads(docker("inspect", name))[0]
    return found


def is_here(image: str) -> bool:
    """Whether the image is here or can be pulled."""
    for attempt in (("image", "inspect", image), ("pull", "--quiet", image)):
        try:
            docker(*attempt, timeout_s=300)
        except (CommandFailed, subprocess.TimeoutExpired):
            continue
        return True
    return False


def clone(target: Path) -> Path:
    """What a fresh clone of the tree would hold, changes that are not committed included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


class Compose:
    """One stack."""

    def __init__(self, folder: Path, project: str, env: Mapping[str, str], *files: str) -> None:
        self.folder = folder
        self.project = project
        self.env = dict(env)
        self._files = [option for file in files for option in ("-f", file)]

    def __call__(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        options = ("compose", "-p", self.project, *self._files, *arguments)
        return docker(*options, timeout_s=timeout_s, env=self.env, cwd=self.folder)

    def up(self, *options: str) -> None:
        """Returns when all are healthy."""
        self("up", "--detach", "--wait", "--no-build", *options, timeout_s=UP_TIMEOUT_S)

    def container(self, service: str, number: int = 1) -> str:
        return f"{self.project}-{service}-{number}"

    def url(self, service: str = "gateway", port: int = 8080, number: int = 1) -> str:
        """Where a published port is on this machine."""
        return "http://" + self("port", "--index", str(number), service, str(port))

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text().strip()

    def is_healthy(self, service: str, number: int = 1) -> bool:
        state = inspected(self.container(service, number))["State"]
        return bool(state["Running"]) and state.get("Health", {"Status": "healthy"})["Status"] == "healthy"


@contextmanager
def composed(folder: Path, name: str, env: Mapping[str, str], *files: str) -> Iterator[Compose]:
    """A stack that is not up yet, from a fresh clone with passwords of its own."""
    clone(folder)
    docker_free = {"CHATTERBUS_PORT": str(free_port()), "CHATTERBUS_PROXY_PORT": str(free_port())}
    stack = Compose(folder, f"cbtest-{name}-{os.getpid()}", {**env, **docker_free}, *files)
    try:
        yield stack
    finally:
        if (folder / ".env").exists():
            stack("down", "--volumes", "--timeout", "2", timeout_s=UP_TIMEOUT_S)
