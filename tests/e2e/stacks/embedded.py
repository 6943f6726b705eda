"""`chatterbus up`: the default, and the only kind whose processes can be stopped, killed and looked into."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from bench.stack import Stack
from bench.stack import stack as running_stack
from tests.e2e.stacks.kind import LOOPBACK, NO_SETTINGS


class Embedded:
    """Processes of this machine."""

    lacks: frozenset[str] = frozenset()
    prepared_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "embedded"

    def start(
        self, folder: Path, *, gateways: int = 1, persisters: int = 1, env: Mapping[str, str] = NO_SETTINGS
    ) -> AbstractContextManager[Stack]:
        numbers = ("--gateways", str(gateways), "--persisters", str(persisters))
        return running_stack(folder / "up.log", *numbers, env=env)

    def listen_at(self) -> tuple[str, str]:
        return LOOPBACK, LOOPBACK
