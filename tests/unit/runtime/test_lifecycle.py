from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from chatterbus_runtime import lifecycle as module
from chatterbus_runtime.lifecycle import Lifecycle, run_service


async def test_main_that_returns_after_stopping_ends_with_0() -> None:
    lifecycle = Lifecycle()

    async def main(lifecycle: Lifecycle) -> None:
        asyncio.get_running_loop().call_soon(lifecycle.stop, "test")
        await lifecycle.stopping.wait()

    assert await run_service(main, lifecycle) == 0


async def test_a_background_task_that_raises_ends_the_process_with_1() -> None:
    lifecycle = Lifecycle()

    async def broken() -> None:
        raise RuntimeError("a bug")

    async def main(lifecycle: Lifecycle) -> None:
        lifecycle.spawn("broken", broken())
        await lifecycle.stopping.wait()

    assert await asyncio.wait_for(run_service(main, lifecycle), 2) == 1


@pytest.mark.parametrize(("may_end", "exit_code"), [(False, 1), (True, 0)])
async def test_a_background_task_that_returns_early_is_a_failure_unless_it_may(may_end: bool, exit_code: int) -> None:
    lifecycle = Lifecycle()

    async def short() -> None:
        asyncio.get_running_loop().call_later(0.02, lifecycle.stop, "test")

    async def main(lifecycle: Lifecycle) -> None:
        lifecycle.spawn("short", short(), may_end=may_end)
        await lifecycle.stopping.wait()

    assert await asyncio.wait_for(run_service(main, lifecycle), 2) == exit_code


async def test_background_tasks_run_until_main_has_returned_and_are_cancelled_then() -> None:
    lifecycle = Lifecycle()
    order: list[str] = []

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            order.append("background")

    async def main(lifecycle: Lifecycle) -> None:
        lifecycle.spawn("background", background())
        await asyncio.sleep(0)
        order.append("main")

    assert await run_service(main, lifecycle) == 0
    assert order == ["main", "background"]


async def test_main_that_raises_ends_with_1() -> None:
    async def main(_lifecycle: Lifecycle) -> None:
        raise RuntimeError("a bug")

    assert await run_service(main, Lifecycle()) == 1


async def test_main_that_does_not_drain_in_time_is_cancelled_and_ends_with_1() -> None:
    async def main(lifecycle: Lifecycle) -> None:
        lifecycle.stop("test")
        await asyncio.Event().wait()

    assert await asyncio.wait_for(run_service(main, Lifecycle(drain_timeout_s=0.05)), 2) == 1


async def test_even_tasks_that_ignore_cancellation_do_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANCEL_TIMEOUT_S", 0.05)
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async def main(lifecycle: Lifecycle) -> None:
        lifecycle.spawn("stubborn", stubborn())
        await asyncio.sleep(0)

    assert await asyncio.wait_for(run_service(main, Lifecycle()), 2) == 0
    release.set()


async def test_a_wait_is_given_up_when_told_to_stop() -> None:
    lifecycle = Lifecycle()
    asyncio.get_running_loop().call_soon(lifecycle.stop, "test")
    assert await lifecycle.unless_stopping(asyncio.Event().wait()) is None
    assert await Lifecycle().unless_stopping(asyncio.sleep(0, 7)) == 7


PROCESS = """
import asyncio
from chatterbus_runtime.lifecycle import run

async def main(lifecycle):
    print("up", flush=True)
    await lifecycle.stopping.wait()
    print("draining", flush=True)
    {drain}

run(main, drain_timeout_s={timeout_s})
"""


def start(drain: str, timeout_s: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS.format(drain=drain, timeout_s=timeout_s)], stdout=subprocess.PIPE, text=True
    )
    read_until(process, "up")
    return process


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"ended without {word!r}")


@pytest.mark.parametrize(
    ("drain", "signals", "timeout_s", "exit_code"),
    [
        ("pass", [signal.SIGTERM], 5, 0),
        ("pass", [signal.SIGINT], 5, 0),
        ("await asyncio.sleep(60)", [signal.SIGTERM], 0.1, 1),
        ("await asyncio.sleep(60)", [signal.SIGTERM, signal.SIGTERM], 60, 128 + signal.SIGTERM),
        ("await asyncio.sleep(60)", [signal.SIGINT, signal.SIGINT], 60, 128 + signal.SIGINT),
        ("loop = asyncio.get_running_loop(); import time; loop.run_in_executor(None, time.sleep, 60)", [15], 5, 0),
    ],
)
def test_a_process_ends_as_its_signals_say(drain: str, signals: list[int], timeout_s: float, exit_code: int) -> None:
    process = start(drain, timeout_s)
    try:
        process.send_signal(signals[0])
        read_until(process, "draining")
        for signum in signals[1:]:
            process.send_signal(signum)
        assert process.wait(10) == exit_code
    finally:
        process.kill()
        process.communicate()
