"""The hot statement's own way to PostgreSQL behaves like the driver's."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from chatterbus_persister.prepared import PreparedStatement
from tests.kit.postgres_server import Database


@pytest.fixture
async def connection(postgres: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True) as connection:
        yield connection


async def test_a_statement_runs_again_and_again_with_its_named_parameters(connection: psycopg.AsyncConnection) -> None:
    await connection.execute("CREATE TEMP TABLE seen (n int, t text)")
    statement = await PreparedStatement.prepare(
        connection, "s", "INSERT INTO seen SELECT %(n)s::int, %(t)s::text WHERE %(n)s::int > 0"
    )
    for number in ("1", "2", "0"):
        await statement.run({"n": number, "t": "it's \\ ünï"})
    rows = await (await connection.execute("SELECT n, t FROM seen ORDER BY n")).fetchall()
    assert rows == [(1, "it's \\ ünï"), (2, "it's \\ ünï")]


async def test_its_errors_are_the_drivers_and_the_session_goes_on(connection: psycopg.AsyncConnection) -> None:
    statement = await PreparedStatement.prepare(connection, "s", "SELECT 1 / %(n)s::int")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await statement.run({"n": "0"})
    await statement.run({"n": "1"})


async def test_it_survives_that_the_driver_dropped_all_prepared_statements(
    connection: psycopg.AsyncConnection,
) -> None:
    statement = await PreparedStatement.prepare(connection, "s", "SELECT %(n)s::int")
    await connection.execute("DEALLOCATE ALL")
    await statement.run({"n": "1"})


async def test_parameters_larger_than_a_socket_buffer_arrive(connection: psycopg.AsyncConnection) -> None:
    await connection.execute("CREATE TEMP TABLE seen (size int)")
    statement = await PreparedStatement.prepare(connection, "s", "INSERT INTO seen SELECT length(%(t)s::text)")
    await statement.run({"t": "x" * 20_000_000})
    assert await (await connection.execute("SELECT size FROM seen")).fetchone() == (20_000_000,)


async def test_a_session_that_ends_under_it_is_an_operational_error(
    connection: psycopg.AsyncConnection, postgres: Database
) -> None:
    statement = await PreparedStatement.prepare(connection, "s", "SELECT %(n)s::int")
    async with await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        await statement.run({"n": "1"})
