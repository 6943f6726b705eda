"""Files of messages: up and down in pieces, never whole in memory.

Promises: every step ends within `transfer_timeout_s`; a download that breaks goes on from where it broke, up to
`download_retries` times without a byte of progress; one into a file is written beside it under a name of its own and
takes the file's place when it is complete, so the next attempt, even of another process, goes on from there. A file
never changes under its id, so pieces of two attempts always fit. An upload from a path is repeated once when the token
has expired; one from chunks is not, for they are gone.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from chatterbus_client.draft import thread_part
from chatterbus_client.errors import Refused, Unreachable
from chatterbus_client.http_client import Http
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import InvalidId, split_attachment_id
from chatterbus_contracts.states import AttachmentState

ATTACHMENTS: Final = "/api/chat/attachments"
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if known


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file, where they end in it, and how long it is if that is known."""

    data: bytes
    end: int
    total: int | None


class Files:
    """One client's uploads and downloads."""

    def __init__(self, http: Http, settings: ClientSettings) -> None:
        self._http = http
        self._settings = settings

    async def upload(
        self, source: Path | AsyncIterable[bytes], *, thread_id: str, name: str, progress: Progress | None
    ) -> AttachmentState:
        """Store a file. Raises Refused, Unreachable, and OSError for a path that cannot be read."""
        if not isinstance(source, Path):
            return await self._upload_once(source, None, thread_id, name, progress)
        total = (await asyncio.to_thread(source.stat)).st_size
        try:
            return await self._upload_once(self._read(source), total, thread_id, name, progress)
        except Refused as refused:
            if not self._http.renews(refused):
                raise
        return await self._upload_once(self._read(source), total, thread_id, name, progress, fresh_token=True)

    async def download(self, attachment_id: str, to: Path, *, thumbnail: bool, progress: Progress | None) -> None:
        """Write a file. Raises Refused, Unreachable, OSError."""
        part = to.with_name(f"{to.name}.{attachment_id[-32:]}{'.thumbnail' if thumbnail else ''}.part")
        file = await asyncio.to_thread(part.open, "ab")
        try:
            async for piece in self.pieces(attachment_id, start=file.tell(), thumbnail=thumbnail):
                await asyncio.to_thread(file.write, piece.data)
                if progress is not None:
                    progress(piece.end, piece.total)
        except BaseException:
            if not file.tell():
                part.unlink(missing_ok=True)  # nothing that a next attempt could go on from
            raise
        finally:
            await asyncio.to_thread(file.close)
        await asyncio.to_thread(part.replace, to)

    async def pieces(self, attachment_id: str, *, start: int = 0, thumbnail: bool = False) -> AsyncIterator[Piece]:
        """The file from byte `start` on. Raises Refused, Unreachable."""
        path = f"{ATTACHMENTS}/{quote(_checked(attachment_id), safe='')}"
        position, failures, fresh_token = start, 0, False
        while True:
            try:
                async for piece in self._pieces_once(path, position, thumbnail=thumbnail, fresh_token=fresh_token):
                    yield piece
                    position, failures = piece.end, 0
                return
            except Refused as refused:
                if fresh_token or not self._http.renews(refused):
                    raise
                fresh_token = True
            except Unreachable:
                failures += 1
                if failures > self._settings.download_retries:
                    raise
                pause_s = self._settings.retry_initial_s * 2.0 ** (failures - 1)
                await asyncio.sleep(min(pause_s, self._settings.retry_maximum_s))

    async def _pieces_once(self, path: str, start: int, *, thumbnail: bool, fresh_token: bool) -> AsyncIterator[Piece]:
        headers = {"Accept-Encoding": "identity"}  # or lengths and ranges would be those of something else
        if start:
            headers["Range"] = f"bytes={start}-"
        query = {"thumbnail": "true" if thumbnail else None}
        async with self._http.download(path, headers, query=query, fresh_token=fresh_token) as response:
            position, total = _extent(response, start)
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # everything is here already
            try:
                async for data in response.aiter_bytes(self._settings.chunk_bytes):
                    wanted = data[max(0, start - position) :]
                    position += len(data)
                    if wanted:
                        yield Piece(wanted, position, total)
            except httpx.HTTPError as error:
                raise Unreachable(self._http.url, str(error) or type(error).__name__) from error
        if total is not None and position < total:
            raise Unreachable(self._http.url, "the file ended early")

    async def _upload_once(
        self,
        chunks: AsyncIterable[bytes],
        total: int | None,
        thread_id: str,
        name: str,
        progress: Progress | None,
        *,
        fresh_token: bool = False,
    ) -> AttachmentState:
        headers = {"Content-Type": "application/octet-stream"}
        if total is not None:
            headers["Content-Length"] = str(total)
        response = await self._http.upload(
            ATTACHMENTS,
            _counted(chunks, total, progress),
            headers,
            query={"threadId": thread_part(thread_id), "name": name},
            fresh_token=fresh_token,
        )
        return self._http.parsed(AttachmentState, response)

    async def _read(self, path: Path) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(path.open, "rb")
        try:
            while data := await asyncio.to_thread(file.read, self._settings.chunk_bytes):
                yield data
        finally:
            await asyncio.to_thread(file.close)


async def _counted(chunks: AsyncIterable[bytes], total: int | None, progress: Progress | None) -> AsyncIterator[bytes]:
    sent = 0
    async for data in chunks:
        yield data
        sent += len(data)
        if progress is not None:
            progress(sent, total)


def _extent(response: httpx.Response, start: int) -> tuple[int, int | None]:
    """Where the body begins in the file, and how long the file is if that is said."""
    if response.status_code != httpx.codes.OK:
        _, _, total = response.headers.get("content-range", "").partition("/")
        return start, int(total) if total.isdecimal() else None
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isdecimal() else None  # the range was passed over


def _checked(attachment_id: str) -> str:
    try:
        split_attachment_id(attachment_id)
    except InvalidId as error:
        raise Refused.by_code(ErrorCode.BAD_REQUEST, str(error)) from None
    return attachment_id
