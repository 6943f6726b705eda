"""A copy of a picture on disk while it passes by, since a decoder wants to go back and forth in it.

Promises: what passes is written in a worker thread, never by the event loop, and the file is gone when it is closed, or
the process ends; a file that turns out to be larger than `max_bytes`, or for which there is no room (in a container the
folder is a few hundred megabytes of memory), is not kept, and passes by all the same. It lies in the system's folder
for temporary files (TMPDIR).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO, Final

import structlog

log: Final = structlog.stdlib.get_logger(__name__)


class Spool:
    """For one file."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._file: BinaryIO | None = None

    async def passing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same chunks; a copy is kept."""
        self._file = await asyncio.to_thread(tempfile.TemporaryFile)
        async for chunk in chunks:
            self._size += len(chunk)
            if self._size > self._max_bytes:
                await self.close()
            if self._file is not None:
                await self._keep(self._file, chunk)
            yield chunk

    async def _keep(self, file: BinaryIO, chunk: bytes) -> None:
        try:
            await asyncio.to_thread(_append, file, chunk)
        except OSError as error:
            log.warning("no room for a copy of a picture: it will have no thumbnail", reason=str(error))
            await self.close()

    @property
    def file(self) -> BinaryIO | None:
        """The whole copy, after the last chunk; None when it is too large."""
        return self._file

    async def close(self) -> None:
        """Remove the copy."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what could not be written cannot be when it is closed either
                await asyncio.to_thread(file.close)


def _append(file: BinaryIO, chunk: bytes) -> None:
    file.write(chunk)
    file.flush()  # a full disk shows here, not where the copy is read
