"""The work of one leadership: all desks of the shard, from nothing.

Promises: whatever a desk remembers begins anew with each leadership, so nothing that was missed while another led is
believed; when one desk fails, all end and the process with them; after `run` nothing listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chatterbus_notifier.missed.created import CreatedDesk
from chatterbus_notifier.missed.desk import MissedDesk
from chatterbus_notifier.presence.desk import PresenceDesk
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.store import StoreQueries
from chatterbus_notifier.unread.desk import UnreadDesk
from chatterbus_notifier.versions import VersionClock
from chatterbus_notifier.webhooks.desk import DeliveryDesk
from chatterbus_runtime.nats_link import NatsLink


class Shift:
    """Made by app.py, once a leadership."""

    def __init__(
        self, link: NatsLink, settings: NotifierSettings, clock: VersionClock, guard: Callable[[], bool]
    ) -> None:
        shard = settings.shard
        store = StoreQueries(link, settings.notifier_store_timeout_s)
        self.unread = UnreadDesk(link, shard, store, clock, guard, settings)
        self.presence = PresenceDesk(link, shard, clock, guard, self.unread, settings)
        self.missed = MissedDesk(link, shard, store, lambda: self.presence.gateways, guard, settings)
        self.created = CreatedDesk(link, shard, guard, settings)
        self.delivery = DeliveryDesk(link, shard, guard, settings)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as desks:
            for desk in (self.unread, self.presence, self.missed, self.created, self.delivery):
                desks.create_task(desk.run(), name=type(desk).__name__)

    def link_lost(self) -> None:
        """NATS is away."""
        self.presence.link_lost()

    def link_found(self) -> None:
        """NATS is back."""
        for desk in (self.presence, self.unread, self.missed, self.created, self.delivery):
            desk.link_found()
