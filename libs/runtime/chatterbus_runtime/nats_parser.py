"""Reading NATS's wire protocol, fast for what the hot path is made of: MSG and HMSG.

Promises: messages come out in the order and with the bytes the server sent them, however the stream was cut into
chunks; everything else (INFO, PING, PONG, +OK, -ERR) is handed over as a line. Bounded: a message is as large as the
server's `max_payload` allows, a line at most `MAX_LINE_BYTES`; more, or a line that is no command, is a ProtocolError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from nats.errors import ProtocolError

MAX_LINE_BYTES: Final = 1024 * 1024  # INFO of a large cluster lists every server; 1 MiB is far beyond any
COMMANDS: Final = (b"PING", b"PONG", b"+OK", b"-ERR", b"INFO")

Deliver = Callable[[int, bytes, bytes, bytes, bytes], bool]
Untaken = bytes | tuple[int, bytes, bytes, bytes, bytes]


class WireParser:
    """Feed chunks, iterate over what the sink did not take.

    `deliver(sid, subject, reply, data, raw_headers) -> bool` is called for each message, right away; True means taken.
    `feed` yields the rest: a `bytes` line, or the tuple of a message nobody took. The caller handles each before it
    asks for the next, so order is kept. `reset` (new connection) ends a running `feed`.
    """

    __slots__ = ("_chunks", "_chunks_bytes", "_deliver", "_epoch", "_wanted_bytes")

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._epoch = 0
        self.reset()

    def reset(self) -> None:
        self._epoch += 1
        self._chunks: list[bytes] = []
        self._chunks_bytes = 0
        self._wanted_bytes = 0  # do not look before this many bytes are there: a large message is joined once

    def feed(self, chunk: bytes) -> Iterator[Untaken]:
        self._chunks.append(chunk)
        self._chunks_bytes += len(chunk)
        if self._chunks_bytes < self._wanted_bytes:
            return
        buffer = b"".join(self._chunks) if len(self._chunks) > 1 else chunk
        self._chunks = []
        self._chunks_bytes = self._wanted_bytes = 0
        epoch = self._epoch
        position = 0
        while (line_end := buffer.find(b"\r\n", position)) >= 0:
            is_message = buffer.startswith(b"MSG ", position)
            if is_message or buffer.startswith(b"HMSG ", position):
                words = buffer[position:line_end].split()
                start = line_end + 2
                stop = start + _number(words, -1)
                if stop + 2 > len(buffer):
                    self._wanted_bytes = stop + 2 - position
                    break
                body = start if is_message else start + _number(words, -2)
                sid = _number(words, 2)
                reply = words[3] if len(words) == (5 if is_message else 6) else b""
                data = buffer[body:stop]
                raw_headers = buffer[start:body]
                position = stop + 2
                if self._deliver(sid, words[1], reply, data, raw_headers):
                    continue
                yield sid, words[1], reply, data, raw_headers
            else:
                line = buffer[position:line_end]
                if not line.upper().startswith(COMMANDS):
                    raise ProtocolError("nats: unknown protocol")
                position = line_end + 2
                yield line
            if self._epoch != epoch:
                return
        self._keep(buffer[position:])

    def _keep(self, rest: bytes) -> None:
        if not self._wanted_bytes and len(rest) > MAX_LINE_BYTES:
            raise ProtocolError("nats: a line without end")
        if rest:
            self._chunks = [rest]
            self._chunks_bytes = len(rest)


def _number(words: list[bytes], index: int) -> int:
    if not -len(words) <= index < len(words) or not words[index].isdigit():
        raise ProtocolError("nats: malformed MSG")
    return int(words[index])
