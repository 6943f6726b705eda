"""What stands around the presence desk: gateways by script, and one who watches everything that is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import TypeAdapter

from chatterbus_contracts.codec import Wire, decode, encode
from chatterbus_contracts.envelopes import decode_events, decode_notices
from chatterbus_contracts.frames.server import PresenceNotice
from chatterbus_contracts.ids import ConnectionId, GatewayId, UserId
from chatterbus_contracts.presence import (
    LEASE_TTL_S,
    LEASES_BUCKET,
    AskConnections,
    AskOnline,
    AskPresence,
    ChoosePresence,
    ConnectionsChanged,
    OnlineAnswer,
    PresenceAnswer,
    VersionedPresence,
)
from chatterbus_contracts.subjects import (
    ASK_ONLINE,
    ASK_PRESENCE,
    PRESENCE_RESET,
    ask_gateway_subject,
    choose_presence_subject,
    connections_subject,
    slot_of,
    token,
)
from chatterbus_notifier.presence.desk import Pace, PresenceDesk
from chatterbus_notifier.presence.roster import Patience
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.bucket import Bucket, BucketSpec
from chatterbus_runtime.gathering import gather_answers
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message
from tests.kit.presence_gateway import ScriptedGateway
from tests.kit.waiting import until

LEASE_S: Final = 1.2
DEBOUNCE_S: Final = 0.4
GRACE_S: Final = 0.8
PACE: Final = Pace(
    patience=Patience(lease_ttl_s=LEASE_S, missing_lease_s=0.8, settle_s=0.2),
    tick_s=0.02,
    poll_s=0.1,
    call_timeout_s=1.0,
    gathering_s=1.0,
)
LEASES: Final = BucketSpec(LEASES_BUCKET, "leases", max_bytes=1 << 20, ttl_s=LEASE_TTL_S, in_memory=True)
DEADLINE_S: Final = 8.0


class LiveGateway:
    """A scripted gateway on a link: publishes what changes, keeps its lease, answers questions; until `kill`."""

    def __init__(self, link: NatsLink, name: str, incarnation: int = 1) -> None:
        self.script = ScriptedGateway(GatewayId(name), incarnation)
        self.asked = 0
        self.answers_slots = 64  # more in one question is more than a message holds: no answer
        self._link = link
        self._bucket = Bucket(link, LEASES, 2)
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._listener = self._link.listen(ask_gateway_subject(self.script.gateway_id, "connections"), self._answer)
        await self.renew()
        self._task = asyncio.create_task(self._keep())

    def kill(self) -> None:
        """Without a word."""
        if self._listener is not None:
            self._listener.close()
        if self._task is not None:
            self._task.cancel()

    def join(self, user: str, connection_id: str, state: Literal["active", "away"] = "active") -> None:
        self._publish(self.script.join(user, connection_id, state))

    def leave(self, connection_id: str, *, moving: bool = False) -> None:
        self._publish(self.script.leave(connection_id, moving=moving))

    async def renew(self) -> None:
        await self._bucket.put(token(self.script.gateway_id), encode(self.script.lease()))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            await self.renew()

    def _publish(self, change: ConnectionsChanged) -> None:
        self._link.publish(connections_subject(change.slot, change.gateway_id), encode(change))

    def _answer(self, message: Message) -> None:
        self.asked += 1
        slots = decode(TypeAdapter(AskConnections), message.data).slots
        if len(slots) <= self.answers_slots:
            self._link.publish(message.reply, encode(self.script.snapshot(slots)))


@dataclass
class Told:
    """One frame, and when it came."""

    at_s: float
    target: str
    notice: PresenceNotice


class Watcher:
    """Hears all presence and all notices to users, and asks."""

    def __init__(self, link: NatsLink) -> None:
        self.public: list[Told] = []
        self.own: list[Told] = []
        self.resets = 0
        self._link = link
        self._listeners = [
            link.listen("chat.pres.*", self._public_came),
            link.listen("chat.user.*", self._own_came),
            link.listen(PRESENCE_RESET, self._reset_came),
        ]

    def of(self, user: str) -> list[str]:
        """The statuses that were told of a user."""
        return [told.notice.status for told in self.public if told.notice.user_id == user]

    def own_of(self, user: str) -> list[str]:
        return [told.notice.status for told in self.own if told.notice.user_id == user]

    async def until_told(self, user: str, *statuses: str) -> None:
        await until(lambda: self.of(user) == list(statuses), DEADLINE_S, f"{user}: {statuses}")

    async def ask(self, *users: str, timeout_s: float = 2.0) -> dict[str, VersionedPresence]:
        question = encode(AskPresence(user_ids=[UserId(user) for user in users]))

        def is_enough(answers: list[Message]) -> bool:
            found = [decode(TypeAdapter(PresenceAnswer), answer.data) for answer in answers]
            return len({answer.shard for answer in found}) == found[0].shards

        answers = await gather_answers(self._link, ASK_PRESENCE, question, timeout_s, is_enough)
        items = [item for answer in answers for item in decode(TypeAdapter(PresenceAnswer), answer.data).items]
        return {item.user_id: item for item in items}

    async def online(self, after: str | None = None, limit: int = 10) -> OnlineAnswer:
        question = encode(AskOnline(after=None if after is None else UserId(after), limit=limit))
        return decode(TypeAdapter(OnlineAnswer), (await self._link.request(ASK_ONLINE, question, 2)).data)

    async def choose(self, user: str, status: Literal["online", "dnd", "invisible"]) -> Message:
        question: Wire = ChoosePresence(user_id=UserId(user), status=status)
        return await self._link.request(choose_presence_subject(slot_of(user)), encode(question), 3)

    def _public_came(self, message: Message) -> None:
        for event in decode_events(message.data):
            assert event.type == "presence"
            notice = decode(TypeAdapter(PresenceNotice), event.frame)
            assert event.rev == notice.version
            self.public.append(Told(time.monotonic(), "", notice))

    def _own_came(self, message: Message) -> None:
        for notice in decode_notices(message.data):
            frame = decode(TypeAdapter(PresenceNotice), notice.frame)
            self.own.append(Told(time.monotonic(), notice.target, frame))

    def _reset_came(self, _: Message) -> None:
        self.resets += 1


@dataclass
class Listening:
    """The audience: users and their connections, as told."""

    joined: list[tuple[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def connection_joined(self, user_id: UserId, connection_id: ConnectionId) -> None:
        self.joined.append((user_id, connection_id))

    def user_left(self, user_id: UserId) -> None:
        self.left.append(user_id)


class RunningDesk:
    """A desk that leads until `stop`; `kill` ends it as a crash does, with nothing written at the end."""

    def __init__(self, link: NatsLink, clock: VersionClock, shard: str = "0/1", pace: Pace = PACE) -> None:
        self.leads = True
        self.audience = Listening()
        settings = NotifierSettings(
            notifier_shard=shard, notifier_offline_debounce_s=DEBOUNCE_S, notifier_moving_grace_s=GRACE_S
        )
        guard: Callable[[], bool] = lambda: self.leads  # noqa: E731
        self.desk = PresenceDesk(link, Shard.parse(shard), clock, guard, self.audience, settings, pace=pace)
        self._task = asyncio.create_task(self.desk.run())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        assert self._task.cancelled(), self._task.exception()

    async def kill(self) -> None:
        self.leads = False
        await self.stop()
