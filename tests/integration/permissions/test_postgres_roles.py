"""Who may do what in the database (S18): each role tries what it must not be able to do."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.integration.permissions.deployment import DeployedPostgres, Secrets

NOT_FOR_THE_PERSISTER = (
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE INDEX mine ON messages (seq)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION pg_stat_statements",
    "ALTER TABLE messages ADD COLUMN mine int",
    "ALTER TABLE messages DISABLE TRIGGER ALL",
    "DROP TABLE messages",
    "TRUNCATE messages",
    "ALTER DATABASE chatterbus SET work_mem = '1GB'",
    "CREATE ROLE mine",
    "ALTER ROLE chatterbus_owner PASSWORD 'mine'",
    "SET ROLE chatterbus_owner",
    "COPY messages TO '/tmp/mine'",
    "COPY messages FROM PROGRAM 'id'",
    "SELECT pg_read_file('pg_hba.conf')",
    "ALTER SYSTEM SET fsync = off",
)


@pytest.mark.parametrize("statement", NOT_FOR_THE_PERSISTER)
def test_the_persister_may_change_rows_and_nothing_else(deployed_postgres: DeployedPostgres, statement: str) -> None:
    dsn = deployed_postgres.dsn_as("persister_dsn")
    with psycopg.connect(dsn, autocommit=True) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement.encode())


def test_the_persister_reads_and_writes_every_table_that_migrations_made(deployed_postgres: DeployedPostgres) -> None:
    query = """
        SELECT tablename, has_table_privilege(current_user, format('%I.%I', schemaname, tablename), kind)
        FROM pg_tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind
        WHERE schemaname = 'public'
    """
    with psycopg.connect(deployed_postgres.dsn_as("persister_dsn")) as connection:
        rows = connection.execute(query).fetchall()
    assert {"threads", "messages", "partitions", "store"} <= {table for table, _ in rows}
    assert all(granted for _, granted in rows)


def test_a_table_of_a_later_migration_is_the_persisters_to_use(deployed_postgres: DeployedPostgres) -> None:
    with psycopg.connect(deployed_postgres.dsn_as("owner_dsn"), autocommit=True) as owner:
        owner.execute("CREATE TABLE later (id int)")
        try:
            with psycopg.connect(deployed_postgres.dsn_as("persister_dsn"), autocommit=True) as persister:
                persister.execute("INSERT INTO later VALUES (1)")
                assert persister.execute("SELECT id FROM later").fetchall() == [(1,)]
        finally:
            owner.execute("DROP TABLE later")


def test_the_owner_is_no_superuser_and_makes_no_roles(deployed_postgres: DeployedPostgres) -> None:
    with psycopg.connect(deployed_postgres.dsn_as("owner_dsn"), autocommit=True) as owner:
        for statement in (b"CREATE ROLE mine", b"ALTER SYSTEM SET fsync = off", b"COPY messages TO '/tmp/mine'"):
            with pytest.raises(InsufficientPrivilege):
                owner.execute(statement)


@pytest.mark.parametrize(
    ("role", "database"),
    [
        ("postgres", "chatterbus"),
        ("postgres", "postgres"),
        ("chatterbus_persister", "postgres"),
        ("chatterbus_owner", "template1"),
        ("chatterbus_standby", "chatterbus"),
    ],
)
def test_a_role_gets_in_nowhere_but_where_it_belongs(
    deployed_postgres: DeployedPostgres, secrets: Secrets, role: str, database: str
) -> None:
    files = {"postgres": "postgres_superuser", "chatterbus_standby": "postgres_replication"}
    password = secrets.read(files.get(role, role.replace("chatterbus", "postgres")))
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(f"postgresql://{role}:{password}@127.0.0.1:{deployed_postgres.port}/{database}")


def test_no_role_gets_in_without_its_password(deployed_postgres: DeployedPostgres) -> None:
    for role in ("chatterbus_owner", "chatterbus_persister"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://{role}:guess@127.0.0.1:{deployed_postgres.port}/chatterbus")


def test_the_database_holds_any_text_and_folds_letters_of_any_language(deployed_postgres: DeployedPostgres) -> None:
    with psycopg.connect(deployed_postgres.dsn_as("persister_dsn")) as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SELECT lower('ÄÉЖ'), to_tsvector('simple', 'ÄÉЖ')::text").fetchone() == (
            "äéж",
            "'äéж':1",
        )
