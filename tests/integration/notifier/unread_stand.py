"""A desk of unread counts at work, and the gateways' side of it: who is connected, and what each was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from chatterbus_contracts.envelopes import EVERYWHERE, decode_notices
from chatterbus_contracts.ids import ConnectionId, UserId
from chatterbus_contracts.subjects import user_subject
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.store import StoreQueries
from chatterbus_notifier.unread.desk import UnreadDesk
from chatterbus_notifier.unread.loader import Store
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from tests.kit.unread_view import UnreadView
from tests.kit.waiting import until

SOON_S = 15.0


class Gateway:
    """Connections by id, and the frames each got."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self.views: dict[UserId, dict[str, UnreadView]] = {}
        self.frames: list[tuple[str, bytes]] = []

    async def connect(self, desk: UnreadDesk, user: str, connection: str) -> UnreadView:
        """As a gateway does: listen, then tell the notifier."""
        user_id = UserId(user)
        if user_id not in self.views:
            self.views[user_id] = {}
            self._link.listen(user_subject(user_id), self._told(user_id))
            await self._link.flush(5)
        view = self.views[user_id].setdefault(connection, UnreadView())
        desk.connection_joined(user_id, ConnectionId(connection))
        return view

    def _told(self, user_id: UserId) -> Callable[[Message], None]:
        def told(message: Message) -> None:
            for notice in decode_notices(message.data):
                self.frames.append((notice.target, notice.frame))
                for connection, view in self.views[user_id].items():
                    if notice.target in (EVERYWHERE, connection):
                        view.hear(notice.frame)

        return told


class Desk:
    """The desk in a task of its own; `stop` ends it as a lost lead does."""

    def __init__(self, link: NatsLink, store: Store | None = None, **settings: Any) -> None:
        known = NotifierSettings(**{"nats_url": "nats://unused", **settings})
        self.leading = True
        self.desk = UnreadDesk(
            link,
            Shard(0, 1),
            store if store is not None else StoreQueries(link, 5.0),
            VersionClock(lambda: time.time_ns() // 1_000_000),
            lambda: self.leading,
            known,
        )
        self._task = asyncio.create_task(self.desk.run())

    async def until_following(self) -> UnreadDesk:
        await until(self.desk.following.is_set, SOON_S, "events are followed")
        return self.desk

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        assert self._task.cancelled()
