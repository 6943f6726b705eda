"""What all connections of this process share, and how one begins.

Promises: ids of connections are unique in all processes and for ever, so ids made from them (of commands) are too.
Receipts of a user and thread within `receipts_interval_s` leave as one command. Typing is throttled before it is
published, and never stored.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from chatterbus_contracts import PROTOCOL_VERSION
from chatterbus_contracts.codec import encode
from chatterbus_contracts.commands import MoveCursor
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import CloseCode, Refusal
from chatterbus_contracts.frames.server import Ack, AuthSuccess, TypingNotice
from chatterbus_contracts.ids import CommandId, GatewayId, ThreadId, UserId
from chatterbus_contracts.limits import LIMITS
from chatterbus_contracts.rest import Revocation
from chatterbus_contracts.subjects import typing_subject
from chatterbus_gateway.admission import Admission
from chatterbus_gateway.command_queue import CommandQueue
from chatterbus_gateway.connection import Connection
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.credentials import Credentials
from chatterbus_gateway.effects import Choice
from chatterbus_gateway.follower import Follower
from chatterbus_gateway.frame_reader import FrameReaders
from chatterbus_gateway.hub import Hub
from chatterbus_gateway.notifier import Notifier
from chatterbus_gateway.outcome import Outcome
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.presence.reporter import Reporter
from chatterbus_gateway.presence.user_feed import UserFeed
from chatterbus_gateway.presence.watch_requests import WatchRequests
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.receipts import Cursor, Receipts
from chatterbus_gateway.revocations import Revocations
from chatterbus_gateway.store_epoch import StoreEpoch
from chatterbus_gateway.timer_wheel import TICK_S, TimerWheel
from chatterbus_gateway.turn_writer import TurnWriter
from chatterbus_gateway.typing_throttle import TypingThrottle
from chatterbus_gateway.wall_time import iso_time
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)


class Gateway:
    """Made by app.py."""

    def __init__(
        self,
        *,
        link: NatsLink,
        queue: CommandQueue,
        follower: Follower,
        reporter: Reporter,
        notifier: Notifier,
        watch_requests: WatchRequests,
        credentials: Credentials,
        revocations: Revocations,
        epoch: StoreEpoch,
        admission: Admission,
        policy: SocketPolicy,
        counts: Counts,
        receipts_interval_s: float,
        typing_interval_s: float,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.now_s = loop.time
        self.gateway_id: GatewayId = queue.gateway_id
        self.queue = queue
        self.follower = follower
        self.reporter = reporter
        self.watch_requests = watch_requests
        self.credentials = credentials
        self._revocations = revocations
        self.admission = admission
        self.policy = policy
        self.counts = counts
        self.draining = False
        self.hub: Hub[Connection] = Hub(policy)
        self.user_feed = UserFeed(link, self.hub.of_user)
        self.wheel = TimerWheel(loop.time())
        self.writer = TurnWriter()
        self.readers = FrameReaders()
        self._link = link
        self._notifier = notifier
        self._epoch = epoch
        self._receipts = Receipts()
        self._receipts_interval_s = receipts_interval_s
        self._receipts_timer: asyncio.TimerHandle | None = None
        self._throttle = TypingThrottle(typing_interval_s)
        self._incarnation = secrets.token_hex(5)
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = loop

    # --- connections -------------------------------------------------------------------------------------------------

    def accept(self, transport: asyncio.Transport, address: str) -> Connection:
        """An upgrade was accepted."""
        connection = Connection(self, transport, address)
        self.hub.add(connection, address)
        self.counts.connections_opened += 1
        return connection

    def forget(self, connection: Connection) -> None:
        """Its socket is gone."""
        user_id = connection.user_id
        self.wheel.forget(connection)
        self.follower.forget(connection, list(connection.session.threads))
        self.hub.remove(connection, connection.address, user_id or None)
        if user_id:
            self.reporter.gone(connection.session.connection_id, user_id, moving=connection.moving)
            self.user_feed.lost(user_id)
            self.watch_requests.forget(connection)
        self.counts.connections_closed += 1

    def tokens_revoked(self, revocation: Revocation) -> None:
        """Close what they opened."""
        user_id = revocation.user_id
        for connection in self.hub.connections if user_id is None else self.hub.of_user(user_id):
            principal = connection.session.principal
            if principal is not None and self._revocations.covers(principal):
                connection.session.close(CloseCode.TOKEN_EXPIRED, "the token was revoked")

    def next_connection_id(self) -> str:
        """Unique, since the process's part is random, also where its gateway id is not."""
        return f"{self._incarnation}-{next(self._numbers)}"

    def ping_jitter_s(self) -> float:
        """How long ago to pretend that the last ping was, so that pings of a storm spread."""
        return random.uniform(0, self.policy.ping_every_s)  # noqa: S311 - spreads load, guards nothing

    def auth_success(self, connection_id: str, principal: Principal) -> AuthSuccess:
        """The answer to a good auth."""
        return AuthSuccess(
            user_id=principal.user_id,
            user_type=principal.user_type,
            connection_id=connection_id,
            protocol_version=PROTOCOL_VERSION,
            store_epoch=self._epoch.current,
            server_time=iso_time(time.time()),
            heartbeat_interval_ms=int(self.policy.ping_every_s * 1000),
            token_expires_at=None if principal.expires_at is None else iso_time(principal.expires_at),
            limits={
                **{name: limit.value for name, limit in LIMITS.items()},
                "subscriptions": self.policy.threads_max,
                "in_flight": self.policy.in_flight_max,
                "frames_per_second": int(self.policy.frames_per_s),
                "frames_burst": self.policy.frames_burst,
            },
        )

    def attends(self, user_id: UserId, thread_id: ThreadId) -> bool:
        """Whether the user looks at the thread here, on an active device."""
        return any(
            connection.session.is_attending and self.follower.is_live(connection, thread_id)
            for connection in self.hub.of_user(user_id)
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run bounded work for a connection."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work for a connection failed", exc_info=error)

    async def turn_wheel(self) -> None:
        """Visit connections for ever. Run as a background task."""
        while True:
            await asyncio.sleep(TICK_S)
            self.wheel.turn(self._loop.time())

    async def close(self) -> None:
        """Stop what runs for connections."""
        if self._receipts_timer is not None:
            self._receipts_timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- receipts, typing, presence ----------------------------------------------------------------------------------

    def move_cursor(
        self, principal: Principal, thread_id: ThreadId, delivered_seq: int | None, read_seq: int | None
    ) -> None:
        """Move a user's cursors, with others of the same interval."""
        cursor = Cursor(principal.user_id, principal.user_type, thread_id, delivered_seq, read_seq)
        if not self._receipts.add(cursor):
            self.counts.receipts_dropped += 1
        elif self._receipts_timer is None:
            self._receipts_timer = self._loop.call_later(self._receipts_interval_s, self.flush_receipts)

    def flush_receipts(self) -> None:
        """Queue what was gathered. What the queue does not take is dropped: the next receipt says the same or more."""
        if self._receipts_timer is not None:
            self._receipts_timer.cancel()
            self._receipts_timer = None
        for cursor in self._receipts.take():
            command = MoveCursor(
                id=CommandId(f"{self._incarnation}-r{next(self._numbers)}"),
                thread_id=cursor.thread_id,
                user_id=cursor.user_id,
                user_type=cursor.user_type,
                delivered_seq=cursor.delivered_seq,
                read_seq=cursor.read_seq,
            )
            try:
                self.queue.post(command)
            except Refusal:
                self.counts.receipts_dropped += 1

    def choose_presence(
        self, user_id: UserId, status: Choice, ref: str | None, settle: Callable[[Outcome], None]
    ) -> None:
        """Have the user seen like this, everywhere."""
        self.spawn(self._choose_presence(user_id, status, ref, settle))

    async def _choose_presence(
        self, user_id: UserId, status: Choice, ref: str | None, settle: Callable[[Outcome], None]
    ) -> None:
        try:
            await self._notifier.choose(user_id, status)
        except Refusal as refusal:
            settle(refusal)
        else:
            settle(Answer(CommandId(""), applied=True, frame=encode(Ack(ref=ref))))

    def message_sent(self, user_id: UserId, thread_id: ThreadId) -> None:
        """The user's typing ends with it."""
        self._throttle.message_sent(user_id, thread_id)

    def notify_typing(self, principal: Principal, thread_id: ThreadId, is_typing: bool) -> None:
        """Tell all gateways, this one too; of a hidden user nobody, for it would show that somebody is there."""
        if self.user_feed.is_hidden(principal.user_id):
            return
        if not self._throttle.admits(principal.user_id, thread_id, is_typing, self._loop.time()):
            return
        notice = TypingNotice(
            thread_id=thread_id, user_id=principal.user_id, user_type=principal.user_type, is_typing=is_typing
        )
        try:
            self._link.publish(typing_subject(thread_id), encode(notice))
        except LinkError:
            self.counts.ephemeral_dropped += 1
