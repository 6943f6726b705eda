"""The embedded PostgreSQL: how it is configured and how its data directory is made.

Durability is never traded: fsync, synchronous_commit, full_page_writes and checksums stay on. Message text must not
reach its log: statements, parameters and row values (DETAIL lines) are kept out. TCP on loopback only: measured against
a Unix socket the difference disappears in the noise, and a socket path has a limit of 107 bytes.
"""

import locale
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from chatterbus.child import Account, ChildSpec
from chatterbus.errors import CommandError

USER = "chatterbus"
DATABASE = "chatterbus"
INITDB_DEADLINE_S = 120.0

SETTINGS: dict[str, str | int] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": 50,
    "shared_buffers": "192MB",  # a laptop's share; the hot set (thread rows, recent messages) fits
    "max_wal_size": "2GB",  # checkpoints by time, not by volume: each brings a burst of full-page writes
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",  # full-page images shrink to a third; the wheel is built without lz4
    "jit": "off",  # compiling costs more than any statement here runs
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": 0,
    "log_parameter_max_length_on_error": 0,
    "log_error_verbosity": "terse",  # DETAIL of a constraint error quotes the failing row, body included
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class PostgresHome:
    """Where the binaries and the data are, and which account runs them (None: the caller)."""

    bin: Path
    data: Path
    account: Account | None = None

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of its processes: nothing of the caller's (PGDATA, LC_ALL) may leak in."""
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def dsn(port: int, password: str) -> str:
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def configuration(port: int) -> str:
    """The text of the configuration file; written anew at every start, so that an upgrade takes effect."""
    rows = [f"{name} = '{value}'" for name, value in {"port": port, **SETTINGS}.items()]
    return "# Written by `chatterbus up` at every start; changes here are lost.\n" + "\n".join(rows) + "\n"


def host_based_access() -> str:
    """The text of pg_hba.conf: our role with its password, from this machine; the superuser cannot log in at all."""
    return f"host all {USER} 127.0.0.1/32 scram-sha-256\n"


def initdb_argv(home: PostgresHome, staging: Path, ctype: str) -> tuple[str, ...]:
    """`initdb` for a new cluster. The builtin provider sorts and folds alike on every system; checksums by default."""
    return (
        str(home.bin / "initdb"), "-D", str(staging), "--username=postgres", "--auth=reject", "--encoding=UTF8",
        "--locale=C", f"--lc-ctype={ctype}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )  # fmt: skip


def role_statements(password: str) -> str:
    """SQL for single-user mode, one statement a line. The role owns its database and is no superuser."""
    return (
        f"CREATE ROLE {USER} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'\n"
        f"GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {USER}\n"
        f"CREATE DATABASE {DATABASE} OWNER {USER}\n"
    )


def utf8_ctype() -> str:
    """C.UTF-8 where the system has it (text search folds non-ASCII letters by it), else C."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def creation_steps(home: PostgresHome, staging: Path) -> tuple[ChildSpec, ChildSpec]:
    """The two processes that make a cluster in `staging`: initdb, then single-user mode for `role_statements`."""
    roles = (str(home.bin / "postgres"), "--single", "-D", str(staging), "-c", "exit_on_error=on", "postgres")
    initdb = ChildSpec(
        "initdb",
        initdb_argv(home, staging, utf8_ctype()),
        home.env,
        start_deadline_s=INITDB_DEADLINE_S,
        account=home.account,
        cwd=Path("/"),
    )
    return initdb, replace(initdb, argv=roles)


def exists(home: PostgresHome) -> bool:
    return (home.data / "PG_VERSION").exists()


def require_major(home: PostgresHome, binary_version: str) -> None:
    """Refuse a data directory that another major version wrote: PostgreSQL would refuse it too, less helpfully."""
    of_data = (home.data / "PG_VERSION").read_text().strip()
    of_binary = binary_version.split(".")[0]
    if of_data != of_binary:
        raise CommandError(
            f"{home.data} was written by PostgreSQL {of_data}; this chatterbus brings PostgreSQL {of_binary}.",
            f"To keep the data: run the chatterbus that has PostgreSQL {of_data}, pg_dump its database, move the data "
            "directory aside, start this one and psql the dump into it. To start empty: --data-dir with a new path.",
        )


def make_staging(home: PostgresHome) -> Path:
    """An empty directory beside the data, owned by the account; a half-made one of an interrupted start is removed."""
    staging = home.data.with_name(home.data.name + ".new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700, parents=True)
    if home.account:
        shutil.chown(staging, home.account.uid, home.account.gid)
    return staging


def write_configuration(home: PostgresHome, data: Path, port: int) -> None:
    """Write chatterbus.conf and pg_hba.conf into `data`, readable by the account."""
    for name, text in (("chatterbus.conf", configuration(port)), ("pg_hba.conf", host_based_access())):
        path = data / name
        path.write_text(text)
        path.chmod(0o600)
        if home.account:
            shutil.chown(path, home.account.uid, home.account.gid)


def server_argv(home: PostgresHome) -> tuple[str, ...]:
    config = home.data / "chatterbus.conf"
    return (str(home.bin / "postgres"), "-D", str(home.data), "-c", f"config_file={config}")
