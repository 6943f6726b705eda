"""Tells connected users what they have not read.

Promises: every new connection gets a snapshot once its user is loaded; every change after that is told to all
connections of the user, at most once per thread and `notifier_unread_interval_s`, the last value always. Events are
followed before anything is loaded, so nothing falls between. What NATS does not take (it is away, or behind: LinkFull)
is dropped, and made good by a snapshot to all connections of the user. Nothing is told without `guard`, and nothing is
kept of users who left LINGER_S ago. What waits is bounded by who is connected: a user's snapshot, or a thread's value.
Does not promise a frame per message: values are absolute, and those in between are dropped on purpose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import structlog

from chatterbus_contracts.codec import DecodeError, decode
from chatterbus_contracts.envelopes import EVERYWHERE, Notice, decode_events, notice_line, pack_lines
from chatterbus_contracts.ids import ConnectionId, ThreadId, UserId
from chatterbus_contracts.own_states import OWN_STATE_CHANGED
from chatterbus_contracts.subjects import ALL_EVENTS, ALL_OWN_STATES, parse_event_subject, user_subject
from chatterbus_contracts.topology import events_stream
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.unread.counts import Counts
from chatterbus_notifier.unread.frames import farewell, unread_notice, unread_snapshot
from chatterbus_notifier.unread.loader import Loader, Store
from chatterbus_notifier.unread.pacer import Pacer
from chatterbus_notifier.unread.standing import User
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.link_errors import LinkDown, LinkError, LinkFull
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_follower import StreamFollower

log: Final = structlog.stdlib.get_logger(__name__)

LINGER_S: Final = 5.0  # a reload of the page needs no load then
TURN_MIN_S: Final = 0.01
SNAPSHOTS_PER_TURN: Final = 100
OWN_STATES_PREFIX: Final = ALL_OWN_STATES.removesuffix("*")


class UnreadDesk:
    """An Audience of the presence desk. `run` once."""

    def __init__(
        self,
        link: NatsLink,
        shard: Shard,
        store: Store,
        clock: VersionClock,
        guard: Callable[[], bool],
        settings: NotifierSettings,
    ) -> None:
        self._link = link
        self._shard = shard
        self._clock = clock
        self._guard = guard
        self._interval_s = settings.notifier_unread_interval_s
        self.counts = Counts()
        self._loader = Loader(store, self.counts, self._loaded)
        self._pacer: Pacer[tuple[UserId, ThreadId]] = Pacer(self._interval_s)
        self._awaiting: dict[UserId, list[ConnectionId]] = {}  # connections of users who are not loaded
        self._leaving: dict[UserId, float] = {}  # in this order, since all linger equally long
        self._untold: dict[UserId, None] = {}  # a frame was lost, or may have been
        self._follower = StreamFollower(
            link, events_stream().name, self._arrived, self._lost, subjects=(ALL_EVENTS, ALL_OWN_STATES)
        )

    @property
    def settled(self) -> bool:
        """Whether nothing is wanted, waiting, or untold."""
        return self._loader.idle and not self._awaiting and not self._untold and self._pacer.next_due_s() is None

    @property
    def following(self) -> asyncio.Event:
        """Set while events arrive."""
        return self._follower.following

    @property
    def position(self) -> int:
        """Stream sequence of the last event heard."""
        return self._follower.position

    async def run(self) -> None:
        """Follow, load and tell. Ends when cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run(None))
            await self._follower.following.wait()
            log.info("unread counts are kept", shard=str(self._shard))
            tasks.create_task(self._loader.run())
            await self._tell_for_ever()

    # --- the audience ------------------------------------------------------------------------------------------------

    def connection_joined(self, user_id: UserId, connection_id: ConnectionId) -> None:
        """A new connection: tell it all."""
        self._leaving.pop(user_id, None)
        user = self.counts.join(user_id)
        if user.loaded:
            self._tell_all(user, connection_id)
            return
        self._awaiting.setdefault(user_id, []).append(connection_id)
        self._loader.wake()

    def user_left(self, user_id: UserId) -> None:
        """No connection is left."""
        self._leaving.pop(user_id, None)
        self._leaving[user_id] = asyncio.get_running_loop().time() + LINGER_S

    def link_found(self) -> None:
        """NATS was away, so gateways may have missed frames: tell everybody all."""
        self._untold.update(dict.fromkeys(self.counts.users))
        self._follower.link_returned()

    # --- what arrives ------------------------------------------------------------------------------------------------

    def _arrived(self, _stream_seq: int, message: Message) -> None:
        try:
            if message.subject.startswith(OWN_STATES_PREFIX):
                for line in decode_events(message.data):
                    self.counts.hear_own(decode(OWN_STATE_CHANGED, line.frame))
            else:
                self.counts.hear(parse_event_subject(message.subject), decode_events(message.data))
        except ValueError as error:  # DecodeError, or a subject of nobody's
            log.error("what was announced cannot be read", subject=message.subject, reason=_reason(error))
        self._changed()

    def _lost(self, reason: str) -> None:
        log.warning("events may be missing: loading all unread counts again", reason=reason)
        self.counts.lost()
        self._loader.wake()

    def _loaded(self, users: Iterable[User]) -> None:
        for user in users:
            awaiting = self._awaiting.pop(user.id, None)
            if awaiting is None:
                self._untold[user.id] = None
            for connection_id in awaiting or ():
                self._tell_all(user, connection_id)
        self._changed()

    def _changed(self) -> None:
        changed = self.counts.take_changed()
        if changed:
            now_s = asyncio.get_running_loop().time()
            self._tell(key for key in changed if self._pacer.touch(key, now_s))
        self._loader.wake()

    # --- what is told ------------------------------------------------------------------------------------------------

    async def _tell_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            self._forget_left(now_s)
            self._tell(self._pacer.due(now_s))
            self._tell_untold()
            # What is touched while this sleeps is due an interval after its touch, so never before the sleep ends.
            due_s = self._pacer.next_due_s()
            pause_s = self._interval_s if due_s is None else min(due_s - now_s, self._interval_s)
            await asyncio.sleep(max(pause_s, TURN_MIN_S))

    def _forget_left(self, now_s: float) -> None:
        while self._leaving:
            user_id, until_s = next(iter(self._leaving.items()))
            if until_s > now_s:
                return
            del self._leaving[user_id]
            self._awaiting.pop(user_id, None)
            self._untold.pop(user_id, None)
            self.counts.forget(user_id)

    def _tell(self, keys: Iterable[tuple[UserId, ThreadId]]) -> None:
        lines: dict[UserId, list[bytes]] = {}
        for user_id, thread_id in keys:
            user = self.counts.users.get(user_id)
            if user is not None and user.loaded:
                frame = self._unread(user, thread_id)
                lines.setdefault(user_id, []).append(notice_line(Notice(EVERYWHERE, "unread", frame)))
        for user_id, told in lines.items():
            self._publish(user_id, told)

    def _unread(self, user: User, thread_id: ThreadId) -> bytes:
        standing = user.standings.get(thread_id)
        version = self._clock.next()
        if standing is None:
            return farewell(user, thread_id, version)
        return unread_notice(user, self.counts.threads[thread_id], standing, version)

    def _tell_all(self, user: User, target: str) -> bool:
        frame = unread_snapshot(user, self.counts.threads, self._clock.next())
        return self._publish(user.id, [notice_line(Notice(target, "unread_snapshot", frame))])

    def _tell_untold(self) -> None:
        for user_id in list(islice(self._untold, SNAPSHOTS_PER_TURN)):
            del self._untold[user_id]
            user = self.counts.users.get(user_id)
            if user is not None and user.loaded and not self._tell_all(user, EVERYWHERE):
                return

    def _publish(self, user_id: UserId, lines: list[bytes]) -> bool:
        if not self._guard():
            self._untold[user_id] = None
            return False
        try:
            for envelope in pack_lines(lines):
                self._link.publish(user_subject(user_id), envelope)
        except (LinkDown, LinkFull):
            self._untold[user_id] = None
            return False
        except LinkError as error:
            log.error("unread counts cannot be told", reason=type(error).__name__)
            return False
        return True


def _reason(error: ValueError) -> str:
    return error.message if isinstance(error, DecodeError) else type(error).__name__
