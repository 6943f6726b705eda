"""Steps before and steps after a rollout: which are applied when, what is refused, and who is waited for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from chatterbus_persister.migrate import Phase, migrate, phase_of
from chatterbus_persister.rollout import INSTANCES_LOCK, VERSIONS_LOCK, RolloutUnfinishedError
from chatterbus_persister.schema_version import MIGRATIONS, READ_STEPS, SchemaUnfitError, Steps
from tests.integration.upgrade.version_tree import STEPS
from tests.kit.postgres_server import PARTITIONS, Database
from tests.kit.waiting import until

MIGRATE_S = 30.0
NOW = Steps.shipped()


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a next version, with a step of either kind."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(STEPS, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def session(postgres: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        yield connection


def steps_of(connection: psycopg.Connection) -> Steps:
    return Steps.applied(name for (name,) in connection.execute(READ_STEPS))


def test_before_only_adds_and_after_takes_away(postgres: Database, session: psycopg.Connection, later: Path) -> None:
    migrate(postgres.dsn, PARTITIONS, Phase.BEFORE, later)
    assert steps_of(session) == Steps("9001", NOW.after)
    assert session.execute("SELECT count(*) FROM moods").fetchone() == (1,)
    migrate(postgres.dsn, PARTITIONS, Phase.AFTER, later)
    assert steps_of(session) == Steps("9001", "after_9001")
    assert session.execute("SELECT to_regclass('moods')").fetchone() == (None,)


def test_without_a_phase_everything_is_applied_and_again_changes_nothing(
    postgres: Database, session: psycopg.Connection, later: Path
) -> None:
    for _ in range(2):
        migrate(postgres.dsn, PARTITIONS, migrations=later)
        assert steps_of(session) == Steps("9001", "after_9001")


def test_after_is_refused_while_its_version_can_not_be_running(postgres: Database, later: Path) -> None:
    with pytest.raises(SchemaUnfitError, match="run --before, then roll out"):
        migrate(postgres.dsn, PARTITIONS, Phase.AFTER, later)


@pytest.mark.parametrize("phase", Phase)
def test_a_former_version_leaves_a_schema_alone_that_was_only_added_to(
    postgres: Database, session: psycopg.Connection, later: Path, phase: Phase
) -> None:
    migrate(postgres.dsn, PARTITIONS, Phase.BEFORE, later)
    migrate(postgres.dsn, PARTITIONS, phase)
    assert steps_of(session) == Steps("9001", NOW.after)


@pytest.mark.parametrize("phase", Phase)
def test_a_former_version_refuses_a_schema_that_has_lost_what_it_uses(
    postgres: Database, later: Path, phase: Phase
) -> None:
    migrate(postgres.dsn, PARTITIONS, migrations=later)
    with pytest.raises(SchemaUnfitError, match="after_9001"):
        migrate(postgres.dsn, PARTITIONS, phase)


@pytest.mark.parametrize("made_for", [None, NOW.number], ids=["says nothing of its step", "of the step before"])
def test_after_waits_for_persisters_of_an_older_version(
    postgres: Database, session: psycopg.Connection, later: Path, made_for: int | None
) -> None:
    migrate(postgres.dsn, PARTITIONS, Phase.BEFORE, later)
    if made_for is not None:
        session.execute("SELECT pg_advisory_lock_shared(%s, %s)", (VERSIONS_LOCK, made_for))
    session.execute("SELECT pg_advisory_lock_shared(%s, 0)", (INSTANCES_LOCK,))
    with pytest.raises(RolloutUnfinishedError, match="1 persister"):
        migrate(postgres.dsn, PARTITIONS, Phase.AFTER, later, patience_s=0.1)
    assert steps_of(session).after == NOW.after
    session.execute("SELECT pg_advisory_unlock_all()")
    migrate(postgres.dsn, PARTITIONS, Phase.AFTER, later, patience_s=0.1)
    assert steps_of(session).after == "after_9001"


def test_without_a_phase_the_steps_after_are_left_while_an_older_version_runs(
    postgres: Database, session: psycopg.Connection, later: Path
) -> None:
    session.execute("SELECT pg_advisory_lock_shared(%s, 0)", (INSTANCES_LOCK,))
    migrate(postgres.dsn, PARTITIONS, migrations=later)
    assert steps_of(session) == Steps("9001", NOW.after)
    session.execute("SELECT pg_advisory_unlock_all()")
    migrate(postgres.dsn, PARTITIONS, migrations=later)
    assert steps_of(session) == Steps("9001", "after_9001")


def test_after_does_not_wait_for_persisters_of_its_own_version(
    postgres: Database, session: psycopg.Connection, later: Path
) -> None:
    migrate(postgres.dsn, PARTITIONS, Phase.BEFORE, later)
    session.execute("SELECT pg_advisory_lock_shared(%s, 9001)", (VERSIONS_LOCK,))
    session.execute("SELECT pg_advisory_lock_shared(%s, 0)", (INSTANCES_LOCK,))
    migrate(postgres.dsn, PARTITIONS, Phase.AFTER, later, patience_s=0.1)
    assert steps_of(session).after == "after_9001"


async def test_a_step_whose_table_is_in_use_lets_others_pass_and_tries_again(
    postgres: Database, session: psycopg.Connection, later: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with session.transaction():
            session.execute("SELECT count(*) FROM threads")  # until the end of the transaction nobody may alter it
            migrating = pool.submit(migrate, postgres.dsn, PARTITIONS, Phase.BEFORE, later)

            def waits() -> bool:
                row = session.execute(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
                ).fetchone()
                return row == (1,)

            await until(waits, MIGRATE_S, "the step waits for its lock")
            await until(lambda: not waits(), MIGRATE_S, "it gives way")
            assert not migrating.done()
        migrating.result(MIGRATE_S)
    assert steps_of(session).before == "9001"


def test_a_phase_is_asked_for_by_its_name() -> None:
    assert [phase_of(arguments) for arguments in ([], ["--before"], ["--after"])] == [
        Phase.BOTH,
        Phase.BEFORE,
        Phase.AFTER,
    ]
    with pytest.raises(SystemExit):
        phase_of(["--before", "--after"])
