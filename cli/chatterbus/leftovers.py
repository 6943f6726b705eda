"""What an earlier `up` on the same data directory left running, when it was killed in a way nothing could catch.

Only processes whose command line is the recorded one are touched: a pid may meanwhile belong to somebody else.
Called with the directory's lock held, so whatever is found has no living `up` above it.
"""

import asyncio
import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chatterbus import processes
from chatterbus.data_dir import write_atomically
from chatterbus.errors import CommandError
from chatterbus.supervisor import Supervisor

GENTLE_DEADLINE_S = 15.0
KILL_DEADLINE_S = 5.0
POLL_S = 0.05
GENTLE = {"postgres": signal.SIGINT}
"""SIGINT is PostgreSQL's fast shutdown; its SIGTERM would wait for clients. Everything else takes SIGTERM."""


@dataclass(frozen=True)
class Leftover:
    name: str
    pid: int


def record(children_file: Path, supervisor: Supervisor) -> None:
    """Write who runs now: {name: {pid, argv}}."""
    running = {
        name: {"pid": pid, "argv": list(supervisor.children[name].spec.argv)} for name, pid in supervisor.pids().items()
    }
    write_atomically(children_file, json.dumps(running, indent=1) + "\n")


def find(children_file: Path, postgres_data: Path) -> list[Leftover]:
    """Recorded children that still run, and a PostgreSQL that runs on our data, recorded or not."""
    found = [
        Leftover(name, pid)
        for name, pid, command in _recorded(children_file)
        if processes.is_alive(pid) and processes.command_line(pid) == command
    ]
    postmaster = _postmaster(postgres_data)
    if postmaster and postmaster not in {leftover.pid for leftover in found}:
        found.append(Leftover("postgres", postmaster))
    return found


async def stop(leftovers: list[Leftover]) -> None:
    """Stop them all: gently, then with SIGKILL. Returns when none is alive; CommandError when one cannot be stopped."""
    for deadline_s, gentle in ((GENTLE_DEADLINE_S, True), (KILL_DEADLINE_S, False)):
        for leftover in leftovers:
            number = GENTLE.get(leftover.name, signal.SIGTERM) if gentle else signal.SIGKILL
            with suppress(ProcessLookupError, PermissionError):
                os.kill(leftover.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                # Processes of another parent cannot be waited for, only looked at.
                while any(processes.is_alive(leftover.pid) for leftover in leftovers):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        leftovers = [leftover for leftover in leftovers if processes.is_alive(leftover.pid)]
    if leftovers:
        names = ", ".join(f"{leftover.name} (pid {leftover.pid})" for leftover in leftovers)
        raise CommandError(
            f"Still running from an earlier `up`, and not ours to stop: {names}.",
            f"Stop it as its owner: kill -9 {leftovers[0].pid}",
        )


def _recorded(children_file: Path) -> list[tuple[str, int, str]]:
    try:
        raw = json.loads(children_file.read_text())
        return [(name, int(child["pid"]), " ".join(child["argv"])) for name, child in raw.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # a hint, not the truth: without it PostgreSQL is still found by its own pid file


def _postmaster(data: Path) -> int | None:
    """The pid of a PostgreSQL running on this data. A pid file that names another program is removed."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    if not processes.is_alive(pid):
        return None  # PostgreSQL clears that itself
    command = processes.command_line(pid)
    if command is None or ("postgres" in command and str(data) in command):
        return pid
    pid_file.unlink(missing_ok=True)  # the pid was given to somebody else: PostgreSQL would refuse to start
    return None
