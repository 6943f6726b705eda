"""Keeps children running until told to stop, then sees that none is left.

Promises: a child that dies is started again with the same arguments (child.py says when), and one that lives but is
stuck is stopped for that; a child that keeps dying before it was ever ready fails the start with its last lines; stop
waits for each child's deadline and then kills its whole process group. It does not order the children: launch.py does.
"""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from chatterbus.child import START_ATTEMPTS, Backoff, ChildSpec, ReadyProbe, describe_exit
from chatterbus.errors import CommandError
from chatterbus.spawn import spawn

POLL_S = 0.03
STUCK_POLL_S = 2.0
KEPT_LINES = 20
KILL_DEADLINE_S = 10.0
OUTPUT_DEADLINE_S = 0.5

LogSink = Callable[[str, str], None]
"""(child's name, line) to the merged log."""


class SupervisedChild:
    """One child over all its lives. One task owns the process, so that start, restart and stop cannot cross."""

    def __init__(self, spec: ChildSpec, log: LogSink, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.pid: int | None = None
        self._log = log
        self._changed = changed
        self._ready = asyncio.Event()
        self._ever_ready = False
        self._stop = asyncio.Event()
        self._kill = asyncio.Event()
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._task = asyncio.create_task(self._live(), name=f"child {spec.name}")

    async def ready(self) -> None:
        """Return when the child is ready; CommandError when it keeps dying or its start deadline passes."""
        waiting = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {waiting, self._task}, timeout=self.spec.start_deadline_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        if self._ready.is_set():
            return
        why = "keeps dying at start" if self._task.done() else f"is not ready after {self.spec.start_deadline_s:g} s"
        raise CommandError(
            f"{self.spec.name} {why}. Its last lines are above.",
            "Mend what they name and start again; `chatterbus doctor` checks the machine.",
            lines=tuple(self._last_lines) or ("(it printed nothing)",),
        )

    async def stop(self, kill_now: asyncio.Event) -> None:
        """Stop for good: the stop signal, then SIGKILL at the deadline or as soon as `kill_now` is set."""
        self._stop.set()
        killing = asyncio.create_task(kill_now.wait())
        try:
            await asyncio.wait(
                {self._task, killing},
                timeout=self.spec.stop_deadline_s + KILL_DEADLINE_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            self._kill.set()
            await asyncio.wait({self._task}, timeout=KILL_DEADLINE_S)
        finally:
            killing.cancel()

    async def _live(self) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        deaths = 0
        while not self._stop.is_set():
            born = clock()
            ending = await self._one_life()
            if self._stop.is_set():
                return
            deaths += 1
            if not self._ever_ready and deaths >= START_ATTEMPTS:
                self._log("up", f"{self.spec.name} {ending}; giving up")
                return
            pause_s, backoff = backoff.after_death(clock() - born)
            self._log("up", f"{self.spec.name} {ending}; starting it again in {pause_s:g} s")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stop.wait()

    async def _one_life(self) -> str:
        try:
            process, output = await spawn(self.spec, self._take_line)
        except OSError as error:
            self._take_line(f"{self.spec.argv[0]}: {error}")
            return "could not be started"
        self._set_pid(process.pid)
        watching = asyncio.create_task(self._watch_ready(process.pid))
        try:
            code = await self._until_exit(process)
        finally:
            watching.cancel()
            self._ready.clear()
            self._set_pid(None)
        await output.close(OUTPUT_DEADLINE_S)
        return describe_exit(code)

    async def _until_exit(self, process: Process) -> int:
        exited = asyncio.create_task(process.wait())
        stop, kill = asyncio.create_task(self._stop.wait()), asyncio.create_task(self._kill.wait())
        try:
            await asyncio.wait({exited, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                _signal_process(process.pid, self.spec.stop_signal)
                await asyncio.wait(
                    {exited, kill}, timeout=self.spec.stop_deadline_s, return_when=asyncio.FIRST_COMPLETED
                )
            if not exited.done():
                if not kill.done():
                    self._log("up", f"{self.spec.name} did not stop within {self.spec.stop_deadline_s:g} s: killed")
                _signal_group(process.pid, signal.SIGKILL)
            return await exited
        finally:
            stop.cancel()
            kill.cancel()

    async def _watch_ready(self, pid: int) -> None:
        while self.spec.ready is not None and not await self.spec.ready.passes(pid):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        if self._ever_ready:
            self._log("up", f"{self.spec.name} is ready again (pid {pid})")
        self._ever_ready = True
        self._ready.set()
        if self.spec.stuck is not None:
            await self._end_when_stuck(pid, self.spec.stuck)

    async def _end_when_stuck(self, pid: int, stuck: ReadyProbe) -> None:
        """Cancelled when the child ends, so the pid is its own."""
        while not await stuck.passes(pid):  # noqa: ASYNC110
            await asyncio.sleep(STUCK_POLL_S)
        self._log("up", f"{self.spec.name} is stuck: stopping it for a new start")
        _signal_process(pid, self.spec.stop_signal)
        await asyncio.sleep(self.spec.stop_deadline_s)
        _signal_group(pid, signal.SIGKILL)

    def _take_line(self, line: str) -> None:
        self._last_lines.append(line)
        self._log(self.spec.name, line)

    def _set_pid(self, pid: int | None) -> None:
        self.pid = pid
        self._changed()


class Supervisor:
    """The children by name. `changed` is called whenever a pid appears or goes."""

    def __init__(self, log: LogSink, changed: Callable[[], None] = lambda: None) -> None:
        self._log = log
        self._changed = changed
        self.children: dict[str, SupervisedChild] = {}

    def start(self, spec: ChildSpec) -> SupervisedChild:
        child = SupervisedChild(spec, self._log, self._changed)
        self.children[spec.name] = child
        return child

    async def start_ready(self, spec: ChildSpec) -> None:
        await self.start(spec).ready()

    async def stop(self, names: Iterable[str], kill_now: asyncio.Event) -> None:
        """Stop these children together; a name that was never started is no error."""
        stopping = [self.children[name].stop(kill_now) for name in names if name in self.children]
        await asyncio.gather(*stopping)

    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self.children.items() if child.pid is not None}


async def run_once(spec: ChildSpec, log: LogSink, stdin: str = "") -> None:
    """Run a process to its end. CommandError with its last lines when it fails or outlives `start_deadline_s`."""
    last_lines: deque[str] = deque(maxlen=KEPT_LINES)

    def take(line: str) -> None:
        last_lines.append(line)
        log(spec.name, line)

    try:
        process, output = await spawn(spec, take, stdin=True)
    except OSError as error:
        raise CommandError(f"{spec.argv[0]} could not be started: {error}", "Run `chatterbus doctor`.") from error
    try:
        async with asyncio.timeout(spec.start_deadline_s):
            await process.communicate(stdin.encode())
        ending = describe_exit(process.returncode or 0)
    except TimeoutError:
        ending = f"did not end within {spec.start_deadline_s:g} s"
    finally:
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
        await output.close(OUTPUT_DEADLINE_S)
    if process.returncode != 0:
        raise CommandError(
            f"{spec.name} {ending}. Its last lines are above.",
            "Mend what they name and start again; `chatterbus doctor` checks the machine.",
            lines=tuple(last_lines) or ("(it printed nothing)",),
        )


def _signal_process(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    """The child leads its own session, so its process group has its pid and holds its own children too."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
