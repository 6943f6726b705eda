"""The token issuer's published keys, fetched and kept.

Promises: keys are fetched at most once in 10 s whatever tokens ask for, those who need them wait for one shared fetch
with a deadline, and a fetch that fails keeps the keys that were there. Keys older than 10 minutes are fetched anew
when next needed, so a key that its issuer withdrew is refused from then on, unless the issuer cannot be reached.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import httpx
import structlog

from chatterbus_gateway.token_keys import TokenKey, UnusableKey, key_set

log: Final = structlog.stdlib.get_logger(__name__)

REFRESH_EVERY_S: Final = 600.0
FETCH_AT_MOST_EVERY_S: Final = 10.0  # strangers may invent key ids as fast as they like
DOCUMENT_MAX_BYTES: Final = 1 << 20

_FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError)


class PublishedKeys:
    """Keys behind a JWKS URL. `clock` is monotonic seconds. Needs no start; `close` ends the HTTP client."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._clock = clock
        # Redirects are not followed: a key set is trusted for the address it is at.
        self._http = httpx.AsyncClient(timeout=timeout_s, transport=transport, follow_redirects=False)
        self._keys: tuple[TokenKey, ...] = ()
        self._fetched_at_s: float | None = None
        self._tried_at_s: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    @property
    def keys(self) -> tuple[TokenKey, ...]:
        """What is known now; empty before the first fetch that succeeded."""
        return self._keys

    @property
    def stale(self) -> bool:
        """Never fetched, or too long ago."""
        return self._fetched_at_s is None or self._clock() - self._fetched_at_s >= REFRESH_EVERY_S

    @property
    def may_fetch(self) -> bool:
        """Whether `refresh` would bring something: a fetch is under way, or the last try is long enough ago."""
        if self._fetching is not None:
            return True
        return self._tried_at_s is None or self._clock() - self._tried_at_s >= FETCH_AT_MOST_EVERY_S

    async def refresh(self) -> None:
        """Fetch, or wait for the fetch under way; nothing when it is too soon. A failure is logged, not raised."""
        if self._fetching is None:
            if not self.may_fetch:
                return
            self._tried_at_s = self._clock()
            self._fetching = asyncio.get_running_loop().create_task(self._fetch(), name="jwks fetch")
        # Shielded: one caller that gives up must not take the fetch from the others.
        await asyncio.shield(self._fetching)

    async def close(self) -> None:
        """Stop a fetch under way and end the client."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching}, timeout=self._timeout_s)
        await self._http.aclose()

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                self._keys = key_set(await self._document())
            self._fetched_at_s = self._clock()
            log.info("token keys fetched", keys=len(self._keys))
        except _FAILURES as error:
            log.warning("token keys not fetched", reason=_reason(error), keys_kept=len(self._keys))
        finally:
            self._fetching = None

    async def _document(self) -> bytes:
        document = bytearray()
        async with self._http.stream("GET", self._url, headers={"Accept": "application/json"}) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > DOCUMENT_MAX_BYTES:
                    raise UnusableKey(f"the key set is larger than {DOCUMENT_MAX_BYTES} bytes")
        return bytes(document)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP status {error.response.status_code}"  # its own text holds the URL, perhaps with a password
    return str(error) or type(error).__name__
