"""deploy/secrets.sh: passwords are made once, each its own, for their owner alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.permissions.deployment import Secrets

RANDOM = re.compile(r"[0-9a-f]{64}")


@pytest.fixture
def made(tmp_path: Path) -> Secrets:
    secrets = Secrets(tmp_path)
    secrets.make()
    return secrets


def contents(secrets: Secrets) -> dict[str, str]:
    return {path.name: path.read_text() for path in secrets.folder.iterdir()}


def test_a_second_run_changes_nothing(made: Secrets) -> None:
    before = contents(made)
    assert made.make() == ""
    assert contents(made) == before
    assert (made.root / ".env").read_text() == "CHATTERBUS_SECRETS=./secrets\n"


def test_every_password_is_256_random_bits_of_its_own(made: Secrets, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Secrets(tmp_path_factory.mktemp("other"))
    other.make()
    alone = [text.strip() for secrets in (made, other) for text in contents(secrets).values() if RANDOM.match(text)]
    assert len(alone) == 2 * 9
    assert len(set(alone)) == len(alone)
    assert all(RANDOM.fullmatch(password) for password in alone)


def test_only_its_owner_gets_into_the_folder_and_a_service_can_read_its_file(made: Secrets) -> None:
    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.folder.iterdir()} == {0o444}
    assert (made.root / ".env").stat().st_mode & 0o077 == 0


def test_a_password_that_was_removed_is_made_anew(made: Secrets) -> None:
    before = contents(made)
    for name in ("postgres_persister", "persister_dsn"):
        (made.folder / name).unlink()
    made.make()
    after = contents(made)
    assert {name for name, text in after.items() if before[name] != text} == {"postgres_persister", "persister_dsn"}
    assert after["postgres_persister"].strip() in after["persister_dsn"]
