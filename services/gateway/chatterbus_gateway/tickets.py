"""Tickets: what a page that can send neither header nor long-lived token opens its socket with.

Promises: a ticket is good once, for 30 s, at any gateway of this NATS; of several that redeem it at the same time
exactly one gets its principal, since an entry is deleted at the revision that was read. Kept is a ticket's hash only:
the ticket itself is in no store, no log and no error text. The principal keeps the expiry of the token that bought it.
Does not promise that an unused ticket survives a restart of NATS, nor one whose redeeming had no answer: buy another.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.principal import Principal
from chatterbus_runtime.bucket import Bucket, BucketLink, BucketSpec, BucketUnavailable

log: Final = structlog.stdlib.get_logger(__name__)

TTL_S: Final = 30.0
TICKET_BYTES: Final = 32
RETRY_AFTER_MS: Final = 1_000
BUCKET: Final = BucketSpec(
    "tickets",
    "tickets for the socket, by hash",
    max_bytes=64 * 1024 * 1024,  # overflow: buying is refused until tickets are used or end
    ttl_s=TTL_S,
    in_memory=True,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of a ticket. NATS forgets entries in its own time, so the end is also written down."""

    principal: Principal
    ends_at: float


_ENTRY: Final = TypeAdapter(Entry)


class TicketOffice:
    """Sells and redeems tickets; each call has `timeout_s` in all. `clock` is unix seconds."""

    def __init__(
        self, link: BucketLink, timeout_s: float, *, replicas: int = 1, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._bucket = Bucket(link, replace(BUCKET, replicas=replicas), timeout_s)

    async def issue(self, principal: Principal) -> tuple[str, float]:
        """A new ticket for the principal and when it ends, in unix seconds. Raises Refusal STORE_UNAVAILABLE."""
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        ends_at = self._clock() + TTL_S
        try:
            await self._bucket.put(key_of(ticket), _ENTRY.dump_json(Entry(principal, ends_at)))
        except BucketUnavailable:
            raise _not_available() from None
        return ticket, ends_at

    async def redeem(self, ticket: str) -> Principal:
        """The principal that bought it. Raises Refusal: AUTH_FAILED for a ticket that is unknown, used or too old,
        STORE_UNAVAILABLE when NATS does not answer."""
        try:
            value = await self._taken(key_of(ticket))
        except BucketUnavailable:
            raise _not_available() from None
        if value is None:
            raise _not_good()
        try:
            entry = _ENTRY.validate_json(value)
        except ValidationError:  # its text would quote the entry
            log.error("a ticket's entry cannot be read", bucket=BUCKET.name)
            raise _not_good() from None
        if self._clock() >= entry.ends_at:
            raise _not_good()
        return entry.principal

    async def _taken(self, key: str) -> bytes | None:
        """The entry's value, for the one caller that deleted it."""
        found = await self._bucket.get(key)
        if found is None or not await self._bucket.delete_at(key, found.revision):
            return None
        return found.value


def key_of(ticket: str) -> str:
    """Under what it is kept. Any text has one; a ticket has too many bits for its hash to need a salt."""
    return hashlib.sha256(ticket.encode(errors="surrogatepass")).hexdigest()


def _not_good() -> Refusal:
    return Refusal(ErrorCode.AUTH_FAILED, "the ticket is unknown, was used, or is too old")


def _not_available() -> Refusal:
    return Refusal(
        ErrorCode.STORE_UNAVAILABLE, "tickets are not available at the moment", retry_after_ms=RETRY_AFTER_MS
    )
