"""The presence desk: brings what gateways say to the roster and the status, and what these say to everybody.

Promises: publishes, answers and writes only while `guard()` holds; a leader that begins takes over without a blink
(takeover.py), from nothing but leases, snapshots and what was kept; `run` leaves nothing listening. Every change is
worked off in the read loop; only what needs an answer from NATS waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from chatterbus_contracts.codec import DecodeError, decode
from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_contracts.presence import CONNECTIONS_CHANGED, Connections
from chatterbus_contracts.states import Status
from chatterbus_contracts.subjects import ASK_ONLINE, ASK_PRESENCE, choose_presence_subject, connections_subjects
from chatterbus_notifier.presence.answers import Answers, Known
from chatterbus_notifier.presence.audience import Audience
from chatterbus_notifier.presence.choices import Choices
from chatterbus_notifier.presence.leases import Leases
from chatterbus_notifier.presence.roster import (
    ConnectionJoined,
    DevicesChanged,
    Patience,
    Roster,
    SnapshotWanted,
    UserLeft,
)
from chatterbus_notifier.presence.seen import Record, SeenUsers
from chatterbus_notifier.presence.snapshots import Snapshots
from chatterbus_notifier.presence.status import Choice, Delays, Load, OwnNotice, Persist, PublicChange, StatusBook
from chatterbus_notifier.presence.takeover import Takeover
from chatterbus_notifier.presence.voice import Voice
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.bucket import BucketUnavailable
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

LOADED_AT_ONCE: Final = 256
LOAD_AGAIN_S: Final = 1.0
FINISH_TIMEOUT_S: Final = 1.0  # to write last seen at the end


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds. `probation_s` is not less than a moving user has (takeover.py)."""

    patience: Patience = field(default_factory=Patience)
    tick_s: float = 0.1
    poll_s: float = 2.0
    call_timeout_s: float = 2.0
    gathering_s: float = 5.0

    @property
    def probation_s(self) -> float:
        return self.patience.lease_ttl_s


class PresenceDesk:
    """Made for one leadership; `run` once."""

    def __init__(
        self,
        link: NatsLink,
        shard: Shard,
        clock: VersionClock,
        guard: Callable[[], bool],
        audience: Audience,
        settings: NotifierSettings,
        *,
        pace: Pace | None = None,
    ) -> None:
        self._link = link
        self._shard = shard
        self._clock = clock
        self._guard = guard
        self._audience = audience
        self._pace = pace or Pace()
        timeout_s = self._pace.call_timeout_s
        self._delays = Delays(settings.notifier_offline_debounce_s, settings.notifier_moving_grace_s)
        self._roster = Roster(shard.slots, self._pace.patience)
        self._status = StatusBook(self._delays, clock.next)
        self._voice = Voice(link, shard, guard)
        self._seen = SeenUsers(link, timeout_s, guard, settings.notifier_stream_replicas)
        self._leases = Leases(link, timeout_s, settings.notifier_stream_replicas)
        self._snapshots = Snapshots(link, self._roster.wanted, self._snapshot_came, timeout_s)
        self._choices = Choices(shard, self._seen, self._voice, guard, self._carry_out)
        self._takeover = Takeover(time.monotonic(), self._pace.gathering_s, self._probation_s)
        self._leases_were_read = False
        self._reset_is_due = False
        self._to_load: dict[UserId, None] = {}
        self._load = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._listeners: list[Listener] = []
        self._answers: Answers | None = None
        self._handlers: Final[dict[type, Callable[[Any], None]]] = {
            ConnectionJoined: self._on_joined,
            DevicesChanged: self._on_devices,
            UserLeft: lambda left: self._audience.user_left(left.user_id),
            SnapshotWanted: self._on_wanted,
            Load: self._on_load,
            PublicChange: self._on_public,
            OwnNotice: self._on_own,
            Persist: self._seen.note,
        }

    @property
    def _probation_s(self) -> float:
        return max(self._pace.probation_s, self._delays.moving_grace_s)

    @property
    def gateways(self) -> list[GatewayId]:
        """Gateways that live, by their leases."""
        return self._roster.gateways

    # --- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self._takeover = Takeover(time.monotonic(), self._pace.gathering_s, self._probation_s)
        if not self._link.is_connected:
            self.link_lost()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._listen(group)
                for work in (self._poll_for_ever, self._tick_for_ever, self._load_for_ever):
                    group.create_task(work())
                group.create_task(self._seen.run())
                group.create_task(self._choices.run())
        finally:
            self._group = None
            for listener in self._listeners:
                listener.close()
            self._listeners.clear()
            await self._finish()

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        """Before anything is asked, so that changes behind an answer are heard."""
        takes = {connections_subjects(slot): self._changes_came for slot in self._shard.slots}
        takes |= {choose_presence_subject(slot): self._choices.asked for slot in self._shard.slots}
        known = Known(self._shard, self._status, self._seen, self._takeover, self._loaded)
        answers = self._answers = Answers(known, self._voice, group)
        takes |= {ASK_PRESENCE: answers.presence_asked, ASK_ONLINE: answers.online_asked}
        for subject, callback in takes.items():
            self._listeners.append(self._link.listen(subject, callback))
        try:
            await self._link.flush(self._pace.call_timeout_s)
            await self._seen.open()
        except (LinkError, TimeoutError, BucketUnavailable) as error:
            log.warning("presence begins without NATS", reason=type(error).__name__)

    async def _finish(self) -> None:
        if self._guard():
            for persist in self._status.unsaved():
                self._seen.note(persist)
            await self._seen.finish(FINISH_TIMEOUT_S)

    def link_lost(self) -> None:
        """NATS is away: nobody goes offline, no lease ends."""
        self._roster.link_lost()
        self._status.link_lost()

    def link_found(self) -> None:
        """NATS is back: everybody is asked again."""
        now_s = time.monotonic()
        self._takeover.link_found(now_s, self._pace.gathering_s, self._probation_s)
        self._status.link_found(now_s)
        self._do(self._roster.link_found(now_s))

    # --- what comes --------------------------------------------------------------------------------------------------

    def _changes_came(self, message: Message) -> None:
        try:
            change = decode(CONNECTIONS_CHANGED, message.data)
        except DecodeError as error:
            log.error("changes of connections cannot be read", subject=message.subject, reason=error.message)
            return
        self._do(self._roster.change(change, time.monotonic()))

    def _snapshot_came(self, answer: Connections) -> None:
        self._do(self._roster.snapshot(answer, time.monotonic()))

    async def _poll_for_ever(self) -> None:
        while True:
            try:
                found = await self._leases.poll()
            except BucketUnavailable:
                log.warning("leases cannot be read; what they said last holds")
            else:
                now_s = time.monotonic()
                for lease, revision in found:
                    self._do(self._roster.lease(lease, revision, now_s))
                for gateway_id in set(self._roster.gateways) - {seen.lease.gateway_id for seen in found}:
                    self._roster.lease_missing(gateway_id, now_s)
                # None at all may be a bucket that was lost with NATS's memory: wait for the first.
                self._leases_were_read = self._leases_were_read or bool(found)
            await asyncio.sleep(self._pace.poll_s)

    async def _tick_for_ever(self) -> None:
        while True:
            now_s = time.monotonic()
            self._do(self._roster.tick(now_s))
            self._do(self._status.tick(now_s))
            self._advance(now_s)
            # Many go at once when a gateway dies: what has come meanwhile is served between.
            await asyncio.sleep(0 if self._status.is_due(now_s) else self._pace.tick_s)

    def _advance(self, now_s: float) -> None:
        is_complete = self._leases_were_read and self._roster.is_known and not self._status.is_loading
        if self._takeover.advance(now_s, is_complete, self._clock.next):
            log.info("presence was taken over", shard=str(self._shard), stage=self._takeover.stage.value)
            if self._answers is not None:
                self._answers.gathered()
            self._reset_is_due = True
        if self._reset_is_due:
            self._reset_is_due = not self._voice.reset()

    async def _load_for_ever(self) -> None:
        while True:
            await self._load.wait()
            users = list(self._to_load)[:LOADED_AT_ONCE]
            try:
                records = await self._seen.read_many(users, keep=False)
            except BucketUnavailable:
                await asyncio.sleep(LOAD_AGAIN_S)
                continue
            for user_id, record in records.items():
                del self._to_load[user_id]
                self._loaded(user_id, self._seen.peek(user_id) or record)  # it may have been written meanwhile
            if not self._to_load:
                self._load.clear()

    # --- what follows ------------------------------------------------------------------------------------------------

    def _do(self, effects: Iterable[object]) -> None:
        for effect in effects:
            self._handlers[type(effect)](effect)

    def _on_joined(self, joined: ConnectionJoined) -> None:
        self._audience.connection_joined(joined.user_id, joined.connection_id)
        self._do(self._status.joined(joined.user_id, joined.connection_id))

    def _on_devices(self, change: DevicesChanged) -> None:
        self._do(self._status.devices_changed(change, time.monotonic(), _now_ms()))

    def _on_wanted(self, wanted: SnapshotWanted) -> None:
        if self._group is not None:
            self._snapshots.ask(wanted.gateway_id, self._group)

    def _on_load(self, load: Load) -> None:
        record = self._seen.peek(load.user_id)
        if record is None:
            self._to_load[load.user_id] = None
            self._load.set()
        else:
            self._loaded(load.user_id, record)

    def _loaded(self, user_id: UserId, record: Record) -> None:
        self._do(
            self._status.loaded(
                user_id, record.choice, record.last_seen_ms, record.version, time.monotonic(), _now_ms()
            )
        )

    def _on_public(self, change: PublicChange) -> None:
        if not self._takeover.is_gathering:  # gateways are told to ask at its end
            self._voice.public(change)

    def _on_own(self, notice: OwnNotice) -> None:
        # While gathering, the connections are old ones, and were told; those of a few users would be misled for long.
        if not self._takeover.is_gathering or notice.status not in ("online", "away"):
            self._voice.own(notice)

    def _carry_out(self, user_id: UserId, choice: Choice) -> Status:
        status, effects = self._status.choose(user_id, choice, time.monotonic(), _now_ms())
        for effect in effects:
            if isinstance(effect, OwnNotice):
                self._voice.own(effect)  # of a choice all devices are told, while gathering too
            else:
                self._do((effect,))
        return status


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
