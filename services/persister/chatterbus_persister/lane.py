"""The writer lane: takes whatever has arrived for all partitions of this instance and applies it as one batch.

Promises: one transaction at a time, offsets with the data, announcements after the commit; what may pass (PostgreSQL
or NATS away) is retried in place with backoff, in order; what can not pass is isolated and dead-lettered, and its
neighbours go on. After any doubt about the session the lane throws it away and starts from what is committed, so a
crash and a lost connection are the same case. Reading ahead is bounded by `persister_backlog_bytes`.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import psycopg
import structlog
from nats.errors import Error as NatsError

from chatterbus_persister.announcer import Announcer
from chatterbus_persister.batch import (
    Batch,
    CommandFailedError,
    Place,
    Result,
    announcement_of,
    apply_batch,
    refuses_what_may_be_stored,
)
from chatterbus_persister.failpoints import Reach
from chatterbus_persister.first_look import first_line
from chatterbus_persister.holdings import Holdings
from chatterbus_persister.ledger.echoes import keys_behind
from chatterbus_persister.ledger.policy import LedgerPolicy
from chatterbus_persister.ledger.row_cache import RowCache
from chatterbus_persister.ledger_session import DeadLetter, LedgerSession, LostPartitionError, Offsets
from chatterbus_persister.metrics import APPLY_SECONDS, BATCH_COMMANDS, COMMANDS, DEAD_LETTERS, SESSIONS_LOST
from chatterbus_persister.occupation import Occupation
from chatterbus_persister.schema_version import SchemaUnfitError
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.health import Health
from chatterbus_runtime.link_errors import LinkError

log = structlog.get_logger(__name__)

# A command can be to blame for the values it brings, and for nothing else: a missing privilege, a read-only replica or
# a schema that is not migrated yet would otherwise turn every command into a dead letter.
DATA_ERRORS = (psycopg.DataError, psycopg.IntegrityError)
SESSION_ERRORS = (psycopg.Error, LostPartitionError, SchemaUnfitError, TimeoutError, OSError)
HANDOVER_TIMEOUT_S = 5.0


class SendsUnknownError(Exception):
    """A refused message may be one that is stored: the answer depends on what was not loaded."""


class Lane:
    """One per process."""

    def __init__(
        self,
        settings: PersisterSettings,
        announcer: Announcer,
        holdings: Holdings,
        health: Health,
        reach: Reach,
        wake: asyncio.Event,
        occupation: Occupation,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._announcer = announcer
        self._holdings = holdings
        self._health = health
        self._reach = reach
        self._wake = wake
        self._occupation = occupation
        self._clock = clock
        self._policy = LedgerPolicy(
            settings.persister_owners_may_edit, settings.persister_receipts_broadcast_max_members
        )
        self._cache = RowCache(settings.persister_cached_rows)
        self._stopping = False
        self._backoff = Backoff(0.1, 2.0, 5.0, 0.5, random.random)

    def stop(self) -> None:
        """Finish the batch at hand, hand over, and let `run` return."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Serve until `stop`."""
        while not self._stopping:
            try:
                await self._serve_session()
            except SESSION_ERRORS as error:
                SESSIONS_LOST.inc()
                self._health.set("postgres", False, first_line(error))
                delay_s = self._backoff.next_s()
                log.warning("ledger session lost", error=first_line(error), retry_in_s=round(delay_s, 2))
                await self._pause(delay_s)

    async def _pause(self, delay_s: float) -> None:
        """Sit out the delay, unless stopped."""
        deadline = time.monotonic() + delay_s
        while not self._stopping and (left_s := deadline - time.monotonic()) > 0:
            await self._next_wake(left_s)

    async def _next_wake(self, timeout_s: float) -> None:
        """Until something happens, or the time is up."""
        self._wake.clear()
        try:
            async with asyncio.timeout(max(timeout_s, 0)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _serve_session(self) -> None:
        settings = self._settings
        session = await LedgerSession.open(
            settings.persister_dsn.get_secret_value(),
            idle_timeout_s=settings.persister_idle_session_timeout_s,
            statement_timeout_s=settings.persister_apply_timeout_s,
        )
        self._health.set("postgres", True)
        try:
            await self._serve(session)
            await self._hand_over(session)
        finally:
            self._cache.forget()
            self._holdings.drop_all()
            await session.close()

    async def _serve(self, session: LedgerSession) -> None:
        next_look = 0.0
        while not self._stopping:
            now = time.monotonic()
            if now >= next_look or self._holdings.needs_attention:
                async with asyncio.timeout(self._settings.persister_apply_timeout_s):
                    await self._look_around(session)
                next_look = now + self._settings.persister_rebalance_interval_s
            batch = self._take() if self._announcer.has_room else Batch()
            if batch.items or batch.reached:
                self._occupation.began()
                try:
                    await self._settle(session, batch)
                finally:
                    self._occupation.ended()
                self._backoff.reset()
            else:
                await self._next_wake(next_look - time.monotonic())

    async def _look_around(self, session: LedgerSession) -> None:
        """Take or give partitions, restart broken readers, note what was announced."""
        begun = self._holdings.begun
        try:
            await self._holdings.rebalance(session, self._drained)
            if self._announcer.struggling:
                await self._holdings.ensure_events()
                self._announcer.struggling = False
            if self._announcer.unconfirmed:  # a stream that failed to write answers everything but what is published
                self._health.set("queue", False, "events are not confirmed")
            elif not self._holdings.needs_attention:  # else something of ours is still nobody's: not ready yet
                self._health.set("queue", True)
        except (NatsError, LinkError, TimeoutError) as error:
            self._health.set("queue", False, type(error).__name__)
            log.warning("queue can not be asked", error=first_line(error))
        if self._holdings.begun != begun:
            self._cache.forget()
        await self._save_announced(session)

    async def _drained(self) -> None:
        """Everything committed so far is announced, or a deadline has passed."""
        deadline = time.monotonic() + HANDOVER_TIMEOUT_S
        while not self._announcer.idle and (left_s := deadline - time.monotonic()) > 0:
            await self._next_wake(left_s)

    async def _save_announced(self, session: LedgerSession) -> None:
        unsaved = {
            partition: position
            for partition, position in self._announcer.announced.items()
            if self._holdings.holds(partition) and self._holdings.saved_announced(partition) < position
        }
        if unsaved:
            await session.save_announced(unsaved)
            self._holdings.note_announced(unsaved)

    async def _hand_over(self, session: LedgerSession) -> None:
        self._holdings.stop_reading()
        async with asyncio.timeout(self._settings.persister_apply_timeout_s):
            await self._drained()
            await self._save_announced(session)

    def _take(self) -> Batch:
        batch = Batch()
        while len(batch.items) < self._settings.persister_batch_commands:
            arrival = self._holdings.take()
            if arrival is None:
                break
            batch.add_message(arrival.partition, arrival.stream_seq, arrival.data, echo=arrival.echo)
        return batch

    async def _settle(self, session: LedgerSession, batch: Batch) -> None:
        """Apply the batch for good, whatever is in it, and announce it."""
        self._reach("fetched")
        started = time.monotonic()
        result = await self._commit(session, batch)
        self._reach("committed")
        reached = {partition: (self._holdings.epoch(partition), seq) for partition, seq in batch.reached.items()}
        self._holdings.note_applied(batch.reached)
        self._announcer.announce(announcement_of(result), reached | self._holdings.echoed(batch))
        APPLY_SECONDS.observe(time.monotonic() - started)
        BATCH_COMMANDS.observe(len(batch.items))
        COMMANDS.inc(len(batch.items))

    async def _commit(self, session: LedgerSession, batch: Batch) -> Result:
        poison: set[Place] = set()
        know_sends = any(item.echo for item in batch.items)
        while True:
            try:
                return await self._attempt(session, batch, poison, know_sends=know_sends)
            except SendsUnknownError:
                know_sends = True
            except CommandFailedError as error:
                log.exception("a handler failed; its command is set aside", place=error.place)
                poison.add(error.place)
            except DATA_ERRORS as error:
                await self._require_positions(session, batch)
                if isinstance(error, psycopg.errors.UniqueViolation) and not know_sends:
                    know_sends = True  # a message came again: look up what is stored, and answer with that
                    continue
                place = await self._culprit(session, batch, poison)
                if place is None:
                    know_sends = True
                    continue
                log.error("a command is refused by PostgreSQL and set aside", place=place, error=type(error).__name__)
                poison.add(place)

    async def _attempt(
        self, session: LedgerSession, batch: Batch, poison: set[Place], *, know_sends: bool, keep: bool = True
    ) -> Result:
        """Apply the batch to the rows and commit, or only try (`keep` false). Whatever fails, the rows are forgotten.

        Messages are first stored without asking whether they came before: the table's constraint tells, and then
        `know_sends` has them looked up.
        """
        at = self._now()
        keys = batch.keys()
        try:
            async with asyncio.timeout(self._settings.persister_apply_timeout_s):
                missing = self._cache.missing(keys)
                if know_sends:
                    missing.sends = keys.sends
                rows = self._cache.working_set(keys, await session.load(missing))
                rows.policy = self._policy
                behind = keys_behind(rows, batch.echoed_commands())
                if behind.messages:
                    rows.messages |= (await session.load(behind)).messages
                result = apply_batch(rows, batch, poison, at)
                if not know_sends and refuses_what_may_be_stored(result):
                    raise SendsUnknownError
                self._reach("applied")
                if batch.reached:
                    offsets = Offsets(self._holdings.expected(batch), batch.reached, self._announced_seqs())
                    await session.commit(rows, offsets, self._dead_letters(result), at, keep=keep)
        except BaseException:
            self._cache.forget()
            raise
        if keep:
            self._cache.keep(rows)
            DEAD_LETTERS.inc(len(result.dead))
        else:
            self._cache.forget()
        return result

    def _dead_letters(self, result: Result) -> list[DeadLetter]:
        return [
            DeadLetter(
                dead.place.partition,
                self._holdings.epoch(dead.place.partition),
                dead.place.stream_seq,
                dead.place.position,
                dead.reason,
                dead.payload,
            )
            for dead in result.dead
        ]

    async def _require_positions(self, session: LedgerSession, batch: Batch) -> None:
        """What PostgreSQL refuses may only be the sign that somebody else moved the partition."""
        for partition, (epoch, applied) in self._holdings.expected(batch).items():
            position = await session.position(partition)
            if (position.epoch, position.applied) != (epoch, applied):
                raise LostPartitionError(f"partition {partition} is at {position.applied}, not {applied}")

    async def _culprit(self, session: LedgerSession, batch: Batch, poison: set[Place]) -> Place | None:
        """The first command without which the commands before it are fine: by halving prefixes, all rolled back.
        None when the whole goes through now: what failed has passed, and nobody is to blame."""
        good, bad = 0, len(batch.items)
        if await self._goes_through(session, batch, poison):
            return None
        while bad - good > 1:
            middle = (good + bad) // 2
            if await self._goes_through(session, Batch(batch.items[:middle], batch.reached), poison):
                good = middle
            else:
                bad = middle
        return batch.items[bad - 1].place

    async def _goes_through(self, session: LedgerSession, batch: Batch, poison: set[Place]) -> bool:
        try:
            await self._attempt(session, batch, poison, know_sends=True, keep=False)
        except DATA_ERRORS:
            return False
        return True

    def _announced_seqs(self) -> Mapping[int, int]:
        return {
            partition: seq
            for partition, (epoch, seq) in self._announcer.announced.items()
            if self._holdings.holds(partition) and self._holdings.epoch(partition) == epoch
        }

    def _now(self) -> datetime:
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
