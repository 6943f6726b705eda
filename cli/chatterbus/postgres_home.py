"""Where PostgreSQL lives when it cannot live in the data directory.

PostgreSQL refuses to run as root. Started by root, it runs as a system account of its own, which must be able to reach
its binaries and its data. Where it cannot (a clone below /root), both go below /var/lib/chatterbus, and `up` says so.
Nobody's permissions are changed to make a path reachable. Access lists are not read: only mode bits count.
"""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from chatterbus.child import Account
from chatterbus.errors import CommandError
from chatterbus.postgres import PostgresHome

SHARED_ROOT = Path("/var/lib/chatterbus")
ACCOUNT_NAME = "chatterbus"
FALLBACK_ACCOUNT = "nobody"
USERADD_DEADLINE_S = 20.0


def choose_home(
    data_dir: Path, data_id: str, installation: Path, version: str, shared_root: Path = SHARED_ROOT
) -> tuple[PostgresHome, list[str]]:
    """The home for this data directory, and what the user should be told about it. Copies binaries at most once."""
    if os.geteuid() != 0:
        return PostgresHome(installation / "bin", data_dir / "pg"), []
    account = system_account()
    notices = []
    try:
        if blocked_at(installation / "bin" / "postgres", account):
            installation = _copy_installation(installation, shared_root / f"pg-{version}")
            notices.append(
                f"PostgreSQL runs as '{account.name}' and cannot reach this clone: binaries in {installation}"
            )
        data = data_dir / "pg"
        if blocked_at(data_dir, account):
            data = shared_root / f"{data_dir.name.lstrip('.') or 'data'}-{data_id}" / "pg"
            data.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            notices.append(f"'{account.name}' cannot reach {data_dir}: the database is in {data}")
    except OSError as error:
        raise CommandError(
            f"Started by root, PostgreSQL needs a place its own account can reach: {error}.",
            "Run chatterbus as an ordinary user.",
        ) from error
    return PostgresHome(installation / "bin", data, account), notices


def blocked_at(path: Path, account: Account) -> Path | None:
    """The first part of `path` that the account may not enter (or, for a file, read and run); None: it is reachable."""
    resolved = path.resolve()
    for part in (*reversed(resolved.parents), resolved):
        status = part.stat()
        needed = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IXOTH | stat.S_IROTH
        if status.st_uid == account.uid:
            needed <<= 6
        elif status.st_gid == account.gid:
            needed <<= 3
        if status.st_mode & needed != needed:
            return part
    return None


def system_account() -> Account:
    """The account for PostgreSQL: `chatterbus`, created when absent; `nobody` where accounts cannot be created."""
    for attempt in (_lookup, _create, lambda _: _lookup(FALLBACK_ACCOUNT)):
        account = attempt(ACCOUNT_NAME)
        if account:
            return account
    raise CommandError(
        "PostgreSQL refuses to run as root, and there is no other account to run it as.",
        "Run chatterbus as an ordinary user, or create one: useradd --system chatterbus",
    )


def _lookup(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid) if entry.pw_uid else None


def _create(name: str) -> Account | None:
    for argv in (
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
        ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", name],  # busybox
    ):
        try:
            subprocess.run(argv, check=True, capture_output=True, timeout=USERADD_DEADLINE_S)
        except (OSError, subprocess.SubprocessError):
            continue
        return _lookup(name)
    return None


def _copy_installation(source: Path, target: Path) -> Path:
    if target.exists():
        return target
    staging = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, staging, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (target.parent, staging, *staging.rglob("*")):
        if not path.is_symlink():  # the source's modes may come from a umask of 077
            runnable = path.is_dir() or bool(path.stat().st_mode & stat.S_IXUSR)
            path.chmod(0o755 if runnable else 0o644)
    try:
        staging.rename(target)
    except OSError:  # another `up` was faster
        shutil.rmtree(staging)
    return target
