"""The `store` service: answers queries over NATS request and reply.

It is a service of the NATS services API, so `nats micro ls` and its statistics know it; any persister answers, owner
of partitions or not. Promises: `READS` answers every query of the contracts; each runs in one read-only snapshot with
a deadline; at most `queries_waiting` wait for a connection, further ones are refused at once; a refusal carries its
code, a fault of ours carries nothing but INTERNAL.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg
import structlog
from nats.errors import Error as NatsError
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import Service
from psycopg import AsyncConnection, IsolationLevel
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from chatterbus_contracts.codec import DecodeError, decode, encode_json
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import QUERIES
from chatterbus_contracts.subjects import STORE_SERVICE, store_subject
from chatterbus_persister import __version__
from chatterbus_persister.metrics import QUERIES as QUERIES_COUNTED
from chatterbus_persister.metrics import QUERY_SECONDS
from chatterbus_persister.reads import attachments, changes, contacts, messages, missed, revs, search, threads, unread
from chatterbus_runtime.nats_link import NatsLink

log = structlog.get_logger(__name__)

Read = Callable[[AsyncConnection, Any], Awaitable[dict[str, Any]]]

READS: Final[dict[str, Read]] = {
    "info": threads.info,
    "thread": threads.thread,
    "threads": threads.threads,
    "history": messages.history,
    "message": messages.message,
    "changes": changes.changes,
    "sync": changes.sync,
    "membership": threads.membership,
    "revisions": messages.revisions,
    "receipts": threads.receipts,
    "message_receipts": messages.message_receipts,
    "attachment": attachments.attachment,
    "search": search.search,
    "unread": unread.unread,
    "positions": unread.positions,
    "contacts": contacts.contacts,
    "sharing": contacts.sharing,
    "missed": missed.missed,
    "revs": revs.revs,
}


async def prepare_connection(connection: AsyncConnection) -> None:
    """Queries see one snapshot each, and can not write."""
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)


class StoreService:
    """Serves until `stop`."""

    def __init__(self, pool: AsyncConnectionPool, *, timeout_s: float, max_waiting: int) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._max_waiting = max_waiting
        self._running: set[asyncio.Task[None]] = set()
        self._service: Service | None = None

    async def start(self, link: NatsLink) -> None:
        """Register the service and its endpoints, one per query."""
        self._service = await add_service(
            link.client, name=STORE_SERVICE, version=__version__, description="What the ledger knows."
        )
        for name in QUERIES:
            await self._service.add_endpoint(name=name, subject=store_subject(name), handler=self._endpoint(name))

    async def stop(self) -> None:
        """Take no more queries, and finish those at hand."""
        if self._service is not None:
            await self._service.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=self._timeout_s)

    def _endpoint(self, name: str) -> Callable[[Request], Awaitable[None]]:
        # The library calls an endpoint's handler for one request after the other, so each gets a task of its own.
        async def handle(request: Request) -> None:
            if len(self._running) >= self._max_waiting:
                await request.respond_error(ErrorCode.STORE_UNAVAILABLE, "too many queries are waiting")
                return
            task = asyncio.create_task(self._serve(name, request))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        return handle

    async def _serve(self, name: str, request: Request) -> None:
        started = time.monotonic()
        outcome = "answered"
        try:
            try:
                await request.respond(await self._answer(name, request.data))
            except Refusal as refusal:
                outcome = refusal.code
                await request.respond_error(refusal.code, refusal.message)
        except NatsError as error:
            outcome = "unanswered"
            log.warning("a query could not be answered", query=name, error=type(error).__name__)
        QUERIES_COUNTED.labels(name, outcome).inc()
        QUERY_SECONDS.labels(name).observe(time.monotonic() - started)

    async def _answer(self, name: str, data: bytes) -> bytes:
        try:
            ask = decode(QUERIES[name].adapter, data)
        except DecodeError as error:
            raise Refusal(ErrorCode.BAD_REQUEST, error.message) from None
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.connection(timeout=self._timeout_s) as connection,
                connection.transaction(),
            ):
                return encode_json(await READS[name](connection, ask))
        except (TimeoutError, PoolTimeout, psycopg.OperationalError) as error:
            log.warning("the database does not answer queries", query=name, error=type(error).__name__)
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "the store does not answer") from None
        except psycopg.Error as error:
            log.error("a query failed", query=name, error=type(error).__name__, sqlstate=error.sqlstate)
            raise Refusal(ErrorCode.INTERNAL, "the query failed") from None
        except (ValueError, TypeError, LookupError) as error:
            log.exception("a query failed", query=name)
            raise Refusal(ErrorCode.INTERNAL, "the query failed") from error
