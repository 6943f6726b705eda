"""Images and stacks in containers.

Which images: PYTHON_IMAGE, NATS_IMAGE, POSTGRES_IMAGE and PROXY_IMAGE of the environment, else the official ones. Where
no registry can be reached, python:3.11-slim is taken if it is here, the proxy is built from Debian's package, and
images are built with the host's network.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import (
    BUILD_TIMEOUT_S,
    ROOT,
    SERVICES,
    Compose,
    composed,
    docker,
    is_here,
    leave_out,
    need_engine,
)

Env = dict[str, str]
FRONT = "10.213.78."
TEST_TIMEOUT_S = 1_200  # building three images on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """More time than other tests have."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


@pytest.fixture(scope="session")
def images() -> Env:
    """Our images, built as a user builds them; what the compose file has to be told to use them."""
    need_engine()
    env = {f"{service.upper()}_IMAGE": f"chatterbus-test/{service}" for service in SERVICES}
    env["PYTHON_IMAGE"] = os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
    if not is_here(env["PYTHON_IMAGE"]):
        if not is_here("python:3.11-slim"):
            leave_out(f"{env['PYTHON_IMAGE']} cannot be pulled")
        env |= {"PYTHON_IMAGE": "python:3.11-slim", "BUILD_NETWORK": "host", "DOCKER_BUILDKIT": "0"}
    for service in SERVICES:
        options = (
            "--build-arg",
            f"PYTHON_IMAGE={env['PYTHON_IMAGE']}",
            "--network",
            env.get("BUILD_NETWORK", "default"),
        )
        file = f"services/{service}/Dockerfile"
        docker(
            "build", *options, "-t", f"chatterbus-test/{service}", "-f", file, ".", timeout_s=BUILD_TIMEOUT_S, env=env
        )
    return env


@pytest.fixture(scope="session")
def proxy_image(images: Env) -> str:
    """haproxy, official or not."""
    image = os.environ.get("PROXY_IMAGE", "haproxy:3.2-alpine")
    if is_here(image):
        return image
    folder, tag = ROOT / "tests" / "containers" / "standin", "chatterbus-test/haproxy"
    python = f"PYTHON_IMAGE={images['PYTHON_IMAGE']}"
    docker(
        "build",
        "--build-arg",
        python,
        "--network",
        "host",
        "-t",
        tag,
        str(folder),
        timeout_s=BUILD_TIMEOUT_S,
        env=images,
    )
    return tag


@pytest.fixture(scope="module")
def stack(images: Env, proxy_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """`make secrets && docker compose up` in a fresh clone."""
    env = {**images, "PROXY_IMAGE": proxy_image, "CHATTERBUS_FRONT_SUBNET": f"{FRONT}0/28"}
    with composed(tmp_path_factory.mktemp("clone"), "one", env) as made:
        make_secrets(made.folder)
        began = time.monotonic()
        made.up()
        print(f"healthy {time.monotonic() - began:.1f} s after docker compose up")
        yield made


def make_secrets(folder: Path) -> None:
    """What `make secrets` runs."""
    subprocess.run([folder / "deploy" / "secrets.sh"], check=True, capture_output=True, timeout=30)
