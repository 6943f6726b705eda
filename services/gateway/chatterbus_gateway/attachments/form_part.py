"""The one file of a multipart/form-data body, as its bytes come in. Pure: bytes in, bytes out.

Promises: exactly one part with a file name is taken; other fields are passed over, and may be small; a second file, a
body without one or one that ends early is refused. Nothing but the headers of a part is kept.
"""

from __future__ import annotations

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from chatterbus_contracts.errors import ErrorCode, Refusal

FIELDS_MAX_BYTES: Final = 65_536  # of all that is not the file
BOUNDARY_MAX_BYTES: Final = 256


class FormPart:
    """Made with the Content-Type of the request; raises Refusal."""

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= BOUNDARY_MAX_BYTES:
            raise _refusal("the multipart body names no boundary")
        self.file_name: str | None = None
        self.found = False
        self._in_file = False
        self._ended = False
        self._out: list[bytes] = []
        self._fields_bytes = 0
        self._field = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_end": self._ends,
            },
        )

    def feed(self, data: bytes) -> list[bytes]:
        """What of `data` is the file's. Raises Refusal."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise _refusal("the multipart body can not be read") from None
        out, self._out = self._out, []
        return out

    def finish(self) -> None:
        """No more data. Raises Refusal."""
        if not self._ended:
            raise _refusal("the multipart body ends early")
        if not self.found:
            raise _refusal("the multipart body holds no file")

    def _part_begins(self) -> None:
        self._in_file = False
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"filename")
        if name is None:
            return
        if self.found:
            raise _refusal("one file at a time")
        self.found = self._in_file = True
        self.file_name = name.decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._out.append(data[start:end])
            return
        self._fields_bytes += end - start
        if self._fields_bytes > FIELDS_MAX_BYTES:
            raise _refusal("the fields beside the file are too large")

    def _ends(self) -> None:
        self._ended = True


def _refusal(message: str) -> Refusal:
    return Refusal(ErrorCode.BAD_REQUEST, message)
