"""Who the client speaks for: a token, a callback that gets tokens, or (development mode) a bare name.

Promises: the callback is asked once at a time, within a deadline, and only when there is no token yet or a fresh one is
wanted. Does not promise that a token is valid, and never logs one.
"""

import asyncio
from collections.abc import Awaitable, Callable

from chatterbus_client.errors import NoToken

TokenCallback = Callable[[], Awaitable[str]]


class Identity:
    """The credentials of one client."""

    def __init__(
        self,
        token: str | TokenCallback | None,
        user_id: str | None,
        user_type: str | None,
        name: str | None,
        *,
        timeout_s: float,
    ) -> None:
        if token is None and user_id is None:
            raise ValueError("give a token, or a user_id (development mode)")
        self.user_id = user_id
        self.user_type = user_type
        self.name = name
        self._callback = None if token is None or isinstance(token, str) else token
        self._token = token if isinstance(token, str) else None
        self._timeout_s = timeout_s
        self._asking = asyncio.Lock()

    @property
    def can_renew(self) -> bool:
        """Whether a fresh token can be had."""
        return self._callback is not None

    async def token(self) -> str | None:
        """The token in use; None in development mode."""
        if self._token is None and self._callback is not None:
            return await self.fresh_token()
        return self._token

    async def fresh_token(self) -> str | None:
        """A new token from the callback; without one, the token in use. Raises NoToken."""
        if self._callback is None:
            return self._token
        used = self._token
        try:
            async with asyncio.timeout(self._timeout_s), self._asking:
                if self._token is used:  # else somebody has just fetched one
                    self._token = await self._callback()
        except Exception as error:  # the application's code may raise anything; its text may hold a secret
            raise NoToken(f"no token: the callback raised {type(error).__name__}") from error
        return self._token

    async def headers(self, *, fresh_token: bool = False) -> dict[str, str]:
        """The headers of a REST request. Raises NoToken."""
        token = await (self.fresh_token() if fresh_token else self.token())
        if token is not None:
            return {"Authorization": f"Bearer {token}"}
        headers = {"X-User-Id": self.user_id or ""}
        if self.user_type is not None:
            headers["X-User-Type"] = self.user_type
        return headers
