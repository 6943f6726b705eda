"""What each kind of stack can do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from bench.stack import Stack

LOOPBACK: Final = "127.0.0.1"
NO_SETTINGS: Final[Mapping[str, str]] = {}


class Kind(Protocol):
    """Makes running systems, each of its own kind."""

    lacks: frozenset[str]
    """Markers of the tests that cannot be run on it."""
    prepared_by: tuple[str, ...]
    """Fixtures that come first."""

    def __str__(self) -> str:
        """What it is, for the head of the summary."""

    def start(
        self, folder: Path, *, gateways: int = 1, persisters: int = 1, env: Mapping[str, str] = NO_SETTINGS
    ) -> AbstractContextManager[Stack]:
        """A system whose services have the settings `env`. Its logs are in `folder`. The numbers are what the tests
        would like; with fewer gateways they meet at the same one.
        """

    def listen_at(self) -> tuple[str, str]:
        """Where a webhook receiver of this machine has to listen, and by which name the system reaches it."""
