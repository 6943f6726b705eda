"""What was posted and is not yet known to be stored, and what of it may be sent now. Pure: time is an argument.

Promises
- Per thread, messages go out in the order they were posted. On a new channel (a new socket, or HTTP) everything
  unanswered goes out again from the first, with the same clientMessageId, before anything later.
- A message leaves the outbox when it is known to be stored, or was refused for good; a refusal that may pass is
  repeated with backoff, and holds back the later ones of its thread.
- At most `in_flight_per_thread` messages of a thread are unanswered at a time; with 1 (the default), order holds even
  when a message in the middle is refused for now. One that is `queued` holds its place and nobody else's.
- Bounded: `add` raises OutboxFull at `maximum`.
Does not promise to survive the process: that is the store's work (outbox_store, outbox_file).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from chatterbus_client.errors import OutboxFull
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.frames.client import SendMessage


class Stage(Enum):
    """Where a message is on the current channel."""

    WAITING = auto()  # to be sent, not before `at`
    IN_FLIGHT = auto()  # sent; if nothing is heard it is sent again at `at`
    QUEUED = auto()  # safely queued; if nothing is heard it is sent again at `at`


@dataclass(slots=True)
class Entry:
    """One message and where it is."""

    frame: SendMessage
    stage: Stage = Stage.WAITING
    at: float = 0.0
    refusals: int = 0


class Outbox:
    """The messages of one client, oldest first. `random` returns a float in [0, 1)."""

    def __init__(self, settings: ClientSettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random
        self._threads: dict[str, dict[str, Entry]] = {}
        self._entries: dict[str, Entry] = {}
        self._in_flight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, client_message_id: object) -> bool:
        return client_message_id in self._entries

    def __iter__(self) -> Iterator[SendMessage]:
        return (entry.frame for entry in self._entries.values())

    def check_room(self) -> None:
        """Raise OutboxFull if nothing more fits."""
        if len(self._entries) >= self._settings.outbox_max:
            raise OutboxFull(self._settings.outbox_max)

    def add(self, frame: SendMessage) -> None:
        """A message, after all that are there. Its clientMessageId must be set and new."""
        self.check_room()
        self.restore(frame)

    def restore(self, frame: SendMessage) -> None:
        """A message from the store: it was accepted once, so the bound does not apply."""
        message_id = frame.client_message_id
        if message_id is None or message_id in self._entries:
            raise ValueError("a message in the outbox has a clientMessageId of its own")
        entry = Entry(frame)
        self._entries[message_id] = entry
        self._threads.setdefault(frame.thread_id, {})[message_id] = entry

    def begin(self) -> None:
        """A new channel: nothing is in flight on it. What was refused for a while keeps its waiting time."""
        for entry in self._entries.values():
            if entry.stage is not Stage.WAITING:
                entry.stage, entry.at = Stage.WAITING, 0.0
        self._in_flight = 0

    def due(self, now: float, at_most: int = 1_000_000) -> list[SendMessage]:
        """The messages to be sent now, in order; they count as in flight from here on."""
        threads = self._threads.values()
        return list(islice((frame for thread in threads for frame in self._due_of_thread(thread, now)), at_most))

    def _due_of_thread(self, thread: dict[str, Entry], now: float) -> Iterator[SendMessage]:
        in_flight = 0
        for entry in thread.values():
            overdue = entry.stage is not Stage.WAITING and entry.at <= now
            if entry.stage is Stage.QUEUED and not overdue:
                continue
            in_flight += 1
            if in_flight > self._settings.in_flight_per_thread:
                return
            if entry.stage is Stage.IN_FLIGHT and not overdue:
                continue
            if entry.at > now:
                return  # a later one would overtake it
            if entry.stage is not Stage.IN_FLIGHT:
                if self._in_flight >= self._settings.in_flight_max:
                    return
                self._in_flight += 1
            entry.stage, entry.at = Stage.IN_FLIGHT, now + self._settings.ack_timeout_s
            yield entry.frame

    def next_at(self) -> float | None:
        """The earliest time at which `due` may have more to say without anything else happening."""
        full = self._in_flight >= self._settings.in_flight_max
        times = (at for thread in self._threads.values() for at in self._times_of_thread(thread, full))
        return min(times, default=None)

    def _times_of_thread(self, thread: dict[str, Entry], full: bool) -> Iterator[float]:
        # Only what `_due_of_thread` would look at, so that what cannot be sent yet wakes nobody.
        in_flight = 0
        for entry in thread.values():
            if entry.stage is Stage.IN_FLIGHT or not full:
                yield entry.at
            in_flight += entry.stage is not Stage.QUEUED
            if in_flight >= self._settings.in_flight_per_thread or entry.stage is Stage.WAITING:
                return

    def put_back(self, client_message_id: str) -> None:
        """It was due and was not sent after all."""
        entry = self._entries.get(client_message_id)
        if entry is not None:
            self._land(entry)
            entry.stage, entry.at = Stage.WAITING, 0.0

    def queued(self, client_message_id: str, ask_again_at: float) -> bool:
        """The server holds it safely and has not stored it yet. False: unknown message."""
        entry = self._entries.get(client_message_id)
        if entry is None:
            return False
        self._land(entry)
        entry.stage, entry.at = Stage.QUEUED, ask_again_at
        return True

    def refused(self, client_message_id: str, *, may_pass: bool, retry_after_s: float | None, now: float) -> bool:
        """A refusal. True: final, the message was removed. False: it will be sent again (or is unknown)."""
        entry = self._entries.get(client_message_id)
        if entry is None:
            return False
        entry.refusals += 1
        retries = self._settings.retries
        if not may_pass or (retries is not None and entry.refusals > retries):
            self.remove(client_message_id)
            return True
        self._land(entry)
        entry.stage = Stage.WAITING
        entry.at = now + (retry_after_s if retry_after_s is not None else self._backoff_s(entry.refusals))
        return False

    def remove(self, client_message_id: str) -> bool:
        """The message is stored, or was given up. False: unknown message."""
        entry = self._entries.pop(client_message_id, None)
        if entry is None:
            return False
        self._land(entry)
        thread = self._threads[entry.frame.thread_id]
        del thread[client_message_id]
        if not thread:
            del self._threads[entry.frame.thread_id]
        return True

    def _land(self, entry: Entry) -> None:
        if entry.stage is Stage.IN_FLIGHT:
            self._in_flight -= 1

    def _backoff_s(self, refusals: int) -> float:
        bound_s = min(self._settings.retry_initial_s * 2.0 ** min(refusals - 1, 32), self._settings.retry_maximum_s)
        return bound_s * (0.5 + 0.5 * self._random())
