"""A socket and its session: does what the session decides, and keeps what the socket does not take.

Promises: frames are written in order, those of a turn of the event loop in one write; while the socket is blocked they
wait in a bounded outbox, and a client that lets it overflow, or takes nothing for too long, is closed as a slow
consumer; whatever the peer does, the socket is gone within the closing deadline after `close`. Has no task and no timer
of its own. Knows nothing of WebSocket parsing (websocket.py does) and nothing of threads (follower.py does).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import structlog

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import CloseCode, ErrorCode, Refusal
from chatterbus_contracts.frames.client import (
    ClientFrame,
    SendMessage,
    SetPresence,
    Subscribe,
    Unsubscribe,
    WatchPresence,
)
from chatterbus_contracts.frames.server import Pong, Unsubscribed
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.effects import Choice
from chatterbus_gateway.encoded_command import EncodedCommand
from chatterbus_gateway.follower import Join, Leave
from chatterbus_gateway.outbox import Outbox
from chatterbus_gateway.presence.watch_requests import WatchRequest
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.session import Session, State
from chatterbus_gateway.wall_time import iso_time
from chatterbus_gateway.wire_frame import PING, close_frame, pong_frame, ws_frame

if TYPE_CHECKING:
    from chatterbus_gateway.gateway import Gateway

log: Final = structlog.stdlib.get_logger(__name__)

PUMP_BYTES: Final = 64 * 1024  # written at a time when a blocked socket takes more again


class Connection:
    """One accepted socket. Made by websocket.py."""

    __slots__ = (
        "_blocked_bytes",
        "_blocked_since_s",
        "_close_by_s",
        "_close_sent",
        "_gateway",
        "_outbox",
        "_ready_to_close",
        "_transport",
        "_turn",
        "address",
        "moving",
        "session",
        "tick",
        "user_id",
    )

    def __init__(self, gateway: Gateway, transport: asyncio.Transport, address: str) -> None:
        now_s = gateway.now_s()
        self.address = address
        self.user_id = cast("UserId", "")  # once authenticated
        self.tick: int | None = None
        self.moving = False  # sent elsewhere by us
        self._gateway = gateway
        self._transport = transport
        self._turn: list[bytes] | None = None  # what this turn of the event loop brought
        self._outbox: Outbox | None = None
        self._blocked_since_s: float | None = None  # or since it last took something
        self._blocked_bytes = 0
        self._close_by_s: float | None = None
        self._close_sent = False
        self._ready_to_close = False
        self.session = Session(gateway.next_connection_id(), gateway.gateway_id, gateway.policy, self, now_s)
        self.session.pinged_s = now_s - gateway.ping_jitter_s()
        gateway.wheel.schedule(self, now_s + gateway.policy.auth_deadline_s)

    # --- from the socket ---------------------------------------------------------------------------------------------

    def received(self, payload: str) -> None:
        """A whole text message."""
        self._gateway.counts.frames_in += 1
        self.session.receive(payload, self._gateway.now_s())

    def heard(self) -> None:
        """Any other sign of life."""
        self.session.heard_s = self._gateway.now_s()

    def pinged(self, payload: bytes) -> None:
        """A protocol ping. Its answer may be dropped: a blocked client hears of us by what it has not read yet."""
        self.heard()
        if self._blocked_since_s is None:
            self.push(pong_frame(payload))

    def said_goodbye(self, code: int) -> None:
        """The client's close frame: answer it and end."""
        self.session.ended()
        if not self._close_sent:
            self._say_goodbye(close_frame(code, ""))
        self._ready_to_close = True
        self._flush_turn()
        self._end_if_written()

    def broke_protocol(self, code: int, reason: str) -> None:
        """The bytes are no WebSocket as we speak it: `code` is one of RFC 6455, section 7.4.1."""
        if not self._close_sent:
            self.session.ended()
            self._log_close(code, reason)
            self._say_goodbye(close_frame(code, reason))

    def broke_parser(self, code: int, reason: str) -> None:
        """As broke_protocol, by a frame behind which nothing can be read, the peer's goodbye included."""
        self.broke_protocol(code, reason)
        self._end_by(self._gateway.now_s() + self._gateway.policy.fault_linger_s)

    def blocked(self) -> None:
        """The transport holds as much as it should."""
        self._blocked_since_s = now_s = self._gateway.now_s()
        self._blocked_bytes = self._transport.get_write_buffer_size()
        self._gateway.wheel.schedule(self, now_s + self._gateway.policy.stall_max_s)

    def unblocked(self) -> None:
        """The transport takes more."""
        self._blocked_since_s = None
        outbox = self._outbox
        while outbox and self._blocked_since_s is None:
            self._write(b"".join(outbox.take(PUMP_BYTES)))
        if not outbox:
            if outbox is not None and outbox.dropped:
                self._gateway.reporter.missed(self.session.connection_id, self.user_id)
            self._outbox = None
        self._end_if_written()

    def lost(self) -> None:
        """The socket is gone."""
        self.session.ended()
        self._gateway.forget(self)
        self._turn = None
        self._outbox = None
        log.info(
            "connection closed",
            connection_id=self.session.connection_id,
            user_id=self.user_id or None,
            open_connections=len(self._gateway.hub),
        )

    # --- to the socket -----------------------------------------------------------------------------------------------

    def push(self, frames: bytes) -> None:
        """Send WebSocket frames, durably, at the end of this turn."""
        turn = self._turn
        if turn is None:
            self._turn = [frames]
            self._gateway.writer.add(self)
        else:
            turn.append(frames)

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        """Send a WebSocket frame. A blocked socket may drop it, or replace it by the next of its key."""
        if self._blocked_since_s is None:
            self.push(frame)
        elif not self._close_sent:
            self._gateway.counts.ephemeral_dropped += self._outbox_now().add_ephemeral(key, frame)

    def flush(self) -> None:
        """Write what the turn brought."""
        if self._close_sent:
            self._turn = None
        else:
            self._flush_turn()

    def _flush_turn(self) -> None:
        turn = self._turn
        if turn is None:
            return
        self._turn = None
        frames = turn[0] if len(turn) == 1 else b"".join(turn)
        if self._blocked_since_s is None:
            self._write(frames)
        elif not self._outbox_now().add_durable(frames):
            self._slow("its backlog is full")

    def _write(self, frames: bytes) -> None:
        counts = self._gateway.counts
        counts.writes += 1
        counts.bytes_out += len(frames)
        self._transport.write(frames)

    def _outbox_now(self) -> Outbox:
        if self._outbox is None:
            policy = self._gateway.policy
            self._outbox = Outbox(policy.durable_lane_bytes, policy.ephemeral_lane_bytes)
        return self._outbox

    def _slow(self, reason: str) -> None:
        self._gateway.counts.slow_closes += 1
        self._outbox = None  # what waits is of no use: the client resumes by rev
        self.session.close(CloseCode.SLOW_CONSUMER, reason)

    def _say_goodbye(self, frame: bytes) -> None:
        self._flush_turn()
        if self._close_sent:
            return
        if self._outbox:
            self._outbox.add_durable(frame)
        else:
            self._write(frame)
        self._close_sent = True
        self._end_by(self._gateway.now_s() + self._gateway.policy.closing_deadline_s)

    def _end_by(self, at_s: float) -> None:
        self._close_by_s = at_s
        self._gateway.wheel.schedule(self, at_s)

    def _end_if_written(self) -> None:
        if self._ready_to_close and not self._outbox:
            self._transport.close()

    # --- time --------------------------------------------------------------------------------------------------------

    def visit(self, now_s: float) -> float | None:
        """Called by the wheel."""
        if self._close_by_s is not None:
            if now_s >= self._close_by_s:
                self._transport.abort()
                return None
            return self._close_by_s
        next_s = self.session.tick(now_s, time.time())
        if self._blocked_since_s is not None and not self._close_sent:
            next_s = min(next_s, self._stall_due(self._blocked_since_s, now_s))
        return next_s if self._close_by_s is None else self._close_by_s

    def _stall_due(self, blocked_since_s: float, now_s: float) -> float:
        # Slow is not stalled: a long page over a thin line may take minutes, as long as it moves.
        stall_max_s = self._gateway.policy.stall_max_s
        if now_s < blocked_since_s + stall_max_s:
            return blocked_since_s + stall_max_s
        left_bytes = self._transport.get_write_buffer_size()
        if left_bytes >= self._blocked_bytes:
            self._slow("it takes nothing")
            return now_s
        self._blocked_bytes = left_bytes
        self._blocked_since_s = now_s
        return now_s + stall_max_s

    # --- effects of the session --------------------------------------------------------------------------------------

    def send(self, frame: Wire) -> None:
        """See Effects."""
        self.push(ws_frame(encode(frame)))

    def forward(self, frame: bytes) -> None:
        """See Effects."""
        self.push(ws_frame(frame))

    def verify(self, token: str) -> None:
        """See Effects."""
        try:
            principal = self._gateway.credentials.verify_now(token)
        except Refusal as refusal:
            self.session.auth_refused(refusal)
            return
        if principal is None:
            self._gateway.spawn(self._check(self._gateway.credentials.verify, token))
        else:
            self.session.authenticated(principal, self._gateway.now_s(), time.time())

    def redeem(self, ticket: str) -> None:
        """See Effects."""
        self._gateway.spawn(self._check(self._gateway.credentials.redeem, ticket))

    async def _check(self, bearer_of: Callable[[str], Awaitable[Principal]], credential: str) -> None:
        try:
            async with asyncio.timeout(self._gateway.policy.auth_deadline_s):
                principal = await bearer_of(credential)
        except Refusal as refusal:
            self.session.auth_refused(refusal)
        except TimeoutError:
            self.session.auth_refused(
                Refusal(ErrorCode.STORE_UNAVAILABLE, "what auth brought cannot be checked in time")
            )
        else:
            self.session.authenticated(principal, self._gateway.now_s(), time.time())

    def welcome(self, principal: Principal) -> None:
        """See Effects."""
        self._gateway.hub.authenticate(self, principal.user_id)
        if not self.user_id:
            log.info(
                "connection open",
                connection_id=self.session.connection_id,
                user_id=principal.user_id,
                open_connections=len(self._gateway.hub),
            )
            self._gateway.user_feed.welcome(principal.user_id)  # before the notifier hears of it and answers there
            self._gateway.reporter.here(self.session.connection_id, principal.user_id)
        self.user_id = principal.user_id
        self.send(self._gateway.auth_success(self.session.connection_id, principal))
        self._gateway.wheel.schedule(self, self._gateway.now_s())  # a visit finds out what is due when

    def submit(self, command: EncodedCommand, request: ClientFrame) -> None:
        """See Effects."""
        self._gateway.queue.submit_encoded(command, partial(self.session.settled, request))
        if isinstance(request, SendMessage):
            self._gateway.message_sent(self.user_id, request.thread_id)

    def post(self, command: EncodedCommand) -> None:
        """See Effects."""
        self._gateway.queue.post_encoded(command)

    def follow(self, thread_id: ThreadId, since_rev: int | None, request: ClientFrame) -> None:
        """See Effects."""
        ref = request.ref if isinstance(request, Subscribe) else None
        refused = partial(self.session.follow_refused, request)
        self._gateway.follower.join(self, thread_id, Join(since_rev, ref, refused))

    def unfollow(self, thread_id: ThreadId, request: ClientFrame) -> None:
        """See Effects."""
        self._gateway.follower.leave(self, thread_id, Leave(partial(self._left, thread_id, request)))

    def _left(self, thread_id: ThreadId, request: ClientFrame) -> None:
        self.session.unfollowed(thread_id)
        ref = request.ref if isinstance(request, Unsubscribe) else None
        if self.session.state is State.OPEN:
            self.send(Unsubscribed(thread_id=thread_id, ref=ref))

    def unfollowed(self, thread_id: ThreadId) -> None:
        """See Recipient."""
        self.session.unfollowed(thread_id)

    def move_cursor(self, thread_id: ThreadId, delivered_seq: int | None, read_seq: int | None) -> None:
        """See Effects."""
        self._gateway.move_cursor(self.session.speaker, thread_id, delivered_seq, read_seq)

    def choose_presence(self, status: Choice, request: SetPresence) -> None:
        """See Effects."""
        self._gateway.choose_presence(self.user_id, status, request.ref, partial(self.session.settled, request))

    def watch_presence(self, user_ids: list[UserId], request: WatchPresence) -> None:
        """See Effects."""
        refused = partial(self.session.follow_refused, request)
        self._gateway.watch_requests.watch(self, WatchRequest(user_ids, refused))

    def notify_typing(self, thread_id: ThreadId, is_typing: bool) -> None:
        """See Effects."""
        self._gateway.notify_typing(self.session.speaker, thread_id, is_typing)

    def pong(self, ping_id: str | None) -> None:
        """See Effects."""
        self.send(Pong(id=ping_id, server_time=iso_time(time.time())))

    def ping(self) -> None:
        """See Effects."""
        if self._blocked_since_s is None:
            self.push(PING)

    def set_away(self, *, away: bool) -> None:
        """See Effects."""
        gateway = self._gateway
        gateway.reporter.here(self.session.connection_id, self.user_id, away=away)
        if not away:
            gateway.wheel.schedule(self, gateway.now_s() + gateway.policy.away_after_s)

    def close(self, code: CloseCode, reason: str) -> None:
        """See Effects."""
        self._log_close(code, reason)
        self._say_goodbye(close_frame(code, reason))
        if code is CloseCode.HEARTBEAT_MISSED:
            self._transport.abort()

    def abort(self) -> None:
        """End without a word."""
        self.session.ended()
        self._transport.abort()

    def _log_close(self, code: int, reason: str) -> None:
        log.info(
            "closing connection",
            connection_id=self.session.connection_id,
            user_id=self.user_id or None,
            code=int(code),
            reason=reason,
        )
