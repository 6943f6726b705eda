"""Tells the notifier who is connected here.

Promises: what happens to connections is published within GATHER_S, as one change a slot; a full slot at once. What a
lease or a snapshot says is published before it is said.
Does not promise that a change arrives: NATS core is at most once, and nothing is kept for a link that is down. Nothing
is lost by that for long. Versions and counts are absolute, so that the lease (renewed at once when the link is back)
shows the notifier what it misses, and it asks for a snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from chatterbus_contracts.codec import encode
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import Connections, Lease
from chatterbus_contracts.subjects import connections_subject
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.presence.device_states import DeviceStates
from chatterbus_runtime.link_errors import LinkError

GATHER_S: Final = 0.05  # nobody sees presence change that fast, and a storm of reconnects is told in batches


class Publishes(Protocol):
    """The part of NatsLink that is needed here."""

    def publish(self, subject: str, payload: bytes) -> None: ...


class Reporter:
    """One per gateway."""

    def __init__(self, link: Publishes, states: DeviceStates, counts: Counts, *, gather_s: float = GATHER_S) -> None:
        self._link = link
        self._states = states
        self._counts = counts
        self._gather_s = gather_s
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def here(self, connection_id: str, user_id: UserId, *, away: bool = False) -> None:
        """A connection has authenticated, or turned away or active. Its user's subject is listened to by now."""
        self._gathered(full=self._states.put(connection_id, user_id, away=away))

    def gone(self, connection_id: str, user_id: UserId, *, moving: bool) -> None:
        """A connection is gone; `moving` when this gateway sent it elsewhere."""
        self._gathered(full=self._states.remove(connection_id, user_id, moving=moving))

    def missed(self, connection_id: str, user_id: UserId) -> None:
        """What the notifier tells a user may not have reached this connection: have it told again."""
        self._gathered(full=self._states.repeat(connection_id, user_id))

    def all_missed(self) -> None:
        """The same for all connections: the link was lost, and is back."""
        for connection_id, user_id in self._states.connections:
            self.missed(connection_id, user_id)

    def _gathered(self, *, full: bool) -> None:
        if full:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._gather_s, self.flush)

    def flush(self) -> None:
        """Publish what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for change in self._states.take():
            self._counts.connection_changes += 1
            try:
                self._link.publish(connections_subject(change.slot, change.gateway_id), encode(change))
            except LinkError:
                self._counts.connection_changes_lost += 1

    @property
    def incarnation(self) -> int:
        """See DeviceStates."""
        return self._states.incarnation

    def lease(self, *, draining: bool) -> Lease:
        """What this gateway has told so far."""
        self.flush()
        return self._states.lease(draining=draining)

    def snapshot(self, slots: Iterable[int]) -> Connections:
        """Everybody in these slots."""
        self.flush()
        return self._states.snapshot(slots)

    def outlive(self, incarnation: int) -> None:
        """See DeviceStates."""
        self._states.outlive(incarnation)
