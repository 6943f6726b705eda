"""How `up` learns that a child is ready, or stuck. It answers within a deadline; every failure means "not yet"."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PROBE_DEADLINE_S = 2.0
ANSWER_MAX_BYTES = 65_536
ROOM_BYTES = 16 * 1024 * 1024  # less would be full again at once


@dataclass(frozen=True)
class HttpReady:
    """Ready when GET `url` answers 200. Plain HTTP on this machine."""

    url: str

    async def passes(self, pid: int) -> bool:
        status, _ = await _get(self.url)
        return status == b"200"


@dataclass(frozen=True)
class NatsStuck:
    """A nats-server that once failed to write a stream refuses that stream until it is started again, and its
    /healthz at `url` says so. Passes then, when the disk of `store` has room: before, a new start would not help."""

    url: str
    store: Path
    room_bytes: int = ROOM_BYTES

    async def passes(self, pid: int) -> bool:
        status, body = await _get(self.url)
        if status != b"503" or b"write error" not in body:
            return False
        try:
            return shutil.disk_usage(self.store).free >= self.room_bytes
        except OSError:
            return False


@dataclass(frozen=True)
class PostmasterReady:
    """Ready when postmaster.pid, written by the postmaster, names this pid and says `ready` (as `pg_ctl -w` has it)."""

    data: Path

    async def passes(self, pid: int) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


async def _get(url: str) -> tuple[bytes, bytes]:
    """Status and the rest of the answer; both empty when there was none in time."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_DEADLINE_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                target = parts.path + (f"?{parts.query}" if parts.query else "")
                writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                status_line = await reader.readline()
                rest = await reader.read(ANSWER_MAX_BYTES)
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return b"", b""
    return b"".join(status_line.split(b" ")[1:2]), rest
