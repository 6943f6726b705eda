"""Reads the gateways' leases, again and again.

Promises: `poll` returns all leases that are in the bucket, with the revisions they were written at, or raises
BucketUnavailable; a lease that cannot be read is logged and left out. Does not judge how old they are; roster.py does.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, NamedTuple

import structlog

from chatterbus_contracts.codec import DecodeError, decode
from chatterbus_contracts.presence import LEASE, LEASE_TTL_S, LEASES_BUCKET, LEASES_MAX_BYTES, Lease
from chatterbus_runtime.bucket import Bucket, BucketLink, BucketSpec, Entry

log: Final = structlog.stdlib.get_logger(__name__)

LEASES: Final = BucketSpec(
    LEASES_BUCKET, "proofs of life of gateways", max_bytes=LEASES_MAX_BYTES, ttl_s=LEASE_TTL_S, in_memory=True
)


class SeenLease(NamedTuple):
    """A lease, and where in the bucket's history it was written: another revision is another sign of life."""

    lease: Lease
    revision: int


class Leases:
    """Each call of the bucket has `timeout_s`."""

    def __init__(self, link: BucketLink, timeout_s: float, replicas: int = 1) -> None:
        self._bucket = Bucket(link, replace(LEASES, replicas=replicas), timeout_s)

    async def poll(self) -> list[SeenLease]:
        """What is there now."""
        entries = await asyncio.gather(*(self._bucket.get(key) for key in await self._bucket.keys()))
        return [seen for entry in entries if entry is not None and (seen := _decoded(entry)) is not None]


def _decoded(entry: Entry) -> SeenLease | None:
    try:
        return SeenLease(decode(LEASE, entry.value), entry.revision)
    except DecodeError as error:
        log.error("a lease cannot be read", key=entry.key, reason=error.message)
        return None
