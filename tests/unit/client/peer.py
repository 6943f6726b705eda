"""A scripted server: real sockets, an in-memory ledger that stores once, and hooks to misbehave at any frame.

HTTP is answered through a transport in the client's own process (peer_http); it shares the ledger with the sockets.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chatterbus_client import Client, ClientSettings
from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import ERRORS, CloseCode, ErrorCode
from chatterbus_contracts.frames.client import (
    Auth,
    ClientFrame,
    DeleteMessage,
    EditMessage,
    Ping,
    React,
    SendDelivered,
    SendMarkUnread,
    SendMessage,
    SendRead,
    SetPresence,
    Subscribe,
    Typing,
    WatchPresence,
    decode_client_frame,
)
from chatterbus_contracts.frames.server import (
    Ack,
    AuthSuccess,
    Error,
    MessageAck,
    Pong,
    PresenceNotice,
    TypingNotice,
)
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.queries import Change
from chatterbus_contracts.rest import SendMessageBody
from chatterbus_contracts.states import MessageState, Status
from tests.unit.client.peer_http import PeerHttp, problem
from tests.unit.client.thread_model import AT, ThreadModel

__all__ = ["FAST", "Hook", "Peer", "Session", "presence", "problem"]

FAST = ClientSettings(
    connect_timeout_s=5,
    auth_timeout_s=5,
    request_timeout_s=5,
    drain_timeout_s=5,
    reconnect_initial_s=0.01,
    reconnect_maximum_s=0.05,
    retry_initial_s=0.01,
    retry_maximum_s=0.05,
    fallback_after_s=60,
    fallback_poll_s=0.02,
    receipts_pause_s=0.02,
    presence_pause_s=0.02,
)


@dataclass(eq=False)
class Session:
    """One socket of a client."""

    number: int
    socket: ServerConnection
    user: str = ""
    auths: list[Auth] = field(default_factory=list)
    frames: list[ClientFrame] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    is_cut: bool = False

    async def send(self, *frames: Wire) -> None:
        for frame in frames:
            await self.socket.send(encode(frame), text=True)

    def of(self, kind: type[ClientFrame]) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def cut(self) -> None:
        """As if the network were gone: no close frame, and nothing that was under way arrives."""
        self.is_cut = True
        self.socket.transport.abort()


Hook = Callable[[Session, Any], Awaitable[bool]]


class Peer(PeerHttp):
    """`hooks[FrameType] = async (session, frame) -> handled`. `http_hook` likewise, for requests."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: dict[str, ThreadModel] = {}
        self.marked_unread: list[int] = []
        self.people: dict[str, PresenceNotice] = {}
        self.sessions: list[Session] = []
        self.hooks: dict[type[ClientFrame], Hook] = {}
        self.epoch = "first"
        self.heartbeat_ms = 30_000
        self.limits: dict[str, int] = {}
        self.accepting = True
        self._port = 0
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", self._port, compression=None, ping_interval=None)
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            for session in self.sessions:
                session.cut()
            self._server.close(close_connections=False)
            await self._server.wait_closed()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def client(self, user_id: str | None = "alice", **options: Any) -> Client:
        options.setdefault("settings", FAST)
        return Client(self.url, user_id=user_id, transport=httpx.MockTransport(self.answer), **options)

    def thread(self, thread_id: str) -> ThreadModel:
        return self.threads.setdefault(thread_id, ThreadModel(ThreadId(thread_id)))

    async def happen(self, thread_id: str, changes: list[Change]) -> None:
        """Tell followers."""
        for session in self.sessions:
            if thread_id in session.threads:
                try:
                    await session.send(*changes)
                except ConnectionClosed:
                    session.threads.clear()

    async def say(self, thread_id: str, user: str, content: str) -> MessageState:
        """Somebody else sends a message."""
        model = self.thread(thread_id)
        state, changes = model.send(user, f"{user}-{model.last_seq + 1}", content)
        await self.happen(thread_id, changes)
        return state

    # Sockets

    async def _serve(self, socket: ServerConnection) -> None:
        session = Session(len(self.sessions), socket)
        if not self.accepting:
            session.cut()
            return
        self.sessions.append(session)
        try:
            async for data in socket:
                await self._received(session, decode_client_frame(data))
                if session.is_cut:
                    return
        except ConnectionClosed:
            pass  # how sockets end here
        finally:
            session.threads.clear()

    async def _received(self, session: Session, frame: ClientFrame) -> None:
        session.frames.append(frame)
        hook = self.hooks.get(type(frame))
        if hook is not None and await hook(session, frame):
            return
        handler = _HANDLERS.get(type(frame))
        if handler is not None:
            await handler(self, session, frame)

    async def on_auth(self, session: Session, frame: Auth) -> None:
        session.auths.append(frame)
        session.user = frame.user_id or (frame.token or "").partition("-")[0]
        await session.send(self.welcome(session))

    def welcome(self, session: Session) -> AuthSuccess:
        return AuthSuccess(
            user_id=UserId(session.user),
            user_type="user",
            connection_id=f"c{session.number}",
            protocol_version=1,
            store_epoch=self.epoch,
            server_time=AT,
            heartbeat_interval_ms=self.heartbeat_ms,
            token_expires_at=None,
            limits=self.limits,
        )

    async def on_subscribe(self, session: Session, frame: Subscribe) -> None:
        model = self.thread(frame.thread_id)
        await self.happen(frame.thread_id, model.join(session.user))
        answer, changes = model.sync(frame.since_rev, limit=self.page_limit, ref=frame.ref)
        session.threads.add(frame.thread_id)
        await session.send(answer, *changes)

    async def on_message(self, session: Session, frame: SendMessage) -> None:
        await session.send(self.ack(await self.store(session.user, frame)))

    async def store(self, user: str, frame: SendMessage | SendMessageBody) -> MessageState:
        model = self.thread(frame.thread_id)
        files = [self.files[attachment_id] for attachment_id in frame.attachment_ids]
        fields = {
            "attachments": files,
            "mentions": frame.mentions,
            "metadata": frame.metadata,
            "message_type": frame.message_type,
        }
        reply_to = int(frame.reply_to_id.rpartition("~")[2]) if frame.reply_to_id else None
        state, changes = model.send(user, str(frame.client_message_id), frame.content, reply_to=reply_to, **fields)
        await self.happen(frame.thread_id, changes)
        return state

    def ack(self, state: MessageState) -> MessageAck:
        return MessageAck(
            client_message_id=state.client_message_id,
            thread_id=state.thread_id,
            status="sent",
            server_message_id=state.id,
            seq=state.seq,
            rev=state.rev,
            created_at=state.created_at,
        )

    def queued(self, frame: SendMessage) -> MessageAck:
        assert frame.client_message_id is not None
        return MessageAck(client_message_id=frame.client_message_id, thread_id=frame.thread_id, status="queued")

    def refusal(self, code: ErrorCode, *, retry_after_ms: int | None = None, **names: Any) -> Error:
        row = ERRORS[code]
        return Error(
            code=code,
            message=row.when,
            retryable=row.retryable,
            fate=row.fate,
            retry_after_ms=retry_after_ms,
            **names,
        )

    async def on_typing(self, session: Session, frame: Typing) -> None:
        notice = TypingNotice(
            thread_id=frame.thread_id, user_id=UserId(session.user), user_type="user", is_typing=frame.is_typing
        )
        for other in self.sessions:
            if other is not session and frame.thread_id in other.threads:
                await other.send(notice)

    async def on_read(self, session: Session, frame: SendRead) -> None:
        await self.happen(frame.thread_id, self.thread(frame.thread_id).read(session.user, frame.seq or 0))

    async def on_delivered(self, session: Session, frame: SendDelivered) -> None:
        await self.happen(frame.thread_id, self.thread(frame.thread_id).deliver(session.user, frame.seq or 0))

    async def on_edit(self, session: Session, frame: EditMessage) -> None:
        await self.carry_out(session, frame, self.thread(frame.thread_id).edit(_seq(frame.message_id), frame.content))

    async def on_delete(self, session: Session, frame: DeleteMessage) -> None:
        await self.carry_out(session, frame, self.thread(frame.thread_id).delete(_seq(frame.message_id)))

    async def on_react(self, session: Session, frame: React) -> None:
        model, on = self.thread(frame.thread_id), frame.action == "add"
        await self.carry_out(session, frame, model.react(session.user, _seq(frame.message_id), frame.emoji, on=on))

    async def on_mark_unread(self, session: Session, frame: SendMarkUnread) -> None:
        self.marked_unread.append(frame.seq)
        await self.carry_out(session, frame, [])

    async def on_set_presence(self, session: Session, frame: SetPresence) -> None:
        await session.send(Ack(ref=frame.ref))

    async def on_watch(self, session: Session, frame: WatchPresence) -> None:
        for user in frame.user_ids:
            await session.send(self.people.get(user, presence(user, "offline", 0)))

    async def carry_out(self, session: Session, frame: Any, changes: list[Change]) -> None:
        await self.happen(frame.thread_id, changes)
        rev = changes[-1].rev if changes else None
        await session.send(Ack(ref=frame.ref, thread_id=frame.thread_id, rev=rev))

    async def on_ping(self, session: Session, frame: Ping) -> None:
        await session.send(Pong(id=frame.id, server_time=AT))

    async def close(self, session: Session, code: CloseCode | int) -> None:
        await session.socket.close(int(code))


def presence(user: str, status: Status, version: int, last_seen_at: str | None = None) -> PresenceNotice:
    return PresenceNotice(user_id=UserId(user), status=status, last_seen_at=last_seen_at, version=version)


def _seq(message_id: str) -> int:
    return int(message_id.rpartition("~")[2])


_HANDLERS: dict[type, Callable[[Peer, Session, Any], Awaitable[None]]] = {
    Auth: Peer.on_auth,
    Subscribe: Peer.on_subscribe,
    SendMessage: Peer.on_message,
    Typing: Peer.on_typing,
    SendRead: Peer.on_read,
    SendDelivered: Peer.on_delivered,
    EditMessage: Peer.on_edit,
    DeleteMessage: Peer.on_delete,
    React: Peer.on_react,
    SendMarkUnread: Peer.on_mark_unread,
    SetPresence: Peer.on_set_presence,
    WatchPresence: Peer.on_watch,
    Ping: Peer.on_ping,
}
