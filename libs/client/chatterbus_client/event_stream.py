"""A bounded stream of events for one reader.

Promises: events in order; a reader that lags behind by more than the bound loses the oldest ones and finds a Lagged in
their place, so that a stuck reader costs bounded memory and holds nobody up; the stream ends when the client is closed
and everything was read. Does not promise events from before the stream was made.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Self
from weakref import WeakSet

from chatterbus_client.events import ClientEvent, Lagged

Wanted = Callable[[ClientEvent], bool]


class EventStream:
    """An asynchronous iterator; also a context manager that ends it."""

    def __init__(self, maximum: int, wanted: Wanted | None = None) -> None:
        self._events: deque[ClientEvent] = deque()
        self._maximum = maximum
        self._wanted = wanted
        self._dropped = 0
        self._ended = False
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ClientEvent:
        while not self._events and not self._dropped:
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return Lagged(dropped)
        return self._events.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._events.clear()
        self.end()

    def put(self, event: ClientEvent) -> None:
        """An event, unless the reader does not want it. Never waits."""
        if self._ended or (self._wanted is not None and not self._wanted(event)):
            return
        if len(self._events) >= self._maximum:
            self._events.popleft()
            self._dropped += 1
        self._events.append(event)
        self._arrived.set()

    def end(self) -> None:
        """No more events come."""
        self._ended = True
        self._arrived.set()


class EventStreams:
    """All streams of a client. One that nobody holds any more is forgotten."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._streams: WeakSet[EventStream] = WeakSet()
        self._ended = False

    def open(self, wanted: Wanted | None = None) -> EventStream:
        """A new stream, from now on."""
        stream = EventStream(self._maximum, wanted)
        if self._ended:
            stream.end()
        self._streams.add(stream)
        return stream

    def put(self, event: ClientEvent) -> None:
        """An event for all of them."""
        for stream in tuple(self._streams):
            stream.put(event)

    def put_all(self, events: Iterable[ClientEvent]) -> None:
        """Several events for all of them."""
        for event in events:
            self.put(event)

    def end(self) -> None:
        """The client is closed."""
        self._ended = True
        for stream in tuple(self._streams):
            stream.end()
