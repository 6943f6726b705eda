"""The HTTP half of the scripted server: one handler for one route."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

import httpx

from chatterbus_contracts.codec import Wire, encode, parse_json
from chatterbus_contracts.errors import ERRORS, ErrorCode
from chatterbus_contracts.ids import AttachmentId, ThreadId, UserId, attachment_id
from chatterbus_contracts.queries import (
    Found,
    MessageReceipts,
    Revisions,
    SearchPage,
    ThreadsPage,
    Unread,
)
from chatterbus_contracts.rest import PROBLEM_MEDIA_TYPE, AddMembersBody, OnlineUsers, Problem, SendMessageBody
from chatterbus_contracts.states import AttachmentState, MessageReceipt, MessageRevision, PresenceState, ThreadSummary
from tests.unit.client.thread_model import AT

if TYPE_CHECKING:
    from tests.unit.client.peer import Peer

NO_CONTENT: Final = 204


class PeerHttp:
    """`http_hook` may answer any request in the place of the routes. Raise httpx errors in it to break the network."""

    def __init__(self) -> None:
        self.http_hook: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.requests: list[httpx.Request] = []
        self.posted: list[str] = []
        self.page_limit = 500
        self.files: dict[str, AttachmentState] = {}
        self.stored: dict[str, bytes] = {}
        self.breaks_after: list[int] = []  # bytes after which a download breaks, one for each

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        self.requests.append(request)
        scripted = self.http_hook(request)
        if scripted is not None:
            return scripted
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/").removeprefix("chat/")
        for method, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if match is not None and method == request.method:
                return await handler(cast("Peer", self), request, *map(unquote, match.groups()))
        return problem(ErrorCode.NOT_FOUND)


async def send(peer: "Peer", request: httpx.Request) -> httpx.Response:
    body = SendMessageBody.model_validate_json(request.content)
    peer.posted.append(str(body.client_message_id))
    return answered(await peer.store(caller(request), body), 201)


async def message(peer: "Peer", request: httpx.Request, message_id: str) -> httpx.Response:
    thread_id, _, seq = message_id.rpartition("~")
    return answered(peer.thread(thread_id).quoted(int(seq)))


async def revisions(peer: "Peer", request: httpx.Request, message_id: str) -> httpx.Response:
    thread_id, _, seq = message_id.rpartition("~")
    model = peer.thread(thread_id)
    sender = model.messages[int(seq)].sender_id
    said = model.revisions.get(int(seq), [])
    return answered(Revisions(items=[MessageRevision(content=text, edited_by=sender, replaced_at=AT) for text in said]))


async def message_receipts(peer: "Peer", request: httpx.Request, message_id: str) -> httpx.Response:
    thread_id, _, seq = message_id.rpartition("~")
    model = peer.thread(thread_id)
    items = [
        MessageReceipt(
            user_id=state.user_id,
            delivered_at=AT if state.delivered_seq >= int(seq) else None,
            read_at=AT if state.read_seq >= int(seq) else None,
        )
        for state in model.member_states()
        if state.user_id != model.messages[int(seq)].sender_id
    ]
    return answered(MessageReceipts(message_id=model.messages[int(seq)].id, items=items))


async def changes(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    query = request.url.params
    return answered(peer.thread(thread_id).changes(int(query["sinceRev"]), min(int(query["limit"]), peer.page_limit)))


async def history(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    query = request.url.params
    before = int(query["beforeSeq"]) if "beforeSeq" in query else None
    return answered(peer.thread(thread_id).history(before_seq=before, limit=int(query["limit"])))


async def create(peer: "Peer", request: httpx.Request) -> httpx.Response:
    return answered(peer.thread(parse_json(request.content)["id"]).details(), 201)


async def details(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    return answered(peer.thread(thread_id).detail(caller(request)))


async def update(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    model, body = peer.thread(thread_id), parse_json(request.content)
    await peer.happen(thread_id, model.retitle(body.get("title", model.title), body.get("metadata", model.metadata)))
    return answered(model.detail(caller(request)))


async def threads(peer: "Peer", request: httpx.Request) -> httpx.Response:
    query = request.url.params
    names = [] if query.get("archived") == "true" else sorted(peer.threads)
    start, limit = int(query.get("cursor", 0)), int(query["limit"])
    items = []
    for name in names[start : start + limit]:
        detail = peer.thread(name).detail(caller(request))
        items.append(ThreadSummary(**dict(detail), unread=detail.own.unread, read_seq=0, last_message=None))
    more = start + limit < len(names)
    return answered(ThreadsPage(items=items, next_cursor=str(start + limit) if more else None))


async def add_members(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    model = peer.thread(thread_id)
    for member in AddMembersBody.model_validate_json(request.content).members:
        await peer.happen(thread_id, model.join(member.user_id, member.role))
    return answered(model.detail(caller(request)))


async def remove_member(peer: "Peer", request: httpx.Request, thread_id: str, user_id: str) -> httpx.Response:
    await peer.happen(thread_id, peer.thread(thread_id).remove(user_id))
    return httpx.Response(NO_CONTENT)


async def receipts(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    return answered(peer.thread(thread_id).members_behind(request.url.params.get("cursor")))


async def own_state(peer: "Peer", request: httpx.Request, thread_id: str, _: str) -> httpx.Response:
    return answered(peer.thread(thread_id).detail(caller(request)).own)


async def show_receipts(peer: "Peer", request: httpx.Request, thread_id: str) -> httpx.Response:
    return await own_state(peer, request, thread_id, "receipts")


async def unread(peer: "Peer", request: httpx.Request) -> httpx.Response:
    return answered(Unread(items=[], total_unread=0))


async def online_users(peer: "Peer", request: httpx.Request) -> httpx.Response:
    query = request.url.params
    online = [notice for _, notice in sorted(peer.people.items()) if notice.status != "offline"]
    start, limit = int(query.get("cursor", 0)), int(query["limit"])
    items = [PresenceState(user_id=n.user_id, status=n.status, last_seen_at=None) for n in online[start:][:limit]]
    more = start + limit < len(online)
    return answered(OnlineUsers(items=items, next_cursor=str(start + limit) if more else None))


async def user_presence(peer: "Peer", request: httpx.Request, user_id: str) -> httpx.Response:
    known = peer.people.get(user_id)
    status, seen = (known.status, known.last_seen_at) if known is not None else ("offline", None)
    return answered(PresenceState(user_id=UserId(user_id), status=status, last_seen_at=seen))


async def search(peer: "Peer", request: httpx.Request) -> httpx.Response:
    query = request.url.params
    found = [
        Found(message=state, snippet=state.content.replace(query["q"], f"\x01{query['q']}\x02"))
        for model in peer.threads.values()
        for state in reversed(model.messages.values())
        if query["q"] in state.content and query.get("threadId", model.id) == model.id
    ]
    start, limit = int(query.get("cursor", 0)), int(query["limit"])
    more = start + limit < len(found)
    return answered(SearchPage(items=found[start : start + limit], next_cursor=str(start + limit) if more else None))


async def upload(peer: "Peer", request: httpx.Request) -> httpx.Response:
    data, query = await request.aread(), request.url.params
    file_id = attachment_id(ThreadId(query["threadId"]), f"{len(peer.files) + 1:032x}")
    return answered(keep(peer, file_id, query["name"], data), 201)


def keep(peer: "Peer", file_id: AttachmentId, name: str, data: bytes) -> AttachmentState:
    """A file that somebody has uploaded."""
    peer.stored[file_id] = data
    peer.files[file_id] = AttachmentState(
        id=file_id,
        name=name,
        content_type="text/plain",
        size_bytes=len(data),
        width=None,
        height=None,
        url=f"/api/chat/attachments/{file_id}",
        thumbnail_url=None,
    )
    return peer.files[file_id]


async def download(peer: "Peer", request: httpx.Request, file_id: str) -> httpx.Response:
    data = peer.stored.get(file_id)
    if data is None:
        return problem(ErrorCode.ATTACHMENT_NOT_FOUND)
    asked = request.headers.get("range")
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
    if asked and start >= len(data):
        return httpx.Response(416, headers={"content-range": f"bytes */{len(data)}"})
    headers = {"content-length": str(len(data) - start)}
    if asked:
        headers["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    breaks_after = peer.breaks_after.pop(0) if peer.breaks_after else None
    return httpx.Response(206 if asked else 200, headers=headers, content=_pieces(data[start:], breaks_after))


async def _pieces(data: bytes, breaks_after: int | None) -> AsyncIterator[bytes]:
    if breaks_after is None:
        yield data
        return
    yield data[:breaks_after]
    raise httpx.ReadError("the network broke")


def caller(request: httpx.Request) -> str:
    return str(request.headers.get("x-user-id", "alice"))


def answered(model: Wire, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=encode(model), headers={"content-type": "application/json"})


def problem(code: ErrorCode) -> httpx.Response:
    row = ERRORS[code]
    body = Problem(title=code, status=row.status, detail=row.when, code=code, retryable=row.retryable, fate=row.fate)
    return httpx.Response(row.status, content=encode(body), headers={"content-type": PROBLEM_MEDIA_TYPE})


ROUTES: Final[list[tuple[str, str, Callable[..., Awaitable[Any]]]]] = [
    ("POST", "messages", send),
    ("GET", "messages/([^/]+)", message),
    ("GET", "messages/([^/]+)/revisions", revisions),
    ("GET", "messages/([^/]+)/receipts", message_receipts),
    ("GET", "threads/([^/]+)/changes", changes),
    ("GET", "threads/([^/]+)/messages", history),
    ("GET", "threads/([^/]+)/receipts", receipts),
    ("PUT", "threads/([^/]+)/receipts", show_receipts),
    ("POST", "threads/([^/]+)/members", add_members),
    ("DELETE", "threads/([^/]+)/members/([^/]+)", remove_member),
    ("POST", "threads/([^/]+)/(archive|unarchive|mute)", own_state),
    ("GET", "threads/([^/]+)", details),
    ("PATCH", "threads/([^/]+)", update),
    ("POST", "threads", create),
    ("GET", "threads", threads),
    ("GET", "unread", unread),
    ("GET", "users/online", online_users),
    ("GET", "users/([^/]+)/presence", user_presence),
    ("GET", "search", search),
    ("POST", "attachments", upload),
    ("GET", "attachments/([^/]+)", download),
]
