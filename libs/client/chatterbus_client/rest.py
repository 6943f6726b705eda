"""The REST interface as methods: bodies and answers are models of the contracts.

Promises: every call ends within `request_timeout_s`; a refusal raises Refused, no answer raises Unreachable. A call
refused because the token has expired is repeated once with a fresh one. Does not retry anything else.
"""

from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from chatterbus_client.addresses import Addresses
from chatterbus_client.errors import NoToken, Refused, Unreachable
from chatterbus_client.identity import Identity
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.queries import ChangesPage, HistoryPage, ThreadsPage, Unread
from chatterbus_contracts.rest import (
    PROBLEM_MEDIA_TYPE,
    AddMembersBody,
    CreateThreadBody,
    Problem,
    QueuedMessage,
    SendMessageBody,
)
from chatterbus_contracts.states import MessageState, ThreadState

T = TypeVar("T")
_RENEWABLE: Final = frozenset({ErrorCode.TOKEN_EXPIRED, ErrorCode.AUTH_FAILED, ErrorCode.AUTH_REQUIRED})
_UNEXPLAINED: Final = {401: ErrorCode.AUTH_FAILED, 403: ErrorCode.FORBIDDEN, 404: ErrorCode.NOT_FOUND}
_ADAPTERS: Final[dict[Any, TypeAdapter[Any]]] = {
    model: TypeAdapter(model)
    for model in (HistoryPage, ChangesPage, ThreadsPage, Unread, ThreadState, MessageState, QueuedMessage, Problem)
}


class Rest:
    """One HTTP client with its connection pool."""

    def __init__(
        self,
        addresses: Addresses,
        identity: Identity,
        settings: ClientSettings,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = addresses.http
        self._identity = identity
        self._http = httpx.AsyncClient(
            base_url=addresses.http,
            timeout=settings.request_timeout_s,
            trust_env=not addresses.loopback,
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send_message(self, frame: SendMessage) -> MessageState | QueuedMessage:
        """The stored message, or the note that it is safely queued: ask again with the same clientMessageId."""
        body = SendMessageBody(**frame.model_dump(exclude={"type"}))
        response = await self._call("POST", "/api/chat/messages", body=body)
        if response.status_code == httpx.codes.ACCEPTED:
            return self._parsed(QueuedMessage, response)
        return self._parsed(MessageState, response)

    async def history(
        self, thread_id: str, *, before_seq: int | None = None, after_seq: int | None = None, limit: int = 50
    ) -> HistoryPage:
        """Messages in seq order: the last ones, those before a seq, or those after one."""
        query = {"beforeSeq": before_seq, "afterSeq": after_seq, "limit": limit}
        return self._parsed(HistoryPage, await self._call("GET", f"{_thread(thread_id)}/messages", query=query))

    async def changes(self, thread_id: str, since_rev: int, *, limit: int = 200) -> ChangesPage:
        """What changed in a thread since a rev, as current states."""
        query = {"sinceRev": since_rev, "limit": limit}
        return self._parsed(ChangesPage, await self._call("GET", f"{_thread(thread_id)}/changes", query=query))

    async def create_thread(
        self,
        thread_id: str | None,
        *,
        title: str | None,
        metadata: dict[str, Any] | None,
        members: list[NewMember],
    ) -> ThreadState:
        """Create a thread; the same id again gives the same thread."""
        body = CreateThreadBody.model_validate(
            {"id": thread_id, "title": title, "metadata": metadata, "members": members}
        )
        return self._parsed(ThreadState, await self._call("POST", "/api/chat/threads", body=body))

    async def add_members(self, thread_id: str, members: list[NewMember]) -> None:
        """Add members, or give them other roles."""
        await self._call("POST", f"{_thread(thread_id)}/members", body=AddMembersBody(members=members))

    async def details(self, thread_id: str) -> ThreadState:
        """One thread with its members and their cursors."""
        return self._parsed(ThreadState, await self._call("GET", _thread(thread_id)))

    async def threads(self, *, cursor: str | None = None, limit: int = 50) -> ThreadsPage:
        """The caller's threads, newest activity first."""
        query = {"cursor": cursor, "limit": limit}
        return self._parsed(ThreadsPage, await self._call("GET", "/api/chat/threads", query=query))

    async def unread(self) -> Unread:
        """What the caller has not read."""
        return self._parsed(Unread, await self._call("GET", "/api/chat/unread"))

    async def _call(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Wire | None = None
    ) -> httpx.Response:
        try:
            return await self._call_once(method, path, query, body)
        except Refused as refused:
            if refused.code not in _RENEWABLE or not self._identity.can_renew:
                raise
        return await self._call_once(method, path, query, body, fresh_token=True)

    async def _call_once(
        self, method: str, path: str, query: dict[str, Any] | None, body: Wire | None, *, fresh_token: bool = False
    ) -> httpx.Response:
        try:
            headers = await self._identity.headers(fresh_token=fresh_token)
        except NoToken as error:
            raise Unreachable(self._url, str(error)) from error
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = encode(body)
        params = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            response = await self._http.request(method, path, params=params, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable(self._url, str(error) or type(error).__name__) from error
        if response.is_success:
            return response
        raise _refusal(response)

    def _parsed(self, model: type[T], response: httpx.Response) -> T:
        try:
            value: T = decode(_ADAPTERS[model], response.content)
        except DecodeError as error:
            # A proxy's page, or a server of another kind: no answer that could be trusted.
            raise Unreachable(self._url, f"an answer that is no {model.__name__}: {error.message}") from None
        return value


def _thread(thread_id: str) -> str:
    return f"/api/chat/threads/{quote(thread_id, safe='')}"


def _refusal(response: httpx.Response) -> Refused:
    if response.headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE):
        try:
            return Refused.by_problem(decode(_ADAPTERS[Problem], response.content))
        except DecodeError:
            pass  # answered by its status, as if there were no body
    status = response.status_code
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Refused.by_code(ErrorCode.INTERNAL, f"HTTP {status}")
    return Refused.by_code(_UNEXPLAINED.get(status, ErrorCode.BAD_REQUEST), f"HTTP {status}")
