"""Cancellation that a library swallowed is raised after all.

nats-py awaits its answers with asyncio.wait_for, which returns the answer and forgets a cancellation that comes in the
same moment (python/cpython#86296, mended in 3.12). A loop around such a call would then run on for ever, and whoever
cancelled it would wait for ever. Promises: `heeding_cancel` raises CancelledError when the calling task was cancelled
while it waited; the work is done then nevertheless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def heeding_cancel(work: Awaitable[T]) -> T:
    """What `work` answers."""
    task = asyncio.current_task()
    cancelled = 0 if task is None else task.cancelling()
    answer = await work
    if task is not None and task.cancelling() > cancelled:
        raise asyncio.CancelledError
    return answer
