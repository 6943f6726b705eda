"""Which of the instances of a shard works: one leads, the others stand by.

An entry in a bucket names the leader; it is replaced by compare-and-set only, so of several that want it one gets it.
Promises: `guard()` is true only while this instance leads, and turns false by itself, without a message, when it could
not renew its entry for most of `ttl_s` (it was frozen, or cut off), which is before anybody else may take it. A leader
that ended is followed at once, one that was killed within about a second (nobody answers for it), one that hangs
within `ttl_s` and a second. The entry hands over the highest version that was used.
Does not promise that a frozen process sends nothing: what it had already given to its socket may still go out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import structlog
from pydantic import BaseModel, ValidationError

from chatterbus_contracts.subjects import lead_subject
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.versions import VersionClock
from chatterbus_runtime.bucket import Bucket, BucketSpec, BucketUnavailable, Entry
from chatterbus_runtime.link_errors import LinkError, NoResponders
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

BUCKET: Final = BucketSpec("notifiers", "who leads which shard of the notifier", max_bytes=1 << 20)
POLL_S: Final = 1.0
RENEWALS_PER_TTL: Final = 4
GUARD_SHARE: Final = 0.7  # of the ttl: then the leader stops by itself, before a standby may begin
ASK_TIMEOUT_S: Final = 1.0
VERSIONS_AHEAD: Final = 100_000  # that may be used between two renewals


class Claim(BaseModel):
    """The entry: who leads (None: nobody, on purpose), and a number above all versions that were used."""

    holder: str | None
    floor: int


class Term(Protocol):
    """The work of a leader."""

    async def run(self) -> None:
        """Until cancelled."""


class Leadership:
    """`run` leads whenever it can: `term()` makes the work of one leadership, with `clock` ahead of all before."""

    def __init__(
        self,
        link: NatsLink,
        shard: Shard,
        instance_id: str,
        clock: VersionClock,
        *,
        ttl_s: float,
        timeout_s: float,
        replicas: int = 1,
    ) -> None:
        self._link = link
        self._shard = shard
        self._instance_id = instance_id
        self._clock = clock
        self._ttl_s = ttl_s
        self._bucket = Bucket(link, replace(BUCKET, replicas=replicas), timeout_s)
        self._key = f"shard-{shard.index}-of-{shard.count}"
        self._subject = lead_subject(shard.index, shard.count)
        self._revision: int | None = None  # of our own entry
        self._renewed_s = 0.0
        self._found: Entry | None = None
        self._seen: tuple[int, float] | None = None  # another's revision, and since when it stands
        self.decided = asyncio.Event()  # it is known whether we lead or stand by

    def guard(self) -> bool:
        """Whether this instance leads at this moment."""
        return (
            self._revision is not None
            and self._link.is_connected
            and time.monotonic() < self._renewed_s + self._ttl_s * GUARD_SHARE
        )

    async def run(self, term: Callable[[], Term]) -> None:
        """Lead, or wait to; ends when cancelled, and gives the shard up then."""
        while True:
            if await self._is_worth_trying():
                # Whoever leads is heard before it leads: nobody must take it for gone.
                listener = self._link.listen(self._subject, self._answer)
                try:
                    if await self._taken():
                        await self._lead(term())
                finally:
                    listener.close()
            await asyncio.sleep(POLL_S)

    async def resign(self) -> None:
        """Let a standby begin at once."""
        revision, self._revision = self._revision, None
        if revision is not None:
            try:
                await self._bucket.replace(self._key, self._claim(None), revision)
            except BucketUnavailable:
                log.warning("the shard was not given up; a standby takes it when it notices", shard=str(self._shard))

    # --- taking it ---------------------------------------------------------------------------------------------------

    async def _is_worth_trying(self) -> bool:
        try:
            entry = await self._bucket.get(self._key)
            free = entry is None or await self._is_free(entry)
        except (BucketUnavailable, LinkError) as error:
            log.warning("the shard's leader is not known", shard=str(self._shard), reason=type(error).__name__)
            return False
        self._found = entry
        if not free:
            self.decided.set()
        return free

    async def _taken(self) -> bool:
        began_s = time.monotonic()
        entry = self._found
        try:
            if entry is None:
                self._revision = await self._bucket.create(self._key, self._claim(self._instance_id))
            else:
                self._clock.raise_to(_claim_of(entry).floor)
                self._revision = await self._bucket.replace(self._key, self._claim(self._instance_id), entry.revision)
        except BucketUnavailable:
            return False
        self._renewed_s = began_s
        self.decided.set()
        return self._revision is not None

    async def _is_free(self, entry: Entry) -> bool:
        claim = _claim_of(entry)
        if claim.holder is None or claim.holder == self._instance_id:
            return True
        now_s = time.monotonic()
        if self._seen is None or self._seen[0] != entry.revision:
            self._seen = (entry.revision, now_s)
        try:
            await self._link.request(self._subject, b"", ASK_TIMEOUT_S)
        except NoResponders:
            return True
        except TimeoutError:
            return now_s - self._seen[1] >= self._ttl_s
        return False

    def _answer(self, message: Message) -> None:
        if self.guard() and message.reply:
            try:
                self._link.publish(message.reply, b"")
            except LinkError:
                return

    # --- leading -----------------------------------------------------------------------------------------------------

    async def _lead(self, term: Term) -> None:
        log.info("leading", shard=str(self._shard))
        working = asyncio.create_task(term.run(), name="term")
        renewing = asyncio.create_task(self._renew(), name="renewal")
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and not working.cancelled() and (error := working.exception()) is not None:
                raise error
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.wait({working, renewing})
            log.info("not leading any more", shard=str(self._shard))

    async def _renew(self) -> None:
        """Returns when the shard is lost."""
        while True:
            await asyncio.sleep(self._ttl_s / RENEWALS_PER_TTL)
            began_s = time.monotonic()
            try:
                revision = await self._bucket.replace(self._key, self._claim(self._instance_id), self._revision or 0)
            except BucketUnavailable:
                # It may have been written: then the next attempt fails its compare, and the shard is taken anew.
                if time.monotonic() > self._renewed_s + self._ttl_s * GUARD_SHARE:
                    self._revision = None
                    return
                continue
            self._revision = revision
            if revision is None:
                log.warning("another instance leads", shard=str(self._shard))
                return
            self._renewed_s = began_s

    def _claim(self, holder: str | None) -> bytes:
        return Claim(holder=holder, floor=self._clock.last + VERSIONS_AHEAD).model_dump_json().encode()


def _claim_of(entry: Entry) -> Claim:
    try:
        return Claim.model_validate_json(entry.value)
    except ValidationError:
        return Claim(holder=None, floor=0)
