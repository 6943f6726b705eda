"""Keeps a StreamReader alive for ever: the one place that decides where to read on.

Promises: messages reach `on_arrival` in stream order, each once; after a lost link, a deleted consumer or a silent one
reading goes on behind the last delivered message; when messages that should have come are gone (the stream forgot them,
or is another one than before), `on_gap` is called before what follows. Reading ahead is the reader's (flow control).
Does not keep the position beyond the process: `position` is for an owner who does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_reader import StreamReader

log: Final = structlog.stdlib.get_logger(__name__)

CHECK_S: Final = 1.0
START_TIMEOUT_S: Final = 5.0


class StreamFollower:
    """`run` once; callbacks are called in the read loop and must not wait."""

    def __init__(
        self,
        link: NatsLink,
        stream: str,
        on_arrival: Callable[[int, Message], None],
        on_gap: Callable[[str], None],
        *,
        subjects: Sequence[str] = (),
        may_read: Callable[[], bool] = lambda: True,
    ) -> None:
        self._link = link
        self._stream = stream
        self._on_arrival = on_arrival
        self._on_gap = on_gap
        self._subjects = subjects
        self._may_read = may_read
        self._reader: StreamReader | None = None
        self._created: str | None = None  # of the stream that the position counts in
        self._wake = asyncio.Event()
        self._backoff = Backoff(initial_s=0.1, factor=2, maximum_s=5, jitter=0.3, random=random.random)
        self.position = 0
        self.following = asyncio.Event()

    async def run(self, from_seq: int | None) -> None:
        """From stream sequence `from_seq` on; None: from now on. Ends when cancelled."""
        self.position = -1 if from_seq is None else max(from_seq, 1) - 1
        try:
            while True:
                if self._reader is None or not self._reader.check():
                    await self._begin()
                self._wake.clear()
                try:
                    async with asyncio.timeout(CHECK_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._stop()

    def go_on(self) -> None:
        """There is room again after `may_read` said no."""
        if self._reader is not None:
            self._reader.go_on()

    def link_returned(self) -> None:
        """NATS was away: its consumers in memory may be gone, so look at once."""
        if self._reader is not None:
            self._reader.give_up()

    async def _begin(self) -> None:
        self._stop()
        try:
            await self._start_in_time()
        except (NatsError, LinkError, TimeoutError, OSError) as error:
            self._stop()
            delay_s = self._backoff.next_s()
            # A stream that is not there yet is about to be made, by whoever owns it.
            say = log.info if isinstance(error, NotFoundError) else log.warning
            say("a stream cannot be read", stream=self._stream, reason=type(error).__name__, again_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)
        else:
            self._backoff.reset()
            self.following.set()

    async def _start_in_time(self) -> None:
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._start()

    async def _start(self) -> None:
        info = await self._link.jetstream.stream_info(self._stream)
        created = "" if info.created is None else info.created.isoformat()
        first, last = info.state.first_seq, info.state.last_seq
        if self.position < 0:
            self.position = last
        elif self._created is not None and created != self._created:
            self._gap("the stream is another one", first - 1)
        elif self.position > last:
            self._gap("the stream is older than what was read", first - 1)
        elif self.position + 1 < first:
            self._gap("the stream forgot messages that were not read", first - 1)
        self._created = created
        reader = StreamReader(
            self._link, self._stream, self._arrived, self._may_read, self._wake.set, subjects=self._subjects
        )
        self._reader = reader
        await reader.start(self.position + 1)

    def _gap(self, reason: str, position: int) -> None:
        log.error("messages of a stream are gone", stream=self._stream, reason=reason, position=self.position)
        self.position = max(position, 0)
        self._on_gap(reason)

    def _arrived(self, stream_seq: int, message: Message) -> None:
        self.position = stream_seq
        self._on_arrival(stream_seq, message)

    def _stop(self) -> None:
        self.following.clear()
        if self._reader is not None:
            self._reader.stop()
            self._reader = None
