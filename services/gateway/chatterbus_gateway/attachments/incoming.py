"""A file on its way in: the body of a request, as it is or as the one file of a form.

Promises: bytes are handed on as they come, so the sender is as fast as the storage; more than the limit is refused when
it is passed, or at once when the sender says so; a sender who stops for `idle_timeout_s` is refused; one who goes away
ends the file with an error, never with a shorter file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.attachments.form_part import FIELDS_MAX_BYTES, FormPart

FORM = "multipart/form-data"


class Incoming:
    """One file. `begin` before `chunks`."""

    def __init__(self, request: Request, *, max_bytes: int, idle_timeout_s: float) -> None:
        content_type = request.headers.get("content-type", "")
        is_form = content_type.partition(";")[0].strip().lower() == FORM
        self._max_bytes = max_bytes
        self._idle_timeout_s = idle_timeout_s
        declared = request.headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > max_bytes + is_form * FIELDS_MAX_BYTES:
            raise self._too_large()
        self._form = FormPart(content_type) if is_form else None
        self._body = request.stream()
        self._begun: list[bytes] = []

    async def begin(self) -> str | None:
        """Read until the file begins; the name that the form gives it. Raises Refusal."""
        if self._form is None:
            return None
        while not self._form.found:
            data = await self._received()
            if data is None:
                self._form.finish()
                break
            self._begun += self._form.feed(data)
        return self._form.file_name

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file. Raises Refusal."""
        size = 0
        async for chunk in self._file():
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            yield chunk

    async def _file(self) -> AsyncIterator[bytes]:
        for chunk in self._begun:
            yield chunk
        while (data := await self._received()) is not None:
            for chunk in [data] if self._form is None else self._form.feed(data):
                yield chunk
        if self._form is not None:
            self._form.finish()

    async def _received(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._idle_timeout_s):
                return await anext(self._body, None)
        except TimeoutError:
            raise Refusal(ErrorCode.BAD_REQUEST, "the body stopped coming") from None
        except ClientDisconnect:
            raise Refusal(ErrorCode.BAD_REQUEST, "the body ends early") from None

    def _too_large(self) -> Refusal:
        return Refusal(ErrorCode.ATTACHMENT_TOO_LARGE, f"the file is larger than {self._max_bytes} bytes")
