"""`chatterbus version`: what is installed, for a bug report."""

import platform
from importlib import metadata
from pathlib import Path

import typer

from chatterbus import embedded
from chatterbus.errors import CommandError

PACKAGES = (
    "chatterbus",
    "chatterbus-contracts",
    "chatterbus-client",
    "chatterbus-runtime",
    "chatterbus-gateway",
    "chatterbus-persister",
    "chatterbus-notifier",
)
ABSENT = "not installed"


def version() -> None:
    """Show the versions of Chatterbus and of what it runs on."""
    postgres, nats_server = embedded.find_postgres(), embedded.find_nats_server()
    rows = [(name, _package(name)) for name in PACKAGES]
    rows += [
        ("PostgreSQL", _binary(postgres / "bin" / "postgres" if postgres else None)),
        ("nats-server", _binary(nats_server)),
        ("Python", platform.python_version()),
        ("system", platform.platform()),
    ]
    for name, value in rows:
        typer.echo(f"{name:<22}{value}")


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ABSENT


def _binary(path: Path | None) -> str:
    if path is None:
        return ABSENT
    try:
        return embedded.binary_version(path)
    except CommandError as error:
        return error.says
