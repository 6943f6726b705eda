"""Waiting for a condition instead of sleeping for a guess."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final

POLL_EVERY_S: Final = 0.005


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout_s: float, what: str) -> None:
    """Return once `condition` holds; fail the test with `what` when it does not within `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return
        if loop.time() > deadline_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        await asyncio.sleep(POLL_EVERY_S)
