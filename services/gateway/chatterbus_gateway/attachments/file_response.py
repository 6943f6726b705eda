"""A file on its way out.

Promises: bytes leave as they come from the storage; the first ones are there before the status is sent, so a storage
that is away is a proper refusal; a reader who takes nothing for `idle_timeout_s` is given up; a storage that fails in
the middle ends the connection, so that nobody takes a part for the whole. `finished` is called exactly once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from chatterbus_storage.errors import StorageError

log: Final = structlog.stdlib.get_logger(__name__)


class FileResponse(StreamingResponse):
    """`body` yields exactly what Content-Length says."""

    def __init__(
        self,
        body: AsyncIterator[bytes],
        status: int,
        headers: Mapping[str, str],
        *,
        idle_timeout_s: float,
        finished: Callable[[], None],
    ) -> None:
        super().__init__(body, status_code=status, headers=headers)
        self._idle_timeout_s = idle_timeout_s
        self._finished = finished

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._finished()

    async def stream_response(self, send: Send) -> None:
        """Returning early is how the server learns that the connection must end: the length was promised."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._idle_timeout_s):
                await send(message)

        try:
            await super().stream_response(in_time)
        except TimeoutError:
            log.info("a reader took nothing", idle_timeout_s=self._idle_timeout_s)
        except StorageError as error:
            log.warning("a file ended early", reason=str(error))


async def begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, the first of which is here. Raises what getting it raised."""
    first = await anext(chunks, None)

    async def all_of_them() -> AsyncIterator[bytes]:
        if first is not None:
            yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()
