"""The images as anybody would run them: each service from its own, with nothing but environment variables and secrets.

Promises: each system has a network, volumes, passwords, NATS users and database roles of its own; gateways and NATS are
published on 127.0.0.1 alone, on free ports; when the block ends nothing of it is left but its logs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from testcontainers.community.nats import NatsContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.exceptions import ContainerStartException
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import ExecWaitStrategy, HttpWaitStrategy

from bench.stack import Stack
from tests.containers.conftest import make_secrets
from tests.containers.engine import clone, docker, is_here
from tests.e2e.stacks.kind import LOOPBACK, NO_SETTINGS

HOST: Final = "host.docker.internal"
ASK_HOST: Final = f"import socket; print(socket.gethostbyname('{HOST}'))"
READY_S: Final = 120
LOOK_EVERY_S: Final = 0.2
HARDENED: Final[Mapping[str, Any]] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "init": True,
    "extra_hosts": {HOST: "host-gateway"},
}
GATEWAY: Final = {
    "NATS_USER": "gateway",
    "NATS_PASSWORD_FILE": "/run/secrets/nats_gateway",
    "NATS_INBOX_PREFIX": "_INBOX_gateway",
    "GATEWAY_JWT_SECRET_FILE": "/run/secrets/jwt_secret",
    "GATEWAY_DEV_MODE": "true",
    "GATEWAY_PUBLISHED_HOST": LOOPBACK,
}
PERSISTER: Final = {
    "NATS_USER": "persister",
    "NATS_PASSWORD_FILE": "/run/secrets/nats_persister",
    "NATS_INBOX_PREFIX": "_INBOX_persister",
    "PERSISTER_DSN_FILE": "/run/secrets/persister_dsn",
}
NOTIFIER: Final = {
    "NATS_USER": "notifier",
    "NATS_PASSWORD_FILE": "/run/secrets/nats_notifier",
    "NATS_INBOX_PREFIX": "_INBOX_notifier",
}
MIGRATE: Final = {"PERSISTER_DSN_FILE": "/run/secrets/owner_dsn"}


class Containers:
    """Systems of so many gateways and persisters."""

    lacks: frozenset[str] = frozenset({"embedded_only"})
    prepared_by: tuple[str, ...] = ("images",)

    def __init__(self, gateways: int, persisters: int) -> None:
        self._gateways = gateways
        self._persisters = persisters

    def __str__(self) -> str:
        return f"containers, gateways: {self._gateways}, persisters: {self._persisters}"

    @contextmanager
    def start(
        self, folder: Path, *, gateways: int = 1, persisters: int = 1, env: Mapping[str, str] = NO_SETTINGS
    ) -> Iterator[Stack]:
        testcontainers_config.tc_host_override = LOOPBACK  # nothing is published elsewhere
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
        testcontainers_config.sleep_time = LOOK_EVERY_S
        testcontainers_config.ryuk_disabled = not is_here(testcontainers_config.ryuk_image)
        files = folder / "clone"
        files.mkdir()
        make_secrets(clone(files))
        with ExitStack() as ending:
            network = ending.enter_context(Network())
            yield Assembly(files, folder, network, ending, env).assemble(self._gateways, self._persisters)

    def listen_at(self) -> tuple[str, str]:
        command = ("run", "--rm", "--add-host", f"{HOST}:host-gateway", image("gateway"), "python", "-c", ASK_HOST)
        return docker(*command), HOST


def image(service: str) -> str:
    """Built by the fixture `images`."""
    return f"chatterbus-test/{service}"


def health_check(container: DockerContainer) -> list[str]:
    """The image's own, to be asked at once: the engine first asks after 5 s."""
    command: list[str] = container.get_wrapped_container().attrs["Config"]["Healthcheck"]["Test"]
    return command[1:]


class Postgres(PostgresContainer):
    """With the roles of a deployment: the superuser, whom the image makes, has no way in by TCP."""

    def _configure(self) -> None:
        self.with_envs(POSTGRES_USER="postgres", POSTGRES_PASSWORD_FILE="/run/secrets/postgres_superuser")


@dataclass(frozen=True, slots=True)
class Assembly:
    """One system on its way up. `ending` takes it down again, the last part first."""

    files: Path
    logs: Path
    network: Network
    ending: ExitStack
    env: Mapping[str, str]

    def assemble(self, gateways: int, persisters: int) -> Stack:
        nats = self._nats()
        self._postgres()
        migrate = self._service("persister", MIGRATE).with_command("python -m chatterbus_persister.migrate")
        self._add("migrate", migrate)
        assert migrate.wait() == 0, f"the migration failed: see {self.logs}/migrate.log"
        others = [
            self._add(name, self._service(service, settings))
            for name, service, settings in (
                *((f"persister-{number}", "persister", PERSISTER) for number in range(1, persisters + 1)),
                ("notifier", "notifier", NOTIFIER),
            )
        ]
        doors = [self._gateway(number) for number in range(1, gateways + 1)]
        for container in others:
            ExecWaitStrategy(health_check(container)).with_startup_timeout(READY_S).wait_until_ready(container)
        for container in doors:
            HttpWaitStrategy(8080, "/readyz").with_startup_timeout(READY_S).wait_until_ready(container)
        urls = [f"http://{LOOPBACK}:{container.get_exposed_port(8080)}" for container in doors]
        password = (self.files / "secrets" / "nats_operator").read_text().strip()
        return Stack(
            urls[0],
            urls[0].replace("http", "ws", 1) + "/ws",
            {
                "gateways": urls,
                "jwtSecretFile": str(self.files / "secrets" / "jwt_secret"),
                "nats": f"nats://operator:{password}@{LOOPBACK}:{nats.get_exposed_port(4222)}",
            },
        )

    def _add(self, name: str, container: DockerContainer) -> DockerContainer:
        """Start it. Its log is kept, also when it does not come up."""
        container.with_network(self.network).with_network_aliases(name)
        self.ending.callback(container.stop)
        self.ending.callback(self._keep_log, name, container)
        container.start()
        return container

    def _keep_log(self, name: str, container: DockerContainer) -> None:
        with suppress(ContainerStartException):  # it could not even be made
            (self.logs / f"{name}.log").write_bytes(b"".join(container.get_logs()))

    def _nats(self) -> DockerContainer:
        container = NatsContainer(os.environ.get("NATS_IMAGE", "nats:2.15-alpine"))
        container.with_command(self._told("nats"))
        for file in ("nats.conf", "users.conf"):
            container.with_volume_mapping(self.files / "deploy" / "nats" / file, f"/etc/nats/{file}")
        container.with_volume_mapping(self.files / "secrets" / "nats_passwords", "/etc/nats/passwords.conf")
        publish(container, 4222)
        return self._add("nats", container)

    def _postgres(self) -> None:
        role = "chatterbus_persister"
        password = (self.files / "secrets" / "postgres_persister").read_text().strip()
        name = os.environ.get("POSTGRES_IMAGE", "postgres:18-alpine")
        container = Postgres(name, username=role, password=password, dbname="chatterbus")
        container.with_command(self._told("postgres"))
        roles = self.files / "deploy" / "postgres" / "roles.sh"
        container.with_volume_mapping(roles, "/docker-entrypoint-initdb.d/10-roles.sh")
        self._with_secrets(container)
        publish(container)
        self._add("postgres", container)

    def _told(self, service: str) -> list[str]:
        """The command line that the compose file gives it."""
        compose = yaml.safe_load((self.files / "docker-compose.yml").read_text())
        command: list[str] = compose["services"][service]["command"]
        return command

    def _service(self, service: str, settings: Mapping[str, str]) -> DockerContainer:
        container = DockerContainer(image(service)).with_kwargs(**HARDENED)
        container.with_envs(**{"LOG_LEVEL": "warning", "NATS_URL": "nats://nats:4222", **settings, **self.env})
        container.with_tmpfs_mount("/tmp", "size=512m,mode=1777")
        self._with_secrets(container)
        return container

    def _gateway(self, number: int) -> DockerContainer:
        name = f"gateway-{number}"
        container = self._service("gateway", GATEWAY)
        publish(container, 8080)
        return self._add(name, container)

    def _with_secrets(self, container: DockerContainer) -> None:
        for file in (self.files / "secrets").iterdir():
            container.with_volume_mapping(file, f"/run/secrets/{file.name}")


def publish(container: DockerContainer, *ports: int) -> None:
    """These ports and no others, on this machine alone."""
    container.ports.clear()
    container.ports.update({str(port): (LOOPBACK, None) for port in ports})  # type: ignore[misc]
