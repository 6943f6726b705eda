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
) -> None:
    """Create or upgrade the schema of a PostgreSQL database."""
    with reported():
        if not dsn:
            raise CommandError(
                "No database to migrate.",
                "Set PERSISTER_DSN=postgresql://user:password@host/db (or --dsn), a role that may create tables.",
            )
        if importlib.util.find_spec("chatterbus_persister") is None:
            raise CommandError("chatterbus-persister is not installed.", "pip install 'chatterbus[embedded]'")
        argv = [sys.executable, "-P", "-m", "chatterbus_persister.migrate"]
        done = subprocess.run(argv, env={**os.environ, "PERSISTER_DSN": dsn}, check=False)
    raise typer.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)
