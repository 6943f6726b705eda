"""A bare socket that goes on asking while something is away: is each answer in time, and true?

It knows no SDK, so nothing retries for it. Promises: every message it sent is followed to its first answer; at the end
what was called stored is stored, and what was called rejected is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import Final
from uuid import uuid4

import httpx

from tests.chaos.running import Run
from tests.kit.checkers import Violation
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until

ASK_EVERY_S: Final = 0.5
QUEUED_OR_REFUSED_WITHIN_S: Final = 6.0  # GATEWAY_PUBLISH_ACK_TIMEOUT_S (5) and some
ANSWERED_WITHIN_S: Final = 45.0
READABLE_WITHIN_S: Final = 30.0  # full service is back by then
WATCH_EVERY_S: Final = 0.02


class Probe:
    """Made with `open`, before the fault."""

    def __init__(self, run: Run, socket: Socket, thread: str, user: str) -> None:
        self._run = run
        self._socket = socket
        self._thread = thread
        self._user = user
        self._asked: dict[str, float] = {}
        self._first: dict[str, tuple[float, Frame]] = {}
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def open(cls, run: Run) -> Probe:
        stack, user, thread = run.cluster.stack, run.load.names[-1], f"probe-{uuid4().hex[:8]}"
        await stack.create_thread(thread, user)
        ws = f"{run.cluster.url.replace('http', 'ws', 1)}/ws"
        return cls(run, await Socket.join(ws, token=stack.token(user)), thread, user)

    async def ask(self, duration_s: float) -> None:
        """For so long."""
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            name = f"p-{len(self._asked)}"
            self._asked[name] = time.monotonic()
            await self._socket.send("message", threadId=self._thread, content=name, clientMessageId=name)
            await asyncio.sleep(ASK_EVERY_S)

    async def judge(self) -> None:
        """After the fault: its answers are compared with what is stored."""
        with contextlib.suppress(AssertionError):
            await until(lambda: len(self._first) == len(self._asked), ANSWERED_WITHIN_S, "all is answered")
        self._watching.cancel()
        rejected, stored, kinds = set(), set(), Counter[str]()
        worst_s = 0.0
        for name, asked_at in self._asked.items():
            if name not in self._first:
                self._wrong("never answered", f"{name}, closed: {self._socket.closed}")
                continue
            at, answer = self._first[name]
            worst_s = max(worst_s, at - asked_at)
            kinds[str(answer.get("status") or answer["code"])] += 1
            if answer["type"] == "message_ack" and answer["status"] == "sent":
                stored.add(name)
            elif answer["type"] == "error":
                if not answer["retryable"]:
                    self._wrong("a refusal for good", f"{name}: {answer['code']}")
                if answer["fate"] == "rejected":
                    rejected.add(name)
        held = await self._stored()
        for name in sorted(stored - held):
            self._wrong("a false ack", name)
        for name in sorted(rejected & held):
            self._wrong("stored though refused", name)
        if worst_s > QUEUED_OR_REFUSED_WITHIN_S:
            self._wrong("an answer after its deadline", f"{worst_s:.1f} s")
        answers = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        self._run.notes.append(f"a bare socket: {answers}; first answers within {worst_s:.1f} s")
        await self._socket.close()

    async def _stored(self) -> set[str]:
        """As soon as the store can be asked again."""
        held: set[str] = set()

        async def read() -> bool:
            try:
                held.update(m["content"] for m in await self._run.cluster.stack.history(self._thread, self._user))
            except httpx.HTTPError:
                return False
            return True

        await until(read, READABLE_WITHIN_S, "the history can be read again")
        return held

    async def _watch(self) -> None:
        seen = 0
        while True:
            for frame in self._socket.history[seen:]:
                if frame["type"] in ("message_ack", "error") and "clientMessageId" in frame:
                    self._first.setdefault(frame["clientMessageId"], (time.monotonic(), frame))
            seen = len(self._socket.history)
            await asyncio.sleep(WATCH_EVERY_S)

    def _wrong(self, kind: str, about: str) -> None:
        self._run.violations.append(Violation("G7", kind, about))
