"""nats-server and PostgreSQL with the very files of deploy/, and the services as its containers start them.

Promises: passwords are made by deploy/secrets.sh; nothing about users, permissions and roles is repeated here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from chatterbus.postgres import DATABASE
from tests.kit.nats_server import NatsServer, free_port
from tests.kit.postgres_server import PostgresServer

ROOT: Final = Path(__file__).resolve().parents[3]
SCRIPT_TIMEOUT_S: Final = 30.0
VIOLATION: Final = "Violation"


class Secrets:
    """What deploy/secrets.sh makes, in a copy of deploy/."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(ROOT / "deploy", root / "deploy")
        self.root = root
        self.folder = root / "secrets"

    def make(self, **env: str) -> str:
        """Run the script; what it said."""
        done = subprocess.run(
            [self.root / "deploy" / "secrets.sh"],
            env={"PATH": os.environ["PATH"], **env},
            capture_output=True,
            text=True,
            check=True,
            timeout=SCRIPT_TIMEOUT_S,
        )
        return done.stdout

    def read(self, name: str) -> str:
        return (self.folder / name).read_text().rstrip("\n")


class DeployedNats(NatsServer):
    """nats-server with deploy/nats/nats.conf."""

    def __init__(self, store: Path, secrets: Secrets) -> None:
        configuration = secrets.root / "deploy" / "nats"
        shutil.copy(secrets.folder / "nats_passwords", configuration / "passwords.conf")
        options = ("--name", "under-test", "-m", str(free_port()))
        super().__init__(store, "-c", str(configuration / "nats.conf"), *options)
        self._log = store / "nats-server.log"
        self._secrets = secrets

    def url_of(self, user: str) -> str:
        return f"nats://{user}:{self._secrets.read(f'nats_{user}')}@127.0.0.1:{self.port}"

    @property
    def violations(self) -> list[str]:
        """What a user tried and was not allowed, as the server has logged it."""
        return [line for line in self._log.read_text().splitlines() if VIOLATION in line]


class DeployedPostgres(PostgresServer):
    """PostgreSQL after deploy/postgres/roles.sh, as the image runs it at the first start."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets
        self._is_made = False

    @property
    def dsn(self) -> str:
        return (
            self.dsn_as("persister_dsn") if self._is_made else f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        )

    def make_roles(self) -> None:
        """The first start. The image has the superuser's socket for it; here it is TCP, until pg_hba.conf is new."""
        secrets = self._secrets
        (self._home.data / "pg_hba.conf").write_text("host all postgres 127.0.0.1/32 trust\n")
        self.start()
        self.run(f"DROP DATABASE {DATABASE}")  # that of `chatterbus up`
        environment = {
            "PATH": f"{self._home.bin}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGDATA": str(self._home.data),
            "SECRETS": str(secrets.folder),
        }
        script = secrets.root / "deploy" / "postgres" / "roles.sh"
        done = subprocess.run([script], env=environment, capture_output=True, text=True, timeout=SCRIPT_TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        self.stop()  # as the image does, so that the new pg_hba.conf is read
        self._is_made = True
        self.start()

    def dsn_as(self, name: str) -> str:
        """A DSN that secrets.sh made, with this server's address."""
        return self._secrets.read(name).replace("postgres:5432", f"127.0.0.1:{self.port}")
