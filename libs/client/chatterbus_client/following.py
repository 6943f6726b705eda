"""The threads a client follows: subscribes, applies, catches up, on every connection anew.

Promises: each thread's timeline gets every frame of its thread in the order of arrival; a gap, a `page`, a `reset` or a
`resync` is repaired by REST while live events go on; each applied event is emitted once, in rev order per thread.
When the newest message of a thread is here, `on_arrived` is told. CaughtUp is emitted whenever a thread has become true
after a subscribe or a repair. A thread that the server refuses for good is let go, with ThreadLost. Repairs that fail
for now are repeated with backoff while the connection lives.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_client.errors import Refused, Unreachable
from chatterbus_client.events import CaughtUp, ClientEvent, ThreadLost
from chatterbus_client.rest import Rest
from chatterbus_client.settings import ClientSettings
from chatterbus_client.timeline import ThreadEvent, Timeline
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import Subscribe, Unsubscribe
from chatterbus_contracts.frames.server import Error, MemberRemoved, Resync, Subscribed
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.limits import CHANGES_PAGE_MAX, HISTORY_PAGE_MAX

HISTORY_AFTER_RESET: Final = 50


class Followed:
    """One thread: its timeline, and how far its subscription has come on this connection."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.history = 0  # messages to show; as many are fetched again after a reset
        self.subscribed = False
        self.caught_up = False
        self.was_reset = False
        self.is_being_left = False
        self.waiters = 0
        self.answer: asyncio.Future[None] | None = None
        self.repair: asyncio.Task[None] | None = None
        self.moved = asyncio.Event()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Following:
    """All followed threads of one client. `on_position` is told whether all of them are caught up."""

    def __init__(
        self,
        rest: Rest,
        settings: ClientSettings,
        emit: Callable[[ClientEvent], None],
        on_position: Callable[[bool], None],
        on_arrived: Callable[[Timeline], None],
    ) -> None:
        self._rest = rest
        self._settings = settings
        self._emit = emit
        self._on_position = on_position
        self._on_arrived = on_arrived
        self._threads: dict[str, Followed] = {}
        self._connection: Connection | None = None
        self._user_id: str | None = None
        self._epoch: str | None = None
        self._asked: dict[str, Followed] = {}  # subscribes of this connection by ref
        self._refs = count(1)

    def get(self, thread_id: str) -> Followed | None:
        """The thread, if it is followed."""
        return self._threads.get(thread_id)

    def member_ids(self) -> set[str]:
        """The members of all followed threads."""
        return {user_id for followed in self._threads.values() for user_id in followed.timeline.members}

    async def follow(self, thread_id: ThreadId, history: int) -> Timeline:
        """Follow a thread from now on. Raises Refused, or TimeoutError when no answer came in time."""
        followed = self._threads.get(thread_id)
        if followed is None:
            settings = self._settings
            timeline = Timeline(thread_id, messages_max=settings.thread_messages_max, held_max=settings.held_events_max)
            followed = self._threads[thread_id] = Followed(timeline)
            self._repair(followed)
        followed.history = max(followed.history, history)
        followed.waiters += 1
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await asyncio.wait([followed.ready])
                followed.ready.result()
                while followed.timeline.members_cursor is not None:
                    followed.moved.clear()
                    await followed.moved.wait()
                missing = followed.history - len(followed.timeline.messages)
                if missing > 0 and followed.timeline.oldest_seq > 1:
                    await self._load_history(followed)
                self._note_arrival(followed)
        finally:
            followed.waiters -= 1
            if not followed.ready.done() and followed.waiters == 0:
                self._forget(followed)
        return followed.timeline

    async def unfollow(self, thread_id: ThreadId) -> None:
        """Stop following; its view stands still from here on."""
        followed = self._threads.get(thread_id)
        if followed is None:
            return
        self._forget(followed)
        if self._connection is not None:
            with contextlib.suppress(ConnectionLost):
                await self._connection.send(Unsubscribe(thread_id=thread_id))

    @contextlib.contextmanager
    def leaving(self, thread_id: str) -> Iterator[None]:
        """The user is leaving of their own will: no ThreadLost when it is told meanwhile."""
        followed = self._threads.get(thread_id)
        if followed is None:
            yield
            return
        followed.is_being_left = True
        try:
            yield
        finally:
            followed.is_being_left = False

    def opened(self, connection: Connection, user_id: str, epoch: str | None) -> None:
        """A new connection: subscribe to everything again, each from its rev."""
        replaced = self._epoch is not None and epoch is not None and epoch != self._epoch
        self._epoch = epoch if epoch is not None else self._epoch
        self._connection = connection
        self._user_id = user_id
        for followed in self._threads.values():
            if replaced and followed.timeline.started:
                followed.timeline.abandon()
            self._repair(followed)
        self._tell_position()

    def lost(self) -> None:
        """The connection is gone."""
        self._connection = None
        for followed in self._threads.values():
            followed.subscribed = followed.caught_up = False
            followed.timeline.disconnected()
            self._stop_repair(followed)

    def close(self, error: Exception) -> None:
        """The client is closed."""
        self.lost()
        for followed in self._threads.values():
            if not followed.ready.done():
                followed.ready.set_exception(error)
                followed.ready.exception()

    def subscribed(self, frame: Subscribed) -> None:
        """The answer to a subscribe."""
        followed = self._threads.get(frame.thread_id)
        if followed is None:
            return
        was_started = followed.timeline.started
        followed.timeline.subscribed(frame)
        followed.was_reset |= was_started and followed.timeline.needs == "history"
        followed.subscribed = True
        if followed.answer is not None and not followed.answer.done():
            followed.answer.set_result(None)
        if not followed.ready.done():
            followed.ready.set_result(None)
        self._settle(followed)

    def refused(self, frame: Error) -> None:
        """An error frame that names a subscribe by its ref."""
        followed = self._asked.get(frame.ref or "")
        if followed is not None and followed.answer is not None and not followed.answer.done():
            followed.answer.set_exception(Refused.by_frame(frame))

    def happened(self, event: ThreadEvent) -> None:
        """A live or replayed event."""
        followed = self._threads.get(event.thread_id)
        if followed is None:
            self._emit(event)
            return
        for applied in followed.timeline.receive(event):
            self._emit(applied)
            if isinstance(applied, MemberRemoved) and applied.data.user_id == self._user_id:
                self._lose(followed, Refused.by_code(ErrorCode.NOT_A_MEMBER, "you were removed from this thread"))
                return
        followed.moved.set()
        self._note_arrival(followed)
        self._settle(followed)

    def resync(self, frame: Resync) -> None:
        """The server may have missed something, of one thread or of all."""
        for followed in list(self._threads.values()):
            if frame.thread_id in (None, followed.timeline.thread_id):
                followed.timeline.resync()
                self._settle(followed)

    def _settle(self, followed: Followed) -> None:
        """After every change: caught up now, or something to repair."""
        timeline = followed.timeline
        settled = followed.subscribed and timeline.needs == "nothing"
        if settled == followed.caught_up:
            return
        followed.caught_up = settled
        if settled:
            self._emit(CaughtUp(timeline.thread_id, timeline.rev, followed.was_reset))
            followed.was_reset = False
            self._note_arrival(followed)
        else:
            self._repair(followed)
        self._tell_position()

    def _note_arrival(self, followed: Followed) -> None:
        timeline = followed.timeline
        if timeline.message(timeline.last_seq) is not None:
            self._on_arrived(timeline)

    def _tell_position(self) -> None:
        if self._connection is not None:
            self._on_position(all(followed.caught_up for followed in self._threads.values()))

    def _repair(self, followed: Followed) -> None:
        if self._connection is not None and (followed.repair is None or followed.repair.done()):
            followed.repair = asyncio.create_task(self._make_true(followed, self._connection))

    def _stop_repair(self, followed: Followed) -> None:
        if followed.repair is not None:
            followed.repair.cancel()
            followed.repair = None

    async def _make_true(self, followed: Followed, connection: Connection) -> None:
        delay_s = self._settings.retry_initial_s
        while not (followed.subscribed and followed.timeline.needs == "nothing"):
            before = _stand(followed)
            try:
                await self._repair_once(followed, connection)
            except ConnectionLost:
                return
            except Refused as refused:
                if not refused.retryable:
                    self._lose(followed, refused)
                    return
            except (Unreachable, TimeoutError):
                pass  # repeated below
            self._settle(followed)
            if before == _stand(followed):
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, self._settings.retry_maximum_s)

    async def _repair_once(self, followed: Followed, connection: Connection) -> None:
        timeline = followed.timeline
        if not followed.subscribed:
            await self._subscribe(followed, connection)
        elif timeline.needs == "replay":
            await self._await_replay(followed)
        elif timeline.needs == "history":
            limit = min(max(followed.history, HISTORY_AFTER_RESET), HISTORY_PAGE_MAX)
            timeline.replace((await self._rest.history(timeline.thread_id, limit=limit)).items)
            if timeline.details is not None:
                timeline.receive_details(await self._rest.details(timeline.thread_id))
        elif timeline.needs == "changes":
            await self._fetch_changes(timeline)
        elif timeline.needs == "members":
            timeline.receive_members(await self._rest.receipts(timeline.thread_id, cursor=timeline.members_cursor))
            followed.moved.set()

    async def _subscribe(self, followed: Followed, connection: Connection) -> None:
        timeline = followed.timeline
        since_rev = timeline.resume_rev if timeline.started and timeline.needs != "history" else None
        followed.answer = asyncio.get_running_loop().create_future()
        ref = f"subscribe-{next(self._refs)}"
        self._asked[ref] = followed
        try:
            await connection.turn()
            await connection.send(Subscribe(thread_id=ThreadId(timeline.thread_id), since_rev=since_rev, ref=ref))
            async with asyncio.timeout(self._settings.request_timeout_s):
                await followed.answer
        finally:
            del self._asked[ref]

    async def _await_replay(self, followed: Followed) -> None:
        followed.moved.clear()
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await followed.moved.wait()
        except TimeoutError:
            followed.timeline.disconnected()  # it stopped half-way: changes are fetched instead

    async def _fetch_changes(self, timeline: Timeline) -> None:
        timeline.fetching()
        try:
            page = await self._rest.changes(timeline.thread_id, timeline.resume_rev, limit=CHANGES_PAGE_MAX)
        except BaseException:
            timeline.resync()
            raise
        for event in timeline.receive_page(page):
            self._emit(event)

    async def _load_history(self, followed: Followed) -> None:
        limit = min(followed.history, HISTORY_PAGE_MAX)
        page = await self._rest.history(followed.timeline.thread_id, limit=limit)
        followed.timeline.receive_history(page.items)

    def _lose(self, followed: Followed, refused: Refused) -> None:
        was_ready = followed.ready.done()
        self._forget(followed)
        if was_ready:
            if not followed.is_being_left:
                self._emit(ThreadLost(followed.timeline.thread_id, refused))
        else:
            followed.ready.set_exception(refused)
            followed.ready.exception()

    def _forget(self, followed: Followed) -> None:
        self._threads.pop(followed.timeline.thread_id, None)
        if followed.repair is not asyncio.current_task():
            self._stop_repair(followed)
        self._tell_position()


def _stand(followed: Followed) -> tuple[bool, int, str, str | None]:
    """How far it has come: a repair that changes nothing of it is repeated after a pause."""
    timeline = followed.timeline
    return followed.subscribed, timeline.rev, timeline.needs, timeline.members_cursor
