"""A system that somebody else runs: nothing of it is started, stopped or set.

The tests leave threads and messages of users like `alice` and `bob-1f3c...` behind: not for a system that is in use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from websockets.sync.client import connect

from bench.stack import Stack
from tests.e2e.stacks.kind import LOOPBACK, NO_SETTINGS

ANSWER_S: Final = 10.0


class Existing:
    """`urls`: of one gateway, of each, or of what is in front of them. `jwt_secret` signs the tests' tokens."""

    prepared_by: tuple[str, ...] = ()

    def __init__(self, urls: list[str], jwt_secret: str) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._jwt_secret = jwt_secret
        offered = {"dev_mode": takes_a_users_word(self._ws), "operators": shows_operators_routes(self._urls[0])}
        self.lacks = frozenset({"embedded_only", "own_settings", *(name for name in offered if not offered[name])})

    @property
    def _ws(self) -> str:
        return self._urls[0].replace("http", "ws", 1) + "/ws"

    def __str__(self) -> str:
        return ", ".join(self._urls)

    @contextmanager
    def start(
        self, folder: Path, *, gateways: int = 1, persisters: int = 1, env: Mapping[str, str] = NO_SETTINGS
    ) -> Iterator[Stack]:
        assert not env, "another's settings are not ours to change: mark the test own_settings"
        file = folder / "jwt_secret"
        file.touch(mode=0o600)
        file.write_text(self._jwt_secret)
        yield Stack(self._urls[0], self._ws, {"gateways": self._urls, "jwtSecretFile": str(file)})

    def listen_at(self) -> tuple[str, str]:
        return LOOPBACK, LOOPBACK


def takes_a_users_word(ws: str) -> bool:
    """Whether it is in development mode, where people need no token."""
    with connect(ws, open_timeout=ANSWER_S, close_timeout=ANSWER_S) as socket:
        socket.send(json.dumps({"type": "auth", "userId": "visitor", "userType": "user"}))
        while (answer := json.loads(socket.recv(timeout=ANSWER_S)))["type"] not in ("auth_success", "error"):
            pass
    return bool(answer["type"] == "auth_success")


def shows_operators_routes(url: str) -> bool:
    """False where what is in front hides them."""
    return httpx.get(f"{url}/healthz", timeout=ANSWER_S).status_code != httpx.codes.NOT_FOUND
