"""Following threads on behalf of connections: NATS subscriptions, and the atomic subscribe.

Promises: while a local connection follows a thread, and some seconds longer, its events and typing notices are
listened to, once. A subscribe is answered with the state (or the changes since the client's rev) read after the
listening began, then everything that happened since, then live events; no event falls between. Requests of one
connection about one thread are worked off in order. When the link to NATS was lost, every follower is told `resync`.
After every gap that is known of, the followers' membership is asked for anew (membership_check.py), and so are the
members whose presence they hear of, which comes behind the answer to the subscribe (presence/).
Does not promise that an event comes: NATS core is at most once; a gap shows by its rev.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import DecodeError, Wire, encode
from chatterbus_contracts.envelopes import decode_events
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.server import Resync
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskSync
from chatterbus_contracts.subjects import event_subject, typing_subject
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.feed import Feed, Recipient
from chatterbus_gateway.membership_check import MembershipCheck
from chatterbus_gateway.presence.member_check import MemberCheck
from chatterbus_gateway.presence.presence_book import PresenceBook
from chatterbus_gateway.sync_reply import SyncReply
from chatterbus_gateway.wire_frame import ws_frame
from chatterbus_runtime.link_errors import LinkDown
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

LINGER_S: Final = 5.0  # how long a thread is listened to after the last follower left: a reload comes back in time
FLUSH_TIMEOUT_S: Final = 5.0
JOIN_TIMEOUT_S: Final = 15.0  # of one subscribe, waiting for its turn included
SYNCS_AT_A_TIME: Final = 64  # asked of the store; others wait their turn, so that a storm does not time out as a whole
RETRY_AFTER_MS: Final = 1_000


class Asks(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class Join:
    """What a connection asks of a thread: a subscribe with its rev and ref, and what to call when it is refused."""

    __slots__ = ("on_refused", "ref", "since_rev")

    def __init__(self, since_rev: int | None, ref: str | None, on_refused: Callable[[Refusal], None]) -> None:
        self.since_rev = since_rev
        self.ref = ref
        self.on_refused = on_refused


class Leave:
    """An unsubscribe that waits for a join before it, and what to call then."""

    __slots__ = ("on_left",)

    def __init__(self, on_left: Callable[[], None]) -> None:
        self.on_left = on_left


class Followed:
    """A thread with its listeners."""

    __slots__ = ("active", "events", "feed", "idle_timer", "typing")

    def __init__(self, feed: Feed, events: Listener, typing: Listener) -> None:
        self.feed = feed
        self.events = events
        self.typing = typing
        self.active = False  # the server knows of the listeners
        self.idle_timer: asyncio.TimerHandle | None = None


class Follower:
    """One per gateway."""

    def __init__(
        self, link: NatsLink, store: Asks, counts: Counts, book: PresenceBook, *, linger_s: float = LINGER_S
    ) -> None:
        self._link = link
        self._store = store
        self._counts = counts
        self._book = book
        self._linger_s = linger_s
        self._check = MembershipCheck(store, counts, self._maybe_linger)
        self._member_check = MemberCheck(store, book.watches.followers, book.read)
        self._threads: dict[ThreadId, Followed] = {}
        self._requests: dict[tuple[Recipient, ThreadId], deque[Join | Leave]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._syncs = asyncio.Semaphore(SYNCS_AT_A_TIME)
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        """Threads that are listened to."""
        return len(self._threads)

    @property
    def joining(self) -> int:
        """Subscribes that are on their way."""
        return len(self._requests)

    def is_live(self, recipient: Recipient, thread_id: ThreadId) -> bool:
        """Whether this connection gets the thread's events as they come."""
        followed = self._threads.get(thread_id)
        return followed is not None and followed.feed.follows(recipient)

    # --- requests ----------------------------------------------------------------------------------------------------

    def join(self, recipient: Recipient, thread_id: ThreadId, join: Join) -> None:
        """Subscribe, behind what this connection asked of the thread before."""
        waiting = self._requests.get((recipient, thread_id))
        if waiting is not None:
            waiting.append(join)
            return
        self._requests[recipient, thread_id] = deque((join,))
        task = self._loop.create_task(self._work_off(recipient, thread_id), name="join")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def leave(self, recipient: Recipient, thread_id: ThreadId, leave: Leave) -> None:
        """Unsubscribe, behind what this connection asked of the thread before."""
        waiting = self._requests.get((recipient, thread_id))
        if waiting is not None:
            waiting.append(leave)
        else:
            self._leave(recipient, thread_id)
            leave.on_left()

    def forget(self, recipient: Recipient, thread_ids: list[ThreadId]) -> None:
        """The connection is gone, with all it asked for."""
        for thread_id in thread_ids:
            waiting = self._requests.get((recipient, thread_id))
            if waiting is not None:
                waiting.clear()
            self._leave(recipient, thread_id)

    async def close(self) -> None:
        """Stop all listening."""
        await self._check.close()
        await self._member_check.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for thread_id in tuple(self._threads):
            self._drop(thread_id)

    # --- joining -----------------------------------------------------------------------------------------------------

    async def _work_off(self, recipient: Recipient, thread_id: ThreadId) -> None:
        requests = self._requests[recipient, thread_id]
        try:
            while requests:
                request = requests[0]
                if isinstance(request, Leave):
                    self._leave(recipient, thread_id)
                    request.on_left()
                else:
                    await self._join(recipient, thread_id, request, requests)
                if requests:
                    requests.popleft()
        finally:
            del self._requests[recipient, thread_id]

    async def _join(self, recipient: Recipient, thread_id: ThreadId, join: Join, requests: deque[Join | Leave]) -> None:
        try:
            followed = self._listened(thread_id)
            followed.feed.begin_join(recipient)
            reply = await self._synced(followed, recipient, thread_id, join)
            frames = reply.frames(join.ref)
        except Refusal as refusal:
            self._join_refused(recipient, thread_id, join, refusal, gone=not requests)
        except Exception:
            log.exception("subscribe failed", thread_id=thread_id)
            failed = Refusal(ErrorCode.INTERNAL, "the subscribe failed")
            self._join_refused(recipient, thread_id, join, failed, gone=not requests)
        else:
            if reply.removes(recipient.user_id):
                followed.feed.leave(recipient)
                recipient.push(frames)
                recipient.unfollowed(thread_id)
            else:
                if not self._book.read(thread_id, reply.rev, reply.member_ids):
                    self._member_check.doubt(thread_id)
                followed.feed.complete_join(recipient, reply.rev, frames)
                if followed.feed.follows(recipient):
                    self._book.joined(recipient, thread_id)
            self._count_resyncs(followed.feed)
            self._maybe_linger(thread_id)

    def _join_refused(
        self, recipient: Recipient, thread_id: ThreadId, join: Join, refusal: Refusal, *, gone: bool
    ) -> None:
        self._leave(recipient, thread_id)
        if not gone:
            recipient.unfollowed(thread_id)
            join.on_refused(refusal)

    async def _synced(self, followed: Followed, recipient: Recipient, thread_id: ThreadId, join: Join) -> SyncReply:
        reply = SyncReply()
        question = AskSync(thread_id=thread_id, user_id=recipient.user_id, since_rev=join.since_rev)
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S), self._syncs:
                await self._make_active(followed)
                reply.add(await self._store.ask("sync", question))
                while reply.wants_more:
                    question = question.model_copy(update={"since_rev": reply.through_rev})
                    reply.add(await self._store.ask("sync", question))
        except TimeoutError:
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "the store is busy", retry_after_ms=RETRY_AFTER_MS) from None
        except DecodeError as error:
            log.error("sync cannot be read", reason=error.message)
            raise Refusal(ErrorCode.INTERNAL, "the store's answer cannot be read") from None
        return reply

    async def _make_active(self, followed: Followed) -> None:
        if followed.active:
            return
        try:
            await self._link.flush(FLUSH_TIMEOUT_S)
        except (TimeoutError, LinkDown):
            raise _unavailable() from None
        followed.active = True

    def _listened(self, thread_id: ThreadId) -> Followed:
        followed = self._threads.get(thread_id)
        if followed is None:
            feed = Feed(thread_id)
            try:
                followed = Followed(
                    feed,
                    self._link.listen(event_subject(thread_id), partial(self._events_came, feed)),
                    self._link.listen(typing_subject(thread_id), partial(self._typing_came, feed)),
                )
            except LinkDown:
                raise _unavailable() from None
            self._threads[thread_id] = followed
            self._book.opened(thread_id, feed)
        elif followed.idle_timer is not None:
            followed.idle_timer.cancel()
            followed.idle_timer = None
        return followed

    # --- holes without an event behind them --------------------------------------------------------------------------

    def live_feeds(self) -> dict[ThreadId, Feed]:
        """The threads that somebody follows live."""
        return {thread_id: followed.feed for thread_id, followed in self._threads.items() if followed.feed.is_live}

    def missed(self, feed: Feed, store_rev: int) -> None:
        """The events of a thread through `store_rev` did not come."""
        feed.miss(store_rev)
        self._count_resyncs(feed)

    # --- leaving -----------------------------------------------------------------------------------------------------

    def _leave(self, recipient: Recipient, thread_id: ThreadId) -> None:
        followed = self._threads.get(thread_id)
        if followed is not None:
            followed.feed.leave(recipient)
            self._maybe_linger(thread_id)

    def _maybe_linger(self, thread_id: ThreadId) -> None:
        followed = self._threads.get(thread_id)
        if followed is not None and not followed.feed and followed.idle_timer is None:
            followed.idle_timer = self._loop.call_later(self._linger_s, self._drop, thread_id)

    def _drop(self, thread_id: ThreadId) -> None:
        followed = self._threads.pop(thread_id)
        if followed.idle_timer is not None:
            followed.idle_timer.cancel()
        followed.events.close()
        followed.typing.close()
        self._book.closed(thread_id)

    # --- events ------------------------------------------------------------------------------------------------------

    def _events_came(self, feed: Feed, message: Message) -> None:
        try:
            events = decode_events(message.data)
        except DecodeError as error:
            log.error("events cannot be read", thread_id=feed.thread_id, reason=error.message)
            return
        self._counts.events_in += len(events)
        feed.receive(events)
        if feed.membership:
            self._book.moved(feed.thread_id, feed.membership)
            feed.membership.clear()
        self._count_resyncs(feed)
        if not feed:
            self._maybe_linger(feed.thread_id)

    def _typing_came(self, feed: Feed, message: Message) -> None:
        feed.receive_typing(message.data)

    def link_lost(self) -> None:
        """The link to NATS is down: events are being missed, and listeners are not known to the server."""
        for followed in self._threads.values():
            followed.active = False
            followed.feed.lose_place()

    def link_found(self) -> None:
        """The server knows all listeners again: what is read from now on has no hole."""
        told: set[Recipient] = set()
        frame = ws_frame(encode(Resync(reason="link_lost")))
        for followed in self._threads.values():
            followed.active = True
            followed.feed.lose_place()
            told.update(followed.feed.recipients)
            if followed.feed:
                self._doubt(followed.feed)
        for recipient in told:
            recipient.push(frame)
        self._counts.resyncs += len(told)
        if told:
            log.warning("resync after a lost link", connections=len(told), threads=len(self._threads))

    def _count_resyncs(self, feed: Feed) -> None:
        if feed.resyncs:
            self._counts.resyncs += feed.resyncs
            log.info("gap in the events of a thread", thread_id=feed.thread_id, connections=feed.resyncs)
            feed.resyncs = 0
            self._doubt(feed)

    def _doubt(self, feed: Feed) -> None:
        self._check.doubt(feed)
        self._member_check.doubt(feed.thread_id)


def _unavailable() -> Refusal:
    return Refusal(ErrorCode.STORE_UNAVAILABLE, "live events cannot be reached", retry_after_ms=RETRY_AFTER_MS)
