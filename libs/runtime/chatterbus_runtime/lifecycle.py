"""From start to exit: signals, supervision, the deadline on stopping.

Promises: SIGTERM and SIGINT set `stopping`, and the service's main then has `drain_timeout_s` to return; a second
signal exits at once; a background task that dies is logged and ends the process with code 1, so that the supervisor
restarts it (never half alive); the process ends, whatever hangs. Exit codes: 0 told to stop and did, 1 crashed or did
not stop in time, 128 + signal on the second signal.

A service's main looks like: start everything, `await lifecycle.stopping.wait()`, stop everything in order.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NoReturn, TypeVar

import structlog
import uvloop

from chatterbus_runtime.open_files import allow_many

log: Final = structlog.stdlib.get_logger(__name__)

DRAIN_TIMEOUT_S: Final = 20.0  # below the 30 s that Kubernetes gives before it kills
CANCEL_TIMEOUT_S: Final = 2.0  # for cancelled tasks to unwind
GC_THRESHOLDS: Final = (50_000, 20, 50)
EXIT_OK: Final = 0
EXIT_CRASHED: Final = 1

T = TypeVar("T")
ServiceMain = Callable[["Lifecycle"], Awaitable[None]]


class Lifecycle:
    """Handed to the service's main; made by `run`."""

    def __init__(self, *, drain_timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        self.stopping = asyncio.Event()
        self.drain_timeout_s = drain_timeout_s
        self.exit_code = EXIT_OK
        self._tasks: set[asyncio.Task[Any]] = set()
        self._signals = 0

    def spawn(self, name: str, coro: Coroutine[Any, Any, None], *, may_end: bool = False) -> asyncio.Task[None]:
        """Run in the background until the process stops, cancelled after main has returned.

        An exception ends the process; so does returning before `stopping`, unless `may_end`. Cancelling the returned
        task is the way to end it on purpose.
        """
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, may_end))
        return task

    async def unless_stopping(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`, or None when the process is told to stop first: `work` is cancelled then.

        For waits without a deadline of their own, such as for a NATS that is not there yet.
        """
        loop = asyncio.get_running_loop()
        working = loop.create_task(work)
        stopping = loop.create_task(self.stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            working.cancel()
            stopping.cancel()

    def stop(self, reason: str) -> None:
        """Begin an orderly end; the first reason counts."""
        if not self.stopping.is_set():
            log.info("stopping", reason=reason)
            self.stopping.set()

    def fail(self, reason: str) -> None:
        """Begin an orderly end with exit code 1: something is broken that only a restart repairs."""
        self.exit_code = EXIT_CRASHED
        log.error("failing", reason=reason)
        self.stop(reason)

    def on_signal(self, signum: int) -> None:
        self._signals += 1
        if self._signals > 1:
            log.warning("second signal, exiting at once", signal=signal.Signals(signum).name)
            sys.stdout.flush()
            os._exit(128 + signum)
        self.stop(signal.Signals(signum).name)

    async def cancel_tasks(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, hanging = await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_S)
            for task in hanging:
                log.error("task ignores its cancellation", task=task.get_name())

    def _ended(self, task: asyncio.Task[Any], may_end: bool) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("task died", task=task.get_name(), exc_info=error)
            self.fail(f"task {task.get_name()} died")
        elif not may_end and not self.stopping.is_set():
            self.fail(f"task {task.get_name()} ended")


async def run_service(main: ServiceMain, lifecycle: Lifecycle) -> int:
    """Run `main` under supervision; returns the exit code. `run` adds event loop and signals."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_loop_error)
    running = loop.create_task(_as_coroutine(main(lifecycle)), name="main")
    stopping = loop.create_task(lifecycle.stopping.wait(), name="stopping")
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        await asyncio.wait({running}, timeout=lifecycle.drain_timeout_s)
    if not running.done():
        log.error("not drained in time", drain_timeout_s=lifecycle.drain_timeout_s)
        lifecycle.exit_code = EXIT_CRASHED
        running.cancel()
        await asyncio.wait({running}, timeout=CANCEL_TIMEOUT_S)
    if running.done() and not running.cancelled() and (error := running.exception()) is not None:
        log.error("main failed", exc_info=error)
        lifecycle.exit_code = EXIT_CRASHED
    lifecycle.stop("main returned")
    await lifecycle.cancel_tasks()
    log.info("stopped", exit_code=lifecycle.exit_code)
    return lifecycle.exit_code


def run(main: ServiceMain, *, drain_timeout_s: float = DRAIN_TIMEOUT_S) -> NoReturn:
    """The whole life of a process: event loop, signals, `main`, exit."""

    # What was imported lives for ever, and a message path makes garbage that reference counts free: looking for cycles
    # every 700 objects would cost a tenth of the hot path.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    allow_many()

    async def supervised() -> NoReturn:
        lifecycle = Lifecycle(drain_timeout_s=drain_timeout_s)
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, lifecycle.on_signal, signum)
        exit_code = await run_service(main, lifecycle)
        # Not by returning: closing the loop would wait without a deadline for what still hangs (threads, tasks).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(supervised())
    raise AssertionError("the runner does not return")


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("unhandled in event loop", reason=context.get("message", ""), exc_info=context.get("exception"))
