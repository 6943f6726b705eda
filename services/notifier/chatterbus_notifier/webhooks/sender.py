"""One attempt to deliver an event: a POST, and what came of it.

Promises: `send` returns within `timeout_s`, connecting, TLS, sending and waiting in all, and raises nothing but what
cancels it; any answer but 2xx is a failure, redirects too (they are not followed); at most `ANSWER_MAX_BYTES` of the
answer's body are read, and nothing of it is kept; proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import httpcore

from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.webhooks.connector import CheckedBackend, NameNotResolved, Resolve, TargetRefused, resolve
from chatterbus_notifier.webhooks.retry import parse_retry_after
from chatterbus_notifier.webhooks.signature import signature
from chatterbus_notifier.webhooks.target import Target

ANSWER_MAX_BYTES: Final = 1024
ANSWER_TIME_S: Final = 1.0  # to read them in; only so that the connection can be used again
IDLE_CONNECTION_S: Final = 3.0  # less than the 5 s after which common servers close theirs
USER_AGENT: Final = f"chatterbus/{version('chatterbus-notifier')}"

# What the log of attempts calls a failure; the first that fits.
FAILURES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TargetRefused, "target_refused"),
    (NameNotResolved, "name_not_resolved"),
    (TimeoutError, "timeout"),
    (httpcore.TimeoutException, "timeout"),
    (ssl.SSLError, "tls_failed"),
    (httpcore.ConnectError, "not_connected"),
    (httpcore.NetworkError, "connection_lost"),
    (httpcore.ProtocolError, "bad_answer"),
    (OSError, "connection_lost"),
)
FAILED: Final = tuple(kind for kind, _ in FAILURES)


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of an attempt. `error` None: it was delivered."""

    status: int | None
    error: str | None
    retry_after_s: float | None
    duration_ms: int


@dataclass(slots=True)
class _Answer:
    status: int | None = None
    retry_after_s: float | None = None


class HookSender:
    """To one target; at most `concurrency` connections."""

    def __init__(
        self,
        target: Target,
        secrets: Sequence[bytes],
        *,
        timeout_s: float,
        concurrency: int,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._secrets = secrets
        self._timeout_s = timeout_s
        self._now_s = now_s
        self._url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpcore.default_ssl_context(),
            max_connections=concurrency,
            keepalive_expiry=IDLE_CONNECTION_S,
            network_backend=CheckedBackend(target, resolver),
        )

    async def close(self) -> None:
        """Close idle connections."""
        await self._pool.aclose()

    async def send(self, event: HookEvent) -> Attempted:
        """Attempt it once, now."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        answer = _Answer()
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._post(event, answer)
        except FAILED as failure:
            error = failure_of(failure)
        if answer.status is not None:
            error = failure_of_status(answer.status)  # what happened to the body after it does not count
        return Attempted(answer.status, error, answer.retry_after_s, round((loop.time() - started_s) * 1000))

    async def _post(self, event: HookEvent, answer: _Answer) -> None:
        async with self._pool.stream(
            b"POST", self._url, headers=self._headers(event), content=event.body, extensions=self._extensions()
        ) as response:
            answer.status, answer.retry_after_s = response.status, self._retry_after(response.headers)
            await _drain(response)

    def _headers(self, event: HookEvent) -> list[tuple[bytes, bytes]]:
        timestamp_s = int(self._now_s())
        headers = {
            "host": self._target.authority,
            "user-agent": USER_AGENT,
            "accept": "*/*",
            "content-type": "application/json",
            "content-length": str(len(event.body)),
            "webhook-id": event.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signature(self._secrets, event.id, timestamp_s, event.body),
        }
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    def _extensions(self) -> dict[str, dict[str, float]]:
        return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)}

    def _retry_after(self, headers: Iterable[tuple[bytes, bytes]]) -> float | None:
        for name, value in headers:
            if name.lower() == b"retry-after":
                return parse_retry_after(value.decode("latin-1"), self._now_s())
        return None


async def _drain(response: httpcore.Response) -> None:
    """Read what little may have been answered; with more to come the connection is closed."""
    size = 0
    async with asyncio.timeout(ANSWER_TIME_S):
        async for part in response.aiter_stream():
            size += len(part)
            if size > ANSWER_MAX_BYTES:
                return


def failure_of_status(status: int) -> str | None:
    """What is wrong with it; None for 2xx."""
    if 200 <= status < 300:
        return None
    return "redirected" if 300 <= status < 400 else "refused"


def failure_of(failure: BaseException) -> str:
    """The word for an exception, or for the one that httpcore wrapped: it keeps that as the argument of its own."""
    causes = (failure, *(cause for cause in failure.args if isinstance(cause, BaseException)))
    return next(word for kind, word in FAILURES if any(isinstance(cause, kind) for cause in causes))
