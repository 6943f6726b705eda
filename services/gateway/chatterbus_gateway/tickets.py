"""Tickets: what a page that can send neither header nor long-lived token opens its socket with.

Promises: a ticket is good once, for 30 s, at any gateway of this NATS; of several that redeem it at the same time
exactly one gets its principal, since an entry is deleted at the revision that was read. Kept is a ticket's hash only:
the ticket itself is in no store, no log and no error text. The principal keeps the expiry of the token that bought it.
Does not promise that an unused ticket survives a restart of NATS, nor one whose redeeming had no answer: buy another.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import structlog
from nats.errors import Error as NatsError
from nats.js.api import StorageType
from nats.js.errors import APIError, KeyNotFoundError, NoStreamResponseError
from nats.js.kv import KeyValue
from pydantic import TypeAdapter, ValidationError

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.principal import Principal

log: Final = structlog.stdlib.get_logger(__name__)

BUCKET: Final = "tickets"
TTL_S: Final = 30.0
TICKET_BYTES: Final = 32
BUCKET_MAX_BYTES: Final = 64 * 1024 * 1024  # overflow: buying is refused until tickets are used or end
RETRY_AFTER_MS: Final = 1_000
STREAM_NAME_IN_USE: Final = 10058  # the bucket exists, with other limits: an operator's
WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})  # somebody else was first

T = TypeVar("T")


class BucketLink(Protocol):
    """The part of NatsLink that is needed here."""

    @property
    def is_connected(self) -> bool: ...

    @property
    def jetstream(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of a ticket. NATS forgets entries in its own time, so the end is also written down."""

    principal: Principal
    ends_at: float


_ENTRY: Final = TypeAdapter(Entry)


class TicketOffice:
    """Sells and redeems tickets; each call has `timeout_s` in all. `clock` is unix seconds."""

    def __init__(self, link: BucketLink, timeout_s: float, *, clock: Callable[[], float] = time.time) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._clock = clock
        self._bucket: KeyValue | None = None

    async def issue(self, principal: Principal) -> tuple[str, float]:
        """A new ticket for the principal and when it ends, in unix seconds. Raises Refusal STORE_UNAVAILABLE."""
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        ends_at = self._clock() + TTL_S
        await self._within_time(self._put(key_of(ticket), _ENTRY.dump_json(Entry(principal, ends_at))))
        return ticket, ends_at

    async def redeem(self, ticket: str) -> Principal:
        """The principal that bought it. Raises Refusal: AUTH_FAILED for a ticket that is unknown, used or too old,
        STORE_UNAVAILABLE when NATS does not answer."""
        value = await self._within_time(self._take(key_of(ticket)))
        if value is None:
            raise _not_good()
        try:
            entry = _ENTRY.validate_json(value)
        except ValidationError:  # its text would quote the entry
            log.error("a ticket's entry cannot be read", bucket=BUCKET)
            raise _not_good() from None
        if self._clock() >= entry.ends_at:
            raise _not_good()
        return entry.principal

    async def _put(self, key: str, value: bytes) -> None:
        try:
            await (await self._opened()).put(key, value)
        except NoStreamResponseError:  # NATS was restarted, and the bucket is in its memory
            self._bucket = None
            await (await self._opened()).put(key, value)

    async def _take(self, key: str) -> bytes | None:
        """The entry's value, for the one caller that deleted it."""
        bucket = await self._opened()
        try:
            found = await bucket.get(key)
            await bucket.delete(key, last=found.revision)
        except KeyNotFoundError:
            return None
        except APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                return None
            raise
        return found.value

    async def _opened(self) -> KeyValue:
        if self._bucket is None:
            jetstream = self._link.jetstream
            try:
                # Not direct: a replica may not have yet what another gateway has just sold.
                self._bucket = await jetstream.create_key_value(
                    bucket=BUCKET,
                    description="tickets for the socket, by hash",
                    history=1,
                    ttl=TTL_S,
                    max_bytes=BUCKET_MAX_BYTES,
                    storage=StorageType.MEMORY,
                    direct=False,
                )
            except APIError as error:
                if error.err_code != STREAM_NAME_IN_USE:
                    raise
                self._bucket = await jetstream.key_value(BUCKET)
        return self._bucket

    async def _within_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except (NatsError, TimeoutError, OSError) as error:
            self._bucket = None
            log.warning("tickets are not available", reason=type(error).__name__, connected=self._link.is_connected)
            raise Refusal(
                ErrorCode.STORE_UNAVAILABLE, "tickets are not available at the moment", retry_after_ms=RETRY_AFTER_MS
            ) from None


def key_of(ticket: str) -> str:
    """Under what it is kept. Any text has one; a ticket has too many bits for its hash to need a salt."""
    return hashlib.sha256(ticket.encode(errors="surrogatepass")).hexdigest()


def _not_good() -> Refusal:
    return Refusal(ErrorCode.AUTH_FAILED, "the ticket is unknown, was used, or is too old")
