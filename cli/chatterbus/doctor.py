"""`chatterbus doctor`: will `up` work on this machine, and if not, what to do. Looks only; changes nothing.

Exit code 1 when something would stop `up`; a warning alone is 0.
"""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from chatterbus import embedded, ports
from chatterbus.data_dir import lock_holder
from chatterbus.errors import CommandError
from chatterbus.up import DEFAULT_DATA_DIR

MEMORY_WANTED_MB = 700  # PostgreSQL 250, NATS 50, three Python services at about 90, room for work
DISK_WANTED_MB = 3_000  # PostgreSQL's WAL may take 2 GB, an empty cluster 60 MB
MEMINFO = Path("/proc/meminfo")


class Verdict(StrEnum):
    FINE = "✓"
    WARNING = "!"
    STOPS = "✗"


STYLES = {Verdict.FINE: "green", Verdict.WARNING: "yellow", Verdict.STOPS: "bold red"}


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    says: str
    next_step: str = ""


def doctor(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port `up` would use.")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Data directory `up` would use.")] = DEFAULT_DATA_DIR,
) -> None:
    """Check that `up` will work on this machine."""
    console = Console(highlight=False, soft_wrap=True)
    findings = [*check_python(), *check_binaries(), *check_data_dir(data_dir.expanduser(), port), *check_memory()]
    for finding in findings:
        console.print(Text(f"{finding.verdict} ", style=STYLES[finding.verdict]) + Text(finding.says))
        if finding.next_step:
            console.print(Text(f"  next: {finding.next_step}"))
    raise typer.Exit(any(finding.verdict is Verdict.STOPS for finding in findings))


def check_python() -> Iterator[Finding]:
    shown = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform.startswith(("linux", "darwin")):
        yield Finding(Verdict.FINE, shown)
    else:
        yield Finding(Verdict.STOPS, shown, "Use WSL, or docker compose up.")


def check_binaries() -> Iterator[Finding]:
    try:
        found = embedded.find_binaries()
        postgres = embedded.binary_version(found.postgres / "bin" / "postgres")
        nats_server = embedded.binary_version(found.nats_server)
    except CommandError as error:
        yield Finding(Verdict.STOPS, error.says, error.next_step)
        return
    yield Finding(Verdict.FINE, f"PostgreSQL {postgres}, nats-server {nats_server}, services installed")
    if os.geteuid() == 0:
        says = "running as root: PostgreSQL will run as the account 'chatterbus' (created when absent)"
        yield Finding(Verdict.WARNING, says, "An ordinary user needs no second account.")


def check_data_dir(path: Path, port: int) -> Iterator[Finding]:
    """The directory, its disk, and the port: all fine when the `up` that has them is ours."""
    holder = lock_holder(path)
    if holder:
        yield Finding(Verdict.FINE, f"`chatterbus up` is running on {path} (pid {holder})")
        return
    existing = next(part for part in (path.absolute(), *path.absolute().parents) if part.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(Verdict.STOPS, f"{existing} is not writable", "Choose another: chatterbus up --data-dir PATH")
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < DISK_WANTED_MB:
        says = f"only {free_mb} MB of disk free below {existing}; {DISK_WANTED_MB} MB are comfortable"
        yield Finding(Verdict.WARNING, says, "Free some, or use --data-dir on another disk.")
    else:
        yield Finding(Verdict.FINE, f"{free_mb} MB of disk free for {path}")
    try:
        ports.require_free("127.0.0.1", (port,))
    except CommandError as error:
        yield Finding(Verdict.STOPS, error.says, error.next_step)
    else:
        yield Finding(Verdict.FINE, f"port {port} is free")


def check_memory() -> Iterator[Finding]:
    try:
        rows = dict(row.split(":", 1) for row in MEMINFO.read_text().splitlines())
        available_mb = int(rows["MemAvailable"].split()[0]) // 1_000
    except (OSError, ValueError, KeyError, IndexError):
        return  # macOS; it swaps rather than kills
    if available_mb < MEMORY_WANTED_MB:
        says = f"only {available_mb} MB of memory available; {MEMORY_WANTED_MB} MB are comfortable"
        yield Finding(Verdict.WARNING, says, "Close something, or expect swapping.")
    else:
        yield Finding(Verdict.FINE, f"{available_mb} MB of memory available")
