"""HTTP as the client needs it: who speaks, one deadline, and a refusal that is the server's own.

Promises: a call ends within `request_timeout_s`, every step of a stream within `transfer_timeout_s`; a refusal raises
Refused, no answer raises Unreachable. A call refused because the token has expired is repeated once with a fresh one.
Does not retry anything else.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import httpx
from pydantic import TypeAdapter

from chatterbus_client.addresses import Addresses
from chatterbus_client.errors import NoToken, Refused, Unreachable
from chatterbus_client.identity import Identity
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.rest import PROBLEM_MEDIA_TYPE, Problem

T = TypeVar("T", bound=Wire)
Query = Mapping[str, str | int | bool | None]

_RENEWABLE: Final = frozenset(
    {ErrorCode.TOKEN_EXPIRED, ErrorCode.TOKEN_REVOKED, ErrorCode.AUTH_FAILED, ErrorCode.AUTH_REQUIRED}
)
_UNEXPLAINED: Final = {
    401: ErrorCode.AUTH_FAILED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    413: ErrorCode.FRAME_TOO_LARGE,
}
_PROBLEM: Final[TypeAdapter[Problem]] = TypeAdapter(Problem)


class Http:
    """One HTTP client with its connection pool."""

    def __init__(
        self,
        addresses: Addresses,
        identity: Identity,
        settings: ClientSettings,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = addresses.http
        self._identity = identity
        self._transfer_timeout_s = settings.transfer_timeout_s
        self._adapters: dict[type[Wire], TypeAdapter[Any]] = {}
        self._http = httpx.AsyncClient(
            base_url=addresses.http,
            timeout=settings.request_timeout_s,
            trust_env=not addresses.loopback,
            transport=transport,
        )

    @property
    def can_renew(self) -> bool:
        """Whether a refused token can be replaced."""
        return self._identity.can_renew

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, model: type[T], path: str, **query: str | int | bool | None) -> T:
        """What there is, as the model. Parameters are in wire form; those that are None are left out."""
        return self.parsed(model, await self.call("GET", path, query=query))

    async def call(
        self, method: str, path: str, *, query: Query | None = None, body: Wire | bytes | None = None
    ) -> httpx.Response:
        """One request and its whole answer."""
        content = encode(body) if isinstance(body, Wire) else body
        try:
            return await self._call_once(method, path, query, content)
        except Refused as refused:
            if not self.renews(refused):
                raise
        return await self._call_once(method, path, query, content, fresh_token=True)

    async def upload(
        self, path: str, chunks: AsyncIterable[bytes], headers: Mapping[str, str], *, query: Query, fresh_token: bool
    ) -> httpx.Response:
        """Send a body piece by piece. Not repeated, for the pieces are gone."""
        said = {**await self._headers(fresh_token=fresh_token), **headers}
        try:
            response = await self._http.post(
                path, params=_present(query), content=chunks, headers=said, timeout=self._transfer_timeout_s
            )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return _accepted(response)

    @asynccontextmanager
    async def download(
        self, path: str, headers: Mapping[str, str], *, query: Query, fresh_token: bool
    ) -> AsyncIterator[httpx.Response]:
        """An answer of which the body is still to come, or a 416; reading it may raise httpx.HTTPError."""
        said = {**await self._headers(fresh_token=fresh_token), **headers}
        request = self._http.build_request(
            "GET", path, params=_present(query), headers=said, timeout=self._transfer_timeout_s
        )
        try:
            response = await self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        try:
            if response.is_success or response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                yield response
                return
            await response.aread()
            raise _refusal(response)
        finally:
            await response.aclose()

    def renews(self, refused: Refused) -> bool:
        """Whether the same request may pass with a fresh token."""
        return refused.code in _RENEWABLE and self.can_renew

    def parsed(self, model: type[T], response: httpx.Response) -> T:
        """The answer as the model."""
        adapter = self._adapters.get(model)
        if adapter is None:
            adapter = self._adapters[model] = TypeAdapter(model)
        try:
            value: T = decode(adapter, response.content)
        except DecodeError as error:
            # A proxy's page, or a server of another kind: no answer that could be trusted.
            raise Unreachable(self.url, f"an answer that is no {model.__name__}: {error.message}") from None
        return value

    async def _call_once(
        self, method: str, path: str, query: Query | None, content: bytes | None, *, fresh_token: bool = False
    ) -> httpx.Response:
        headers = await self._headers(fresh_token=fresh_token)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = await self._http.request(
                method, path, params=_present(query or {}), content=content, headers=headers
            )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return _accepted(response)

    async def _headers(self, *, fresh_token: bool) -> dict[str, str]:
        try:
            return await self._identity.headers(fresh_token=fresh_token)
        except NoToken as error:
            raise Unreachable(self.url, str(error)) from error

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        return Unreachable(self.url, str(error) or type(error).__name__)


def _present(query: Query) -> dict[str, str | int | bool]:
    return {name: value for name, value in query.items() if value is not None}


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise _refusal(response)


def _refusal(response: httpx.Response) -> Refused:
    if response.headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE):
        try:
            return Refused.by_problem(decode(_PROBLEM, response.content))
        except DecodeError:
            pass  # answered by its status, as if there were no body
    status = response.status_code
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Refused.by_code(ErrorCode.INTERNAL, f"HTTP {status}")
    return Refused.by_code(_UNEXPLAINED.get(status, ErrorCode.BAD_REQUEST), f"HTTP {status}")
