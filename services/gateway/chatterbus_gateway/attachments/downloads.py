"""Giving a file out: which bytes, under which headers.

Promises: what may be seen was decided before (by the store); here a file is whole, a range, unchanged (304) or beyond
its end (416). HEAD answers as GET without the bytes, and without asking for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import structlog
from fastapi import Response

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.objects import file_key, thumbnail_key
from chatterbus_contracts.states import AttachmentState
from chatterbus_gateway.attachments.file_response import FileResponse, begun
from chatterbus_gateway.attachments.pictures import THUMBNAIL_TYPE
from chatterbus_gateway.attachments.ranges import ByteRange, Unsatisfiable, asked_range, names_etag
from chatterbus_gateway.attachments.served_headers import served_headers
from chatterbus_gateway.attachments.transfers import Transfers
from chatterbus_gateway.attachments.uploads import unavailable
from chatterbus_storage.errors import ObjectNotFound, StorageError
from chatterbus_storage.object_storage import ObjectStorage

log: Final = structlog.stdlib.get_logger(__name__)


class Downloads:
    """One per gateway."""

    def __init__(self, storage: ObjectStorage, transfers: Transfers, *, idle_timeout_s: float) -> None:
        self._storage = storage
        self._transfers = transfers
        self._idle_timeout_s = idle_timeout_s

    async def answer(
        self, file: AttachmentState, user_id: UserId, asked: Mapping[str, str], *, thumbnail: bool, body: bool
    ) -> Response:
        """`asked` are the request's headers, `user_id` is who takes it. Raises Refusal."""
        key, size, headers = await self._described(file, thumbnail=thumbnail)
        etag = headers["ETag"]
        if names_etag(asked.get("if-none-match"), etag):
            kept = ("ETag", "Cache-Control", "Vary")
            return Response(status_code=304, headers={name: headers[name] for name in kept})
        try:
            part = asked_range(asked.get("range"), asked.get("if-range"), etag, size) if body else None
        except Unsatisfiable:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
        taken = part or ByteRange(0, size)
        headers["Content-Length"] = str(taken.end - taken.start)
        if part is not None:
            headers["Content-Range"] = part.content_range(size)
        if not body:
            return Response(status_code=200, headers=headers)
        return await self._streamed(key, user_id, taken, 200 if part is None else 206, headers)

    async def _described(self, file: AttachmentState, *, thumbnail: bool) -> tuple[str, int, dict[str, str]]:
        """(key, size, headers) of the file, or of its thumbnail."""
        unique = file.id.rpartition("~")[2]
        if not thumbnail:
            headers = served_headers(file.name, file.content_type, f'"{unique}"')
            return file_key(file.id), file.size_bytes, headers
        if file.thumbnail_url is None:
            raise Refusal(ErrorCode.ATTACHMENT_NOT_FOUND, "this file has no thumbnail")
        try:
            facts = await self._storage.stat(thumbnail_key(file.id))
        except StorageError as error:
            raise unavailable() from error
        if facts is None:
            raise _gone()
        headers = served_headers(f"{file.name}.webp", THUMBNAIL_TYPE, f'"{unique}-thumbnail"')
        return thumbnail_key(file.id), facts.size_bytes, headers

    async def _streamed(
        self, key: str, user_id: UserId, part: ByteRange, status: int, headers: dict[str, str]
    ) -> Response:
        self._transfers.begin(user_id)
        try:
            chunks = await begun(await self._storage.get(key, start=part.start, end=part.end))
        except BaseException as error:
            self._transfers.end(user_id)
            if isinstance(error, ObjectNotFound):
                raise _gone() from error
            if isinstance(error, StorageError):
                log.warning("file not read", reason=str(error))
                raise unavailable() from error
            raise
        return FileResponse(
            chunks, status, headers, idle_timeout_s=self._idle_timeout_s, finished=partial(self._transfers.end, user_id)
        )


def _gone() -> Refusal:
    return Refusal(ErrorCode.ATTACHMENT_NOT_FOUND, "there is no such file")
