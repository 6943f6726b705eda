"""What tests of webhooks stand on: a link to NATS, a receiver, producers and delivery desks with short delays."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from nats.errors import Error as NatsError

from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.desk import DeliveryDesk
from chatterbus_notifier.webhooks.publisher import HookPublisher
from chatterbus_notifier.webhooks.retry import RetryPolicy
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.notifier.webhook_receiver import Receiver
from tests.kit.nats_server import NatsServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALL = Shard(0, 1)
FAST = RetryPolicy(random=lambda: 0.0, retry_for_s=60, first_s=0.02, longest_s=0.2)


def event(number: int, key: str, kind: str = "message.missed", at: datetime | None = None) -> HookEvent:
    """The event with this number, as if of `at` (now)."""
    time = (at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": kind, "timestamp": time, "data": {"number": number}}
    return HookEvent(f"evt_{number}", kind, key, json.dumps(body).encode())


class Desk:
    """A running delivery desk."""

    def __init__(self, desk: DeliveryDesk) -> None:
        self.desk = desk
        self._task = asyncio.create_task(desk.run())

    @property
    def waiting(self) -> set[str]:
        """Ids of what was read and is not delivered, as the desk knows."""
        return {one.event.id for one in self.desk._backlog}

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def crash(self) -> None:
        """End without a last save, as a killed process does."""
        self.desk._guard = lambda: False
        await self.stop()

    @property
    def failed(self) -> BaseException | None:
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None


class Stand:
    """Made anew for each test."""

    def __init__(self, nats_server: NatsServer) -> None:
        self.nats_server = nats_server
        self.receiver = Receiver()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Stand:
        self.link = await self.another_link()
        self.publisher = HookPublisher(self.link)
        await self._stack.enter_async_context(self.receiver)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def another_link(self) -> NatsLink:
        settings = ServiceSettings(nats_url=self.nats_server.url)
        link = await NatsLink.connect(settings, "test", connect_patience_s=5)
        self._stack.push_async_callback(link.close, 1)
        return link

    def settings(self, **values: Any) -> NotifierSettings:
        chosen = {"url": self.receiver.url, "secret": SECRET, "allow_private": True, "timeout_s": 2} | values
        return NotifierSettings.model_validate({f"notifier_webhook_{name}": value for name, value in chosen.items()})

    def desk(self, shard: Shard = ALL, policy: RetryPolicy = FAST, **options: Any) -> Desk:
        """Start one; it is stopped at the end of the test."""
        names = ("guard", "window", "resolver")
        given = {name: options.pop(name) for name in names if name in options}
        guard = given.pop("guard", lambda: True)
        desk = Desk(DeliveryDesk(self.link, shard, guard, self.settings(**options), policy=policy, **given))
        self._stack.push_async_callback(desk.stop)
        return desk

    async def happen(self, *events: HookEvent) -> None:
        """Hand the events over, in this order."""
        for one in events:
            await self.publisher.publish(one)

    async def count(self, stream: str) -> int:
        """How many messages a stream holds."""
        try:
            return (await self.link.jetstream.stream_info(stream)).state.messages
        except NatsError:
            return 0

    async def count_is(self, stream: str, least: int) -> bool:
        """Whether a stream holds at least so many messages."""
        return await self.count(stream) >= least

    def taken_ids(self) -> list[str]:
        return [one.id for one in self.receiver.taken]

    def firsts_by_key(self, key_of: dict[str, str]) -> dict[str, list[str]]:
        """Ids in the order in which the receiver first took them, by key."""
        found: dict[str, list[str]] = defaultdict(list)
        for one_id in dict.fromkeys(self.taken_ids()):
            found[key_of[one_id]].append(one_id)
        return dict(found)
