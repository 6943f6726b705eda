"""One statement prepared in one session, run with as little as possible between the caller and libpq.

The hot statement has three dozen parameters that are text already, and one row of no interest as its answer: the
driver's adaptation, conversion and cursors took longer than PostgreSQL at low load. This runs on the same connection,
by psycopg's own libpq wrapper. Promises: the same errors as the driver raises; one call at a time. After a cancelled
call the session is in doubt and must be closed, like after any other.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import AsyncConnection, OperationalError, pq
from psycopg.errors import InvalidSqlStatementName, error_from_result

LOOK_AGAIN_S: Final = 0.2

_NAMED: Final = re.compile(r"%\((\w+)\)s")
_FINE: Final = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class PreparedStatement:
    """Made by `prepare`; parameters are named as in the query, `%(name)s`."""

    def __init__(self, connection: AsyncConnection, name: str, query: LiteralString) -> None:
        names = list(dict.fromkeys(_NAMED.findall(query)))
        self._pgconn = connection.pgconn
        self._name = name.encode()
        self._names = names
        self._query = _NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", query).encode()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._failure: Exception | None = None
        self._writes = False

    @classmethod
    async def prepare(cls, connection: AsyncConnection, name: str, query: LiteralString) -> "PreparedStatement":
        """Let PostgreSQL parse `query` once. Raises psycopg.Error."""
        statement = cls(connection, name, query)
        await statement._prepare()
        return statement

    async def run(self, parameters: Mapping[str, str]) -> None:
        """Execute; every parameter is PostgreSQL's text form of its value. Raises psycopg.Error."""
        values = [parameters[name].encode() for name in self._names]
        try:
            await self._execute(values)
        except InvalidSqlStatementName:
            # The driver drops all prepared statements of a session after a ROLLBACK, ours too.
            await self._prepare()
            await self._execute(values)

    async def _prepare(self) -> None:
        self._pgconn.send_prepare(self._name, self._query)
        await self._finish()

    async def _execute(self, values: list[bytes]) -> None:
        self._pgconn.send_query_prepared(self._name, values)
        await self._finish()

    async def _finish(self) -> None:
        """Send what is left, wait for the answer, and raise what it says."""
        self._ended = self._loop.create_future()
        self._failure = None
        self._socket = self._pgconn.socket
        self._timer = self._loop.call_later(LOOK_AGAIN_S, self._look_again)
        self._loop.add_reader(self._socket, self._attend)
        try:
            self._writes = bool(self._pgconn.flush())  # what the socket takes at once needs no turn of the loop
            if self._writes:
                self._loop.add_writer(self._socket, self._attend)
            await self._ended
        finally:
            self._timer.cancel()
            self._loop.remove_reader(self._socket)
            self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writes:
            self._writes = False
            self._loop.remove_writer(self._socket)

    def _look_again(self) -> None:
        # libuv stops watching a socket that was reset, and tells nobody: reading it says what happened.
        self._attend()
        if not self._ended.done():
            self._timer = self._loop.call_later(LOOK_AGAIN_S, self._look_again)

    def _attend(self) -> None:
        """The socket can be read or written: do both as far as possible, and see whether the answer is complete."""
        try:
            if self._writes and not self._pgconn.flush():
                self._stop_writing()
            self._pgconn.consume_input()
            self._collect()
        except OperationalError as error:
            self._end(error)
        else:
            if self._pgconn.status == pq.ConnStatus.BAD:
                # The server's last words and its end may come in one read: then nothing will ever be readable again.
                self._end(self._failure or OperationalError("the connection was closed"))

    def _collect(self) -> None:
        while not self._pgconn.is_busy():
            result = self._pgconn.get_result()
            if result is None:
                self._end(self._failure)
                return
            if result.status not in _FINE:
                self._failure = error_from_result(result, "utf-8")

    def _end(self, failure: Exception | None) -> None:
        if self._ended.done():
            return
        if failure is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(failure)
