"""Looks at one thread that is due: who misses something there, and is to be told now?

Promises: everybody whose oldest unread message is old enough is told, unless an active device of theirs shows the
thread, the thread is muted, nothing is new since they were last told, or that was less than the interval ago; those
whom it is too early to tell are named in the result, by time. Reading anywhere cancels: the store is asked when the
thread is due. One event for a user and thread, however many messages. A failure that may pass raises, and the check
can be made again: who was told by then is not told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.ids import ThreadId, UserId, parse_user_id
from chatterbus_contracts.queries import AskMissed, Missed, MissedMember
from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.missed.hook_events import missed_event, missed_id
from chatterbus_notifier.missed.notes import Note, Notes
from chatterbus_notifier.missed.verdict import verdict

NOTES_AT_ONCE: Final = 32  # of all checks
NEXT_DUE_SLACK_S: Final = 0.05  # so that the store finds the message old enough

T = TypeVar("T")


class Store(Protocol):
    """The part of StoreQueries that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> Missed: ...


class Attends(Protocol):
    """The part of Attendance that is needed here."""

    async def of(self, thread_id: ThreadId, user_ids: list[UserId]) -> frozenset[UserId]: ...


class NotLeading(Exception):
    """Another process may be telling the same; nothing was published."""


@dataclass(frozen=True, slots=True)
class Result:
    """In how many seconds to look again, None: not until there is another message. `held`: somebody with an old enough
    message was left out for now, so all the thread's messages stay open."""

    again_s: float | None = None
    held: bool = False

    def and_also(self, other: Result) -> Result:
        """Both."""
        waits = [wait for wait in (self.again_s, other.again_s) if wait is not None]
        return Result(min(waits, default=None), self.held or other.held)


class ThreadCheck:
    """`publish` returns when the event is safe, or raises; `iso_time` writes unix milliseconds as the protocol does."""

    def __init__(
        self,
        store: Store,
        notes: Notes,
        attendance: Attends,
        publish: Callable[[HookEvent], Awaitable[object]],
        guard: Callable[[], bool],
        now_ms: Callable[[], int],
        iso_time: Callable[[int], str],
        *,
        after_s: float,
        interval_s: float,
    ) -> None:
        self._store = store
        self._notes = notes
        self._attendance = attendance
        self._publish = publish
        self._guard = guard
        self._now_ms = now_ms
        self._iso_time = iso_time
        self._after_s = after_s
        self._interval_ms = round(interval_s * 1000)
        self._places = asyncio.Semaphore(NOTES_AT_ONCE)

    async def run(self, thread_id: ThreadId) -> Result:
        """Tell whom it concerns. Raises NotLeading, Refusal, BucketUnavailable, and what `publish` raises."""
        result = Result()
        after: UserId | None = None
        while True:
            answer = await self._store.ask(
                "missed", AskMissed(thread_id=thread_id, unread_for_s=self._after_s, after=after)
            )
            if answer.next_due_s is not None:
                result = result.and_also(Result(answer.next_due_s + NEXT_DUE_SLACK_S))
            result = result.and_also(await self._page(thread_id, answer))
            if answer.next_cursor is None:
                return result
            after = parse_user_id(answer.next_cursor)

    async def _page(self, thread_id: ThreadId, answer: Missed) -> Result:
        verdicts = await self._all(self._verdict(thread_id, answer, member) for member in answer.items)
        waits = [found for found in verdicts if isinstance(found, float)]
        candidates = [
            (member, found) for member, found in zip(answer.items, verdicts, strict=True) if isinstance(found, Note)
        ]
        attending = await self._attendance.of(thread_id, [member.user_id for member, _ in candidates])
        waits += [self._after_s for member, _ in candidates if member.user_id in attending]
        told = await self._all(
            self._tell(thread_id, answer, member, note)
            for member, note in candidates
            if member.user_id not in attending
        )
        waits += [wait for wait in told if wait is not None]
        return Result(min(waits, default=None), held=bool(waits))

    async def _verdict(self, thread_id: ThreadId, answer: Missed, member: MissedMember) -> Note | float | None:
        fresh = Note(member.user_id, thread_id, answer.last_seq, self._now_ms())
        return verdict(fresh, await self._notes.find(member.user_id, thread_id), self._interval_ms)

    async def _tell(self, thread_id: ThreadId, answer: Missed, member: MissedMember, note: Note) -> float | None:
        """None: told. Else the seconds after which to look whether whoever was first has told it."""
        if answer.last_message is None:
            return None  # emptied in this moment: there is nothing to show
        claimed = await self._notes.claim(note)
        if claimed is None:
            return self._after_s
        if not self._guard():
            raise NotLeading
        event_id = missed_id(thread_id, member.user_id, claimed.last_seq)
        at = self._iso_time(self._now_ms())
        await self._publish(missed_event(thread_id, answer, answer.last_message, member, event_id, at))
        await self._notes.confirm(claimed)
        if claimed.last_seq < answer.last_seq:
            # The repetition of an event that was begun before newer messages came: they wait for the interval's end.
            return self._interval_ms / 1000
        return None

    async def _all(self, work: Iterable[Awaitable[T]]) -> list[T]:
        async def one(task: Awaitable[T]) -> T:
            async with self._places:
                return await task

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(task)) for task in work]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the rest of them is repeated too
        return [task.result() for task in tasks]
