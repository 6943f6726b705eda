"""How `up` learns that a child is ready. It answers within a deadline; every failure means "not yet"."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PROBE_DEADLINE_S = 2.0


@dataclass(frozen=True)
class HttpReady:
    """Ready when GET `url` answers 200. Plain HTTP on this machine; reads the status line only."""

    url: str

    async def passes(self, pid: int) -> bool:
        parts = urlsplit(self.url)
        try:
            async with asyncio.timeout(PROBE_DEADLINE_S):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                try:
                    target = parts.path + (f"?{parts.query}" if parts.query else "")
                    writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
                    await writer.drain()
                    status_line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return False
        return status_line.split(b" ")[1:2] == [b"200"]


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
