"""The supervisor with small real processes: restarts, stops, output."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chatterbus import leftovers, processes
from chatterbus.child import ChildSpec
from chatterbus.errors import CommandError
from chatterbus.log_writer import LogWriter
from chatterbus.supervisor import Supervisor, run_once
from tests.kit.waiting import until

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def has(self, text: str) -> bool:
        return any(text in line for _, line in self.lines)


def python(name: str, code: str, stop_deadline_s: float = 5.0) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code), dict(os.environ), stop_deadline_s=stop_deadline_s)


def sleeper(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, start_new_session=True)


async def test_child_that_dies_is_started_again_and_said_so() -> None:
    log = Log()
    supervisor = Supervisor(log)
    await supervisor.start_ready(python("one", SLEEP))
    first = supervisor.pids()["one"]

    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.pids().get("one", first) != first, 5, "a new process")

    assert log.has("one was killed by SIGKILL; starting it again in 0.2 s")
    second = supervisor.pids()["one"]
    await supervisor.stop(["one"], asyncio.Event())
    assert supervisor.pids() == {}
    assert not processes.is_alive(second)


class StuckOnce:
    """Passes for the first process that it is asked about."""

    def __init__(self) -> None:
        self.first: int | None = None

    async def passes(self, pid: int) -> bool:
        self.first = self.first or pid
        return pid == self.first


class AlwaysReady:
    async def passes(self, pid: int) -> bool:
        return True


@pytest.mark.parametrize("code", [SLEEP, STUBBORN])
async def test_child_that_lives_but_is_stuck_is_started_again(code: str) -> None:
    log = Log()
    supervisor = Supervisor(log)
    await supervisor.start_ready(replace(python("one", code, 0.3), ready=AlwaysReady(), stuck=StuckOnce()))
    first = supervisor.pids().get("one")
    await until(lambda: supervisor.pids().get("one", first) != first, 5, "a new process")
    assert log.has("one is stuck: stopping it for a new start")
    await supervisor.stop(["one"], asyncio.Event())


async def test_child_deaf_to_its_stop_signal_is_killed_at_its_deadline() -> None:
    log = Log()
    supervisor = Supervisor(log)
    await supervisor.start_ready(python("deaf", STUBBORN, stop_deadline_s=0.3))
    await until(lambda: log.has("deaf"), 5, "the child to be deaf")

    await supervisor.stop(["deaf"], asyncio.Event())

    assert log.has("did not stop within 0.3 s: killed")
    assert supervisor.pids() == {}


async def test_kill_now_cuts_the_stop_deadline_short() -> None:
    log = Log()
    supervisor = Supervisor(log)
    await supervisor.start_ready(python("deaf", STUBBORN, stop_deadline_s=60))
    await until(lambda: log.has("deaf"), 5, "the child to be deaf")
    kill_now = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, kill_now.set)

    began = time.monotonic()
    await supervisor.stop(["deaf"], kill_now)

    assert time.monotonic() - began < 5
    assert supervisor.pids() == {}


async def test_stop_takes_the_grandchildren_of_a_killed_child_along() -> None:
    log = Log()
    supervisor = Supervisor(log)
    code = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid, flush=True);{STUBBORN}"
    )
    await supervisor.start_ready(python("parent", code, stop_deadline_s=0.1))
    await until(lambda: log.has("deaf"), 5, "the grandchild to be started")
    grandchild = int(log.lines[0][1])

    await supervisor.stop(["parent"], asyncio.Event())

    await until(lambda: not processes.is_alive(grandchild), 5, "the grandchild to be gone")


async def test_program_that_is_not_there_fails_the_start_with_its_name() -> None:
    supervisor = Supervisor(Log())
    with pytest.raises(CommandError, match="keeps dying") as caught:
        await supervisor.start_ready(ChildSpec("ghost", ("/nowhere/ghost",), {}))
    assert "/nowhere/ghost" in caught.value.lines[-1]


async def test_failed_one_shot_shows_its_last_lines() -> None:
    with pytest.raises(CommandError, match="exited with code 3") as caught:
        await run_once(python("migrate", "import sys; print('no table'); sys.exit(3)"), Log())
    assert caught.value.lines == ("no table",)


async def test_one_shot_reads_its_input_and_is_killed_at_its_deadline() -> None:
    log = Log()
    await run_once(python("cat", "print(input())"), log, stdin="hello\n")
    assert log.lines == [("cat", "hello")]
    slow = ChildSpec("slow", (sys.executable, "-c", SLEEP), {}, start_deadline_s=0.3)
    with pytest.raises(CommandError, match="did not end within"):
        await run_once(slow, log)


async def test_leftover_of_a_killed_up_is_found_and_stopped_and_a_stranger_is_not(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", SLEEP]
    child, stranger = sleeper(argv), sleeper(argv)
    try:
        recorded = {
            "gateway-1": {"pid": child.pid, "argv": argv},
            "notifier": {"pid": stranger.pid, "argv": ["something", "else"]},
        }
        children_file = tmp_path / "children.json"
        children_file.write_text(json.dumps(recorded))
        await until(lambda: processes.command_line(child.pid) == " ".join(argv), 5, "exec")

        found = leftovers.find(children_file, tmp_path / "pg")

        assert found == [leftovers.Leftover("gateway-1", child.pid)]
        await leftovers.stop(found)
        assert not processes.is_alive(child.pid)
        assert processes.is_alive(stranger.pid)
    finally:
        for process in (child, stranger):
            process.kill()
            process.wait()


def test_pid_file_naming_another_program_does_not_stop_the_database_from_starting(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{tmp_path}\n")
    assert leftovers.find(tmp_path / "children.json", tmp_path) == []
    assert not pid_file.exists()


def test_log_reader_that_stands_still_loses_lines_but_blocks_nobody() -> None:
    read_end, write_end = os.pipe()
    writer = LogWriter(write_end, queue_lines=100)
    began = time.monotonic()
    for number in range(3_000):
        writer.write(f"{number} " + "x" * 100)
    assert time.monotonic() - began < 2

    received = bytearray()
    os.set_blocking(read_end, False)
    deadline = time.monotonic() + 5
    while b"log lines dropped" not in received and time.monotonic() < deadline:
        try:
            received += os.read(read_end, 65_536)
        except BlockingIOError:
            writer.write("back")
            time.sleep(0.01)
    writer.close()
    os.close(read_end)
    os.close(write_end)
    assert b"log lines dropped: the reader was too slow" in received
