"""The gateway's proof of life: its lease in the bucket that notifiers read.

Promises: the lease is renewed every LEASE_REFRESH_S, at once when the link to NATS is back and when draining begins,
and every RETRY_S while that fails; the first failure of an outage is logged. It is written by comparing: of two
processes with one gateway id the later has the lease, and the earlier says so in the log and waits. Its incarnation is
higher than that of any lease found at its first write. After a clean end it is gone, unless somebody else has it.
Does not touch health: without a lease the gateway still serves, and only presence is behind.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import DecodeError, decode, encode
from chatterbus_contracts.ids import GatewayId
from chatterbus_contracts.presence import LEASE, LEASE_REFRESH_S, LEASE_TTL_S, LEASES_BUCKET, LEASES_MAX_BYTES, Lease
from chatterbus_contracts.subjects import token
from chatterbus_runtime.bucket import BucketSpec, BucketUnavailable, Entry

log: Final = structlog.stdlib.get_logger(__name__)

RETRY_S: Final = 1.0
CALL_TIMEOUT_S: Final = 2.0  # of one call to the bucket: several attempts fit into the life of a lease
BUCKET: Final = BucketSpec(
    LEASES_BUCKET,
    "proofs of life of gateways",
    max_bytes=LEASES_MAX_BYTES,
    ttl_s=LEASE_TTL_S,
    in_memory=True,
)


class Leases(Protocol):
    """The part of Bucket that is needed here."""

    async def get(self, key: str) -> Entry | None: ...

    async def create(self, key: str, value: bytes) -> int | None: ...

    async def replace(self, key: str, value: bytes, revision: int) -> int | None: ...

    async def delete_at(self, key: str, revision: int) -> bool: ...


class Link(Protocol):
    """The part of NatsLink that is needed here."""

    @property
    def is_connected(self) -> bool: ...


class Reports(Protocol):
    """The part of Reporter that is needed here."""

    @property
    def incarnation(self) -> int: ...

    def lease(self, *, draining: bool) -> Lease: ...

    def outlive(self, incarnation: int) -> None: ...


class LeaseHolder:
    """One per gateway."""

    def __init__(
        self,
        link: Link,
        bucket: Leases,
        reports: Reports,
        gateway_id: GatewayId,
        *,
        refresh_s: float = LEASE_REFRESH_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._link = link
        self._bucket = bucket
        self._reports = reports
        self._key = token(gateway_id)
        self._refresh_s = refresh_s
        self._retry_s = retry_s
        self._revision: int | None = None  # of our entry, as far as we know
        self._was_held = False
        self._successor: int | None = None  # incarnation of a later process with our id
        self._failing = False
        self._draining = False
        self._ended = False
        self._due = asyncio.Event()
        self._writing = asyncio.Lock()

    async def keep(self) -> None:
        """Renew until `end`. Run as a background task."""
        while not self._ended:
            self._due.clear()
            wait_s = self._refresh_s if await self.renew() else self._retry_s
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._due.wait()

    def renew_soon(self) -> None:
        """Do not wait for the next refresh: the link is back."""
        self._due.set()

    def drain(self) -> None:
        """Say that all connections are about to move."""
        self._draining = True
        self._due.set()

    async def renew(self) -> bool:
        """Write the lease; whether that is done until the next refresh. Ends within a few CALL_TIMEOUT_S."""
        async with self._writing:
            if self._ended:
                return True
            if not self._link.is_connected:  # the link says so itself, and when it is back
                return False
            try:
                written = await self._write()
            except BucketUnavailable:
                self._fail()
                return False
            self._failing = False
            return written

    async def end(self) -> None:
        """Take the lease away, so that nobody waits for its end."""
        async with self._writing:
            self._ended = True
            self._due.set()
            if self._revision is None or not self._link.is_connected:
                return
            try:
                await self._bucket.delete_at(self._key, self._revision)
            except BucketUnavailable:
                log.info("the lease is left to its own end", lease=self._key)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _write(self) -> bool:
        if self._revision is not None:
            self._revision = await self._bucket.replace(self._key, self._value(), self._revision)
            if self._revision is not None:
                return True
        # The first time; or it has ended, or went with NATS's memory; or its last write had no answer; or it is taken.
        found = await self._bucket.get(self._key)
        if found is None:
            self._revision = await self._write_over_nothing()
        else:
            theirs = incarnation_of(found)
            if self._was_held and theirs > self._reports.incarnation:
                self._yield_to(theirs)
                return True
            if not self._was_held:
                self._reports.outlive(theirs)
            self._revision = await self._bucket.replace(self._key, self._value(), found.revision)
        if self._revision is None:
            return False  # somebody wrote in between
        self._was_held = True
        self._successor = None
        return True

    async def _write_over_nothing(self) -> int | None:
        if self._successor is not None:
            self._reports.outlive(self._successor)
        return await self._bucket.create(self._key, self._value())

    def _yield_to(self, successor: int) -> None:
        if self._successor is None:
            log.error("another process has this gateway id: presence of the connections here is not seen", id=self._key)
        self._successor = successor

    def _fail(self) -> None:
        if not self._failing:
            log.warning("the lease cannot be written, trying again", lease=self._key, every_s=self._retry_s)
        self._failing = True

    def _value(self) -> bytes:
        return encode(self._reports.lease(draining=self._draining))


def incarnation_of(entry: Entry) -> int:
    """Of the lease in an entry; -1 for one that cannot be read, which anything outlives."""
    try:
        return decode(LEASE, entry.value).incarnation
    except DecodeError as error:
        log.error("a lease cannot be read", lease=entry.key, reason=error.message)
        return -1
