"""Looking at pictures beside the event loop.

Promises: at most `at_once` pictures are decoded at the same time; each is done, or given up, within `timeout_s` of
being asked for; a picture that was given up keeps its worker until its decoder returns, and no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final

import structlog

from chatterbus_gateway.attachments.pictures import Broken, Picture, examine

log: Final = structlog.stdlib.get_logger(__name__)


class PictureWorkers:
    """One per gateway."""

    def __init__(
        self, *, at_once: int, timeout_s: float, examine: Callable[[BinaryIO], Picture | Broken] = examine
    ) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="picture")
        self._free = asyncio.Semaphore(at_once)
        self._timeout_s = timeout_s
        self._examine = examine

    async def examine(self, file: BinaryIO) -> Picture | Broken | None:
        """What the file is; None when there was no time to tell."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
                try:
                    looking = asyncio.get_running_loop().run_in_executor(self._threads, self._examine, file)
                except BaseException:
                    self._free.release()
                    raise
                looking.add_done_callback(lambda _: self._free.release())
                return await asyncio.shield(looking)
        except TimeoutError:
            log.warning("picture given up", timeout_s=self._timeout_s)
            return None

    def close(self) -> None:
        """Begin nothing more; does not wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)
