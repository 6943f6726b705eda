"""Array literals: PostgreSQL reads back what went in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatterbus_persister.arrays import int_array, text_array
from tests.kit.postgres_server import PostgresServer
from tests.kit.strategies import text

TRICKY = st.sampled_from(
    ["", "NULL", "null", "{}", "{,}", '"', "\\", '\\"', " ", "a,b", "\n", "\t", "{a}", "''", "\\N"]
)
COMMON = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection(postgres_server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        yield connection


def read_back(connection: psycopg.Connection[Any], literal: str, kind: str) -> Any:
    row = connection.execute(f"SELECT %s::{kind}[]".encode(), (literal,)).fetchone()
    assert row is not None
    return row[0]


@COMMON
@given(st.lists(st.none() | TRICKY | text()))
def test_any_texts_come_back(connection: psycopg.Connection[Any], values: list[str | None]) -> None:
    assert read_back(connection, text_array(values), "text") == values


@COMMON
@given(st.lists(st.none() | st.lists(TRICKY | text(), min_size=1), min_size=1))
def test_arrays_inside_of_texts_come_back(connection: psycopg.Connection[Any], rows: list[list[str] | None]) -> None:
    literal = text_array(None if row is None else text_array(row) for row in rows)
    found = connection.execute("SELECT k.v::text[] FROM unnest(%s::text[]) AS k (v)", (literal,)).fetchall()
    assert [row[0] for row in found] == rows


@pytest.mark.parametrize("texts", [["a\0b"], ["a", "b\0c"], ["\0", None]])
def test_a_nul_is_refused_and_never_divides_a_text(
    texts: list[str | None], connection: psycopg.Connection[Any]
) -> None:
    with pytest.raises(psycopg.DataError):
        read_back(connection, text_array(texts), "text")


@COMMON
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_any_numbers_come_back(connection: psycopg.Connection[Any], values: list[int | None]) -> None:
    assert read_back(connection, int_array(values), "bigint") == values
