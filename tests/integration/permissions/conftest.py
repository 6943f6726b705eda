"""One deployment for the tests of who may do what; none of them changes it for the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatterbus_persister.migrate import migrate
from tests.integration.permissions.deployment import DeployedNats, DeployedPostgres, Secrets
from tests.kit.postgres_server import PARTITIONS


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    """Fresh passwords."""
    made = Secrets(tmp_path_factory.mktemp("deployment"))
    made.make()
    return made


@pytest.fixture(scope="session")
def deployed_nats(secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedNats]:
    """A running nats-server with the deployment's users."""
    server = DeployedNats(tmp_path_factory.mktemp("nats"), secrets)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def deployed_postgres(secrets: Secrets) -> Iterator[DeployedPostgres]:
    """A running PostgreSQL with the deployment's roles, migrated by its owner."""
    server = DeployedPostgres(secrets)
    try:
        server.make_roles()
        migrate(server.dsn_as("owner_dsn"), PARTITIONS)
        yield server
    finally:
        server.close()
