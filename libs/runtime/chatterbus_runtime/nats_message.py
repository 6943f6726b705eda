"""NATS messages as bytes on the wire, both ways. Pure.

Promises: what `publish_command` returns is exactly one protocol command, whatever the caller passed (subjects with
white space and header names with odd characters are refused, line breaks in header values become spaces, as in nats-py
2.16).
A message's headers are parsed when first asked for, because most messages are never asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from chatterbus_runtime.link_errors import BadHeader, BadSubject

_WHITE_SPACE: Final = re.compile(r"[ \t\r\n]")
_has_white_space = _WHITE_SPACE.search
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE_BREAKS: Final = str.maketrans({"\r": " ", "\n": " "})
_VERSION: Final = b"NATS/1.0"
_CRLF: Final = b"\r\n"


class Message:
    """One received message. `reply` is empty when no answer is wanted."""

    __slots__ = ("_parsed", "_raw_headers", "data", "reply", "subject")

    def __init__(self, subject: str, reply: str, data: bytes, raw_headers: bytes = b"") -> None:
        self.subject = subject
        self.reply = reply
        self.data = data
        self._raw_headers = raw_headers
        self._parsed: tuple[int | None, str, dict[str, str]] | None = None

    def __repr__(self) -> str:
        return f"Message({self.subject!r}, reply={self.reply!r}, {len(self.data)} bytes)"

    @property
    def headers(self) -> dict[str, str] | None:
        """Header lines, the last of equal names; None when the message came without any."""
        return self._headers()[2] or None

    @property
    def status(self) -> int | None:
        """The server's inline status (503: no responders, 100: heartbeat or flow control), else None."""
        return self._headers()[0]

    @property
    def status_text(self) -> str:
        return self._headers()[1]

    def _headers(self) -> tuple[int | None, str, dict[str, str]]:
        if self._parsed is None:
            self._parsed = parse_headers(self._raw_headers) if self._raw_headers else (None, "", {})
        return self._parsed


def parse_headers(raw: bytes) -> tuple[int | None, str, dict[str, str]]:
    """(status, status text, headers) of a NATS header block: `NATS/1.0[ status[ text]]`, then `Name: value` lines.

    Never raises: lines without a colon and names that are not ASCII are left out, bad UTF-8 becomes U+FFFD.
    """
    first, *lines = raw.split(_CRLF)
    inline = first[len(_VERSION) :].strip()
    code, _, text = inline.partition(b" ")
    status = int(code) if code.isdigit() else None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        key = name.strip()
        if colon and key.isascii() and key:
            headers[key.decode("ascii")] = value.strip().decode("utf-8", "replace")
    return status, text.strip().decode("utf-8", "replace"), headers


def header_block(headers: Mapping[str, str]) -> bytes:
    """The block before the payload of an HPUB; raises BadHeader."""
    lines = ["NATS/1.0\r\n"]
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise BadHeader(f"not a header name: {name!r}")
        lines.append(f"{name}: {value.strip().translate(_LINE_BREAKS)}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode()


def publish_command(subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] | None = None) -> bytes:
    """One PUB or HPUB; raises BadSubject or BadHeader."""
    if not subject or _has_white_space(subject) or (reply and _has_white_space(reply)):
        raise BadSubject(f"not a subject: {subject!r} (reply {reply!r})")
    if not headers:
        return f"PUB {subject} {reply} {len(payload)}\r\n".encode() + payload + b"\r\n"
    block = header_block(headers)
    size = len(block)
    return f"HPUB {subject} {reply} {size} {size + len(payload)}\r\n".encode() + block + payload + b"\r\n"


def check_listen(subject: str, queue: str) -> None:
    """Raises BadSubject unless SUB can carry both: no white space, no empty token, wildcards alone in their token."""
    levels = subject.split(".")
    if _has_white_space(subject) or _has_white_space(queue) or "" in levels:
        raise BadSubject(f"cannot listen on {subject!r} (queue {queue!r})")
    for position, level in enumerate(levels):
        if level == ">" and position == len(levels) - 1:
            continue
        if level != "*" and ("*" in level or ">" in level):
            raise BadSubject(f"misplaced wildcard in {subject!r}")
