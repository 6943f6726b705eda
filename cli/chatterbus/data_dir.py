"""The data directory: one `up` at a time, one layout for life, secrets nobody else reads.

    lock           held (flock) while an `up` runs; holds its pid
    layout.json    schema of this directory, its id, the number of partitions (fixed at creation)
    jwt.secret     signs the tokens; postgres.secret and nats.secret: the inner passwords (all mode 0600)
    children.json  name, pid and command of every running child, current over restarts
    pg/, nats/     the data of PostgreSQL (see postgres_home.py for root) and of JetStream; nats.conf

It does not migrate the layout: a schema it does not know is refused.
"""

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from chatterbus.errors import CommandError

SCHEMA = 1
DEFAULT_PARTITIONS = 4
SECRET_BYTES = 48


@dataclass(frozen=True)
class Layout:
    """What may not change during the life of a data directory."""

    schema: int
    id: str
    partitions: int


def settle_layout(stored: Layout | None, asked_partitions: int | None, path: Path) -> Layout:
    """The layout to run with: the stored one if it agrees with what is asked, a new one for a new directory."""
    if stored is None:
        return Layout(SCHEMA, secrets.token_hex(4), asked_partitions or DEFAULT_PARTITIONS)
    if stored.schema != SCHEMA:
        raise CommandError(
            f"{path} has data layout {stored.schema}; this chatterbus knows layout {SCHEMA}.",
            "Use the chatterbus version that made it, or --data-dir with a new path.",
        )
    if asked_partitions not in (None, stored.partitions):
        raise CommandError(
            f"{path} was created with {stored.partitions} partitions; {asked_partitions} were asked for. A thread's "
            "partition is a hash over that number, so it cannot change under stored threads.",
            f"Leave --partitions out (or say {stored.partitions}), or start a new data directory with --data-dir.",
        )
    return stored


def parse_layout(text: str, path: Path) -> Layout:
    try:
        raw = json.loads(text)
        return Layout(int(raw["schema"]), str(raw["id"]), int(raw["partitions"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{path / 'layout.json'} is not readable as a layout ({error!r}).",
            "Restore it from a backup, or use --data-dir with a new path.",
        ) from error


def read_secret(path: Path) -> str:
    """The secret in this file, created (0600) when absent."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        value = secrets.token_urlsafe(SECRET_BYTES).replace("_", "x").replace("-", "y")  # safe in URLs, SQL and JSON
        file.write(value + "\n")
    return value


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a small file so that a reader, or a crash, sees the old text or the new one."""
    staging = path.with_name(path.name + ".new")
    staging.unlink(missing_ok=True)
    with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    staging.replace(path)


class DataDir:
    """An open, locked data directory. Use as a context manager; the lock ends with it (or with the process)."""

    def __init__(self, path: Path, layout: Layout, lock: int) -> None:
        self.path = path
        self.layout = layout
        self._lock = lock

    @classmethod
    def open(cls, path: Path, asked_partitions: int | None = None) -> Self:
        """Create the directory if needed, take its lock, and check that its layout fits. CommandError if not."""
        path = path.resolve()
        try:
            # Root's PostgreSQL account has to pass through; what is secret in here has its own mode.
            path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            lock = _take_lock(path)
            layout_file = path / "layout.json"
            stored = parse_layout(layout_file.read_text(), path) if layout_file.exists() else None
            layout = settle_layout(stored, asked_partitions, path)
            if stored is None:
                write_atomically(layout_file, json.dumps(asdict(layout)) + "\n")
        except OSError as error:
            raise CommandError(
                f"The data directory {path} cannot be used: {error.strerror or error}.",
                "Choose one you can write to: --data-dir ~/.local/share/chatterbus",
            ) from error
        return cls(path, layout, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    @property
    def jwt_secret_file(self) -> Path:
        return self.path / "jwt.secret"

    @property
    def postgres_secret_file(self) -> Path:
        return self.path / "postgres.secret"

    @property
    def nats_secret_file(self) -> Path:
        return self.path / "nats.secret"

    @property
    def nats_store(self) -> Path:
        return self.path / "nats"

    @property
    def nats_config(self) -> Path:
        return self.path / "nats.conf"

    @property
    def children_file(self) -> Path:
        return self.path / "children.json"


def lock_holder(path: Path) -> int | None:
    """The pid of the `up` that runs on this directory, or None."""
    try:
        lock = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_pid(lock)
    finally:
        os.close(lock)
    return None


def _take_lock(path: Path) -> int:
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _read_pid(lock)
        os.close(lock)
        raise CommandError(
            f"Another `chatterbus up` (pid {holder}) runs on {path}.",
            f"Use that one, stop it (kill {holder}), or run a second stack: --data-dir other --port 9080",
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _read_pid(lock: int) -> int:
    digits = os.pread(lock, 20, 0).decode().strip()
    return int(digits) if digits.isdigit() else 0
