"""What one gateway says of itself, and what its process holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import httpx

from bench.cores import rss_bytes

PREFIX: Final = "chatterbus_gateway_"
INDEXES: Final = ("connections", "users", "threads_followed", "users_watched", "commands_pending", "files_moving")
MIB: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Gauges:
    """`pid` and `url` of a gateway."""

    pid: int
    url: str

    async def now(self) -> dict[str, float]:
        """Its metrics without their prefix and suffix, descriptors (`fds`) and memory (`rss_mb`)."""
        async with httpx.AsyncClient(timeout=10) as client:
            text = (await client.get(f"{self.url}/metrics")).text
        figures = {"fds": float(self.fds), "rss_mb": self.rss_mb}
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name.startswith(PREFIX) and "{" not in name:
                figures[name.removeprefix(PREFIX).removesuffix("_total")] = float(value)
        return figures

    async def get(self, name: str) -> float:
        """One of them."""
        return (await self.now())[name]

    @property
    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - a pseudo file

    @property
    def rss_mb(self) -> float:
        return rss_bytes(self.pid) / MIB
