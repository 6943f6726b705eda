"""A client that writes down what it saw, in its own order, and each time that it was told to repair.

Promises: every event the SDK hands to its reader is recorded with its rev. A repair is recorded where the SDK knows
that it is not up to date; a jump of revs anywhere else is recorded as it is, and the checkers call it a silent hole.
Frames of threads that are not this client's are recorded too, whatever they are: they are leaks.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from chatterbus_client import (
    CaughtUp,
    Client,
    ClientSettings,
    ConnectionChanged,
    MessageCreated,
    PresenceChanged,
    Refused,
    Resync,
    State,
    Thread,
    ThreadLost,
    Unreachable,
)
from chatterbus_client.timeline import applied_types
from chatterbus_contracts.frames import server
from tests.kit.history import History, Observation

TELLING: Final = (*applied_types(), server.TypingNotice, server.UnreadNotice, server.Subscribed)
SETTINGS: Final = ClientSettings(thread_messages_max=200_000, outbox_max=100_000, events_max=100_000)


class Observer(Client):
    """One user on one device."""

    def __init__(self, url: str, user: str, token: str, history: History, *, auto_deliver: bool = False) -> None:
        super().__init__(url, token=token, auto_deliver=auto_deliver, settings=SETTINGS)
        self.user = user
        self.threads_seen: dict[str, Thread] = {}
        self.connected_at: list[float] = []
        self.resyncs = 0
        self.lost_threads: list[str] = []
        self.told_offline: list[str] = []
        self.older_counts: list[str] = []  # counts that came after a newer one: T3 says never
        self._count_versions: dict[str, int] = {}
        self._history = history
        self._order = 0
        self._last: dict[str, tuple[int, set[str]]] = {}  # thread -> rev, and the kinds of events of that rev

    def _followed(self, event: Any) -> None:
        if isinstance(event, CaughtUp):
            if event.rev > self._last.get(event.thread_id, (0, set()))[0]:
                self._note(event.thread_id, "resync", 0)  # what came since the last event was superseded
                self._last[event.thread_id] = (event.rev, set())
        elif isinstance(event, ThreadLost):
            self.lost_threads.append(event.thread_id)
        else:
            self._saw(event)
        super()._followed(event)

    def _saw(self, event: Any) -> None:
        last, kinds = self._last.get(event.thread_id, (0, set()))
        if event.rev == last and event.type not in kinds:
            kinds.add(event.type)  # one change may have two sides: a message, and that its sender has read it
            return
        followed = self._following.get(event.thread_id)
        if followed is not None and not followed.caught_up and event.rev != last + 1:
            self._note(event.thread_id, "resync", 0)
        value = event.data.content if isinstance(event, MessageCreated) else None
        self._note(event.thread_id, "event", event.rev, value)
        self._last[event.thread_id] = (event.rev, {event.type})

    def received(self, frame: Any) -> None:
        thread_id = getattr(frame, "thread_id", None)
        if isinstance(frame, TELLING) and thread_id is not None:
            members = self._history.members.get(thread_id)
            if members is not None and self.user not in members:
                self._note(thread_id, "event", getattr(frame, "rev", 0))
        if isinstance(frame, server.UnreadNotice | server.UnreadSnapshot):
            about = frame.thread_id if isinstance(frame, server.UnreadNotice) else "all"
            newest = self._count_versions.get(about, frame.version)
            if frame.version < newest:
                self.older_counts.append(f"{about}: {frame.version} after {newest}")
            self._count_versions[about] = max(newest, frame.version)
        super().received(frame)

    def changed(self, change: ConnectionChanged) -> None:
        if change.state is State.CONNECTING:
            self.connected_at.append(time.monotonic())
        super().changed(change)

    def where(self, thread_id: str) -> str:
        """How far it has come with a thread, for people who look for what is stuck."""
        followed = self._following.get(thread_id)
        if followed is None:
            return f"{self.state.value}, not followed"
        repair = followed.repair
        waits_for = "nothing"
        if repair is not None and not repair.done():
            frames = repair.get_stack()
            waits_for = ", ".join(f"{frame.f_code.co_name}:{frame.f_lineno}" for frame in frames) or "its turn"
        timeline = followed.timeline
        return (
            f"{self.state.value}, subscribed {followed.subscribed}, needs {timeline.needs} at rev {timeline.rev},"
            f" repair waits for {waits_for}, {len(self.connected_at)} connections"
        )

    async def look_at_people(self) -> None:
        """For ever: who was said to have gone, and how often something had to be fetched again."""
        with self._streams.open(lambda event: isinstance(event, PresenceChanged | Resync)) as stream:
            async for event in stream:
                if isinstance(event, Resync):
                    self.resyncs += 1
                elif isinstance(event, PresenceChanged) and event.presence.status == "offline":
                    self.told_offline.append(event.user_id)

    async def enter(self, thread_id: str) -> None:
        """Follow a thread of one's own."""
        self.threads_seen[thread_id] = await self.thread(thread_id)

    async def try_the_door(self, thread_id: str) -> None:
        """For ever: ask for a thread of others. To be let in is a leak."""
        while True:
            try:
                await self.thread(thread_id, history=0)
                self._note(thread_id, "event", 0)
            except (Refused, Unreachable):
                pass
            await asyncio.sleep(1.0)

    def _note(self, thread_id: str, kind: Any, rev: int, value: str | None = None) -> None:
        self._order += 1
        self._history.observations.append(
            Observation(self.user, thread_id, self._order, kind, time.monotonic(), rev, value)
        )
