"""`chatterbus migrate`: bring a database's schema up to date, with the persister's own migrations.

Runs `python -m chatterbus_persister.migrate` with PERSISTER_DSN set, passes its output through and its exit code on.
The DSN goes through the environment, never the command line, where every user of the machine could read its password.
"""

import importlib.util
import os
import subprocess
import sys
from typing import Annotated

import typer

from chatterbus.errors import CommandError, reported


def migrate(
    dsn: Annotated[
        str | None,
        typer.Option(envvar="PERSISTER_DSN", show_envvar=True, help="Database: postgresql://user:password@host/db"),
    ] = None,
    before: Annotated[
        bool, typer.Option("--before", help="Before a rollout: only what the running version can live with.")
    ] = False,
    after: Annotated[
        bool, typer.Option("--after", help="After a rollout: what waited until the version before was gone.")
    ] = False,
) -> None:
    """Create or upgrade the schema of a PostgreSQL database; all of it, unless told which half (docs/upgrading.md)."""
    with reported():
        if before and after:
            raise CommandError(
                "--before and --after exclude each other.", "With neither, all that can be done now is done."
            )
        if not dsn:
            raise CommandError(
                "No database to migrate.",
                "Set PERSISTER_DSN=postgresql://user:password@host/db (or --dsn), a role that may create tables.",
            )
        if importlib.util.find_spec("chatterbus_persister") is None:
            raise CommandError("chatterbus-persister is not installed.", "pip install 'chatterbus[embedded]'")
        argv = [sys.executable, "-P", "-m", "chatterbus_persister.migrate"]
        argv += [option for option, chosen in (("--before", before), ("--after", after)) if chosen]
        done = subprocess.run(argv, env={**os.environ, "PERSISTER_DSN": dsn}, check=False)
    raise typer.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)
