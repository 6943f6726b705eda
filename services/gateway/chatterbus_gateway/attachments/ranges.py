"""Which bytes of a file are asked for (RFC 9110, 13 and 14). Pure.

Promises: one range is honoured; several at once, other units and what can not be read are passed over, which the RFC
allows, so the whole file is the answer. A range counts only if If-Range, where it is sent, names this very file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_DIGITS_MAX: Final = 18


class Unsatisfiable(Exception):
    """The range begins behind the end of the file: 416."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` to before `end`; never empty, when it was asked for."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """The header that says so."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def asked_range(range_header: str | None, if_range: str | None, etag: str, size: int) -> ByteRange | None:
    """The range that is asked for and counts; None for the whole file. Raises Unsatisfiable."""
    found = _RANGE.fullmatch(range_header or "")
    if found is None or (if_range is not None and if_range.strip() != etag):
        return None
    first, last = found.groups()
    if max(len(first), len(last)) > _DIGITS_MAX or not (first or last):
        return None
    if not first:  # the last so many bytes
        if int(last) == 0 or size == 0:
            raise Unsatisfiable
        return ByteRange(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return ByteRange(int(first), min(int(last) + 1, size) if last else size)


def names_etag(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has this file already."""
    if if_none_match is None:
        return False
    held = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in held or "*" in held
