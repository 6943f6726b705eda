"""Bring the schema up to date, in one go or around a rollout, and lay down what is fixed for the life of the store.

Promises: safe to run twice and by two at once (an advisory lock); forward only; a step waits for its locks for moments
only and then tries again, so that the services that work meanwhile are not held up behind it; a program that is older
than the schema changes nothing. The number of partitions and the store's epoch are written once and never changed:
another number is refused, since it would scatter threads. Does not create roles or databases.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.rollout import RolloutUnfinishedError, until_rolled_out
from chatterbus_persister.schema_version import FOLDERS, MIGRATIONS, READ_STEPS, Fit, SchemaUnfitError, Steps
from chatterbus_persister.search.language import UnknownLanguageError, require_language
from chatterbus_persister.search.statements import LANGUAGES
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import EX_CONFIG, load

log: Final = structlog.get_logger(__name__)

EX_UNAVAILABLE: Final = 69  # sysexits.h: "a service is unavailable"
EX_TEMPFAIL: Final = 75  # sysexits.h: "the user is invited to retry"
MIGRATION_LOCK: Final = 0x63686174  # "chat"
LOCK_TIMEOUT_MS: Final = 2_000  # statements of the services queue behind a step that waits for its lock
LOCK_PATIENCE_S: Final = 300.0
ROLLOUT_PATIENCE_S: Final = 240.0  # below the 5 minutes that Helm waits for a hook


class Phase(StrEnum):
    """Which steps to apply."""

    BEFORE = "before"
    """Those that only add: while the version before is still running."""
    AFTER = "after"
    """Those that take away: when nothing of the version before runs any more."""
    BOTH = "both"
    """Everything that can be done now: those after, too, unless something of the version before is still running."""


class PartitionsFixedError(Exception):
    """The store was created with another number of partitions."""

    def __init__(self, stored: int, asked: int) -> None:
        super().__init__(
            f"this store has {stored} partitions and PERSISTER_PARTITIONS is {asked}: set it to {stored} "
            "(the number is fixed when a store is created, since it decides where each thread's commands go)"
        )


def migrate(
    dsn: str,
    partitions: int,
    phase: Phase = Phase.BOTH,
    migrations: Path = MIGRATIONS,
    patience_s: float = ROLLOUT_PATIENCE_S,
) -> None:
    """Bring the database at `dsn` to this version, with the steps in the folders of `migrations`.

    Phase.AFTER waits up to `patience_s` for the persisters of the version before to end.
    Raises PartitionsFixedError, SchemaUnfitError, RolloutUnfinishedError, or SQLAlchemy's OperationalError.
    """
    conninfo = session_conninfo(dsn, "chatterbus-migrate")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.execute(text("SELECT set_config('lock_timeout', :ms, false)"), {"ms": str(LOCK_TIMEOUT_MS)})
            connection.commit()
            _apply(connection, phase, migrations, patience_s)
            _lay_down(connection, partitions)
            connection.commit()
    finally:
        engine.dispose()


def _apply(connection: Connection, phase: Phase, migrations: Path, patience_s: float) -> None:
    applied, shipped = _applied(connection), Steps.shipped(migrations)
    fit = applied.fit(shipped)
    if fit is Fit.STRIPPED:
        raise SchemaUnfitError(f"the schema is a newer version's ({applied.after}), which this version can not use")
    if fit is Fit.AHEAD:
        log.warning("the schema is a newer version's, which this version can use; it is left as it is", at=applied)
        return
    if phase is Phase.AFTER and fit is Fit.BEHIND:
        raise SchemaUnfitError(
            f"the schema is at step {applied.before or 'none'}, so this version ({shipped.before}) can not be running "
            "yet: run --before, then roll out, then run --after"
        )
    if applied.before < shipped.before:
        _upgrade(connection, migrations, shipped.before)
    if phase is not Phase.BEFORE and applied.after < shipped.after:
        try:
            until_rolled_out(connection, shipped.number, patience_s if phase is Phase.AFTER else 0)
        except RolloutUnfinishedError as error:
            if phase is Phase.AFTER:
                raise
            log.warning("the steps after the rollout are left for later", reason=str(error))
        else:
            _upgrade(connection, migrations, shipped.after)
    log.info("the schema is current", phase=phase.value, before=shipped.before, after=_applied(connection).after)


def _applied(connection: Connection) -> Steps:
    there = connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one()
    names = connection.execute(text(READ_STEPS)).scalars().all() if there else []
    connection.commit()
    return Steps.applied(names)


def _upgrade(connection: Connection, migrations: Path, target: str) -> None:
    """Steps that were committed stay so; one that could not get its lock is tried again."""
    config = Config()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", _escaped(migrations))
    config.set_main_option("version_locations", "\n".join(_escaped(migrations / name) for name in FOLDERS.values()))
    config.attributes["connection"] = connection
    backoff = Backoff(0.2, 2.0, 5.0, 0.5, random.random)
    deadline_s = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            command.upgrade(config, target)
        except OperationalError as error:
            connection.rollback()
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable) or time.monotonic() > deadline_s:
                raise
            delay_s = backoff.next_s()
            log.info("a table is in use, trying again", retry_in_s=round(delay_s, 2))
            time.sleep(delay_s)
        else:
            connection.commit()
            return


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")  # ConfigParser would take it for an interpolation


def _lay_down(connection: Connection, partitions: int) -> None:
    connection.execute(
        text("INSERT INTO store (epoch, partitions, created_at) VALUES (:epoch, :count, now()) ON CONFLICT DO NOTHING"),
        {"epoch": uuid4().hex, "count": partitions},
    )
    stored = connection.execute(text("SELECT partitions FROM store")).scalar_one()
    if stored != partitions:
        raise PartitionsFixedError(stored, partitions)
    connection.execute(
        text("INSERT INTO partitions (partition) SELECT generate_series(0, :last) ON CONFLICT DO NOTHING"),
        {"last": partitions - 1},
    )


def check_language(dsn: str, language: str) -> None:
    """Raise UnknownLanguageError here already, where somebody is looking."""
    with psycopg.connect(session_conninfo(dsn, "chatterbus-migrate")) as connection:
        require_language(language, [name for (name,) in connection.execute(LANGUAGES)])


def phase_of(arguments: Sequence[str]) -> Phase:
    """The phase that a command line asks for; exits with 2 when it asks for something else."""
    parser = argparse.ArgumentParser(prog="python -m chatterbus_persister.migrate", description=__doc__)
    chosen = parser.add_mutually_exclusive_group()
    for phase, when in (
        (Phase.BEFORE, "only the steps that the running version can live with: before a rollout"),
        (Phase.AFTER, "the steps that wait until the version before is gone: after a rollout"),
    ):
        chosen.add_argument(f"--{phase}", dest="phase", action="store_const", const=phase, help=when)
    return parser.parse_args(arguments).phase or Phase.BOTH


def main(arguments: Sequence[str]) -> int:
    """Entry point of `python -m chatterbus_persister.migrate`: 0 when the schema is as the phase wants it."""
    phase = phase_of(arguments)
    settings = load(PersisterSettings)
    configure_logging("migrate", settings.log_level, settings.log_format)
    try:
        migrate(settings.persister_dsn.get_secret_value(), settings.persister_partitions, phase)
        check_language(settings.persister_dsn.get_secret_value(), settings.persister_search_language)
    except (PartitionsFixedError, SchemaUnfitError, UnknownLanguageError) as error:
        sys.stderr.write(f"{error}\n")
        return EX_CONFIG
    except RolloutUnfinishedError as error:
        sys.stderr.write(f"{error}\n")
        return EX_TEMPFAIL
    except (OperationalError, psycopg.OperationalError) as error:
        sys.stderr.write(f"PostgreSQL can not be reached: {str(error).splitlines()[0]}\ncheck PERSISTER_DSN\n")
        return EX_UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
