"""Containers that freeze or lose a network under load: nothing acked is lost, nothing is stored twice, and all goes on
without a hand when the fault has passed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.containers.engine import Compose, docker
from tests.containers.load import ANSWER_S, Load
from tests.kit.waiting import until

SETTLED_ACKS = 40
QUIET_S = ANSWER_S + 2.0  # so long that everybody has given up on an answer and asked again
FAULT_S = 60.0
BACK_S = 90.0


@contextmanager
def frozen(stack: Compose, service: str) -> Iterator[None]:
    docker("pause", stack.container(service))
    try:
        yield
    finally:
        docker("unpause", stack.container(service))


@contextmanager
def cut_off(stack: Compose, service: str, network: str) -> Iterator[None]:
    """Nothing is refused and nothing closed: packets go nowhere."""
    name, container = f"{stack.project}_{network}", stack.container(service)
    docker("network", "disconnect", name, container)
    try:
        yield
    finally:
        docker("network", "connect", "--alias", service, name, container)


class Silence:
    """True when nothing has been acked for so long."""

    def __init__(self, load: Load, length_s: float) -> None:
        self._load = load
        self._length_s = length_s
        self._count, self._since = load.count, time.monotonic()

    def __call__(self) -> bool:
        if self._load.count != self._count:
            self._count, self._since = self._load.count, time.monotonic()
        return time.monotonic() - self._since > self._length_s


@pytest.mark.parametrize("service", ["gateway", "persister", "nats", "postgres"])
async def test_a_frozen_container_loses_nothing(stack: Compose, service: str) -> None:
    await loses_nothing(stack, f"{service} frozen", frozen(stack, service))


@pytest.mark.parametrize(
    ("service", "network"),
    [("gateway", "bus"), ("persister", "bus"), ("persister", "store"), ("nats", "bus"), ("postgres", "store")],
)
async def test_a_container_without_a_network_loses_nothing(stack: Compose, service: str, network: str) -> None:
    await loses_nothing(stack, f"{service} without {network}", cut_off(stack, service, network))


async def test_a_frozen_notifier_stops_nobody(stack: Compose) -> None:
    async with Load(stack.url(), stack.secret("jwt_secret")) as load:
        with frozen(stack, "notifier"):
            await until(lambda: load.count > SETTLED_ACKS, FAULT_S, "messages are acked")
    await load.check()


async def loses_nothing(stack: Compose, what: str, fault: AbstractContextManager[None]) -> None:
    async with Load(stack.url(), stack.secret("jwt_secret")) as load:
        await until(lambda: load.count > SETTLED_ACKS, BACK_S, "messages are acked")
        with fault:
            await until(Silence(load, QUIET_S), FAULT_S, "nothing is acked")
        began, before = time.monotonic(), load.count
        await until(lambda: load.count > before + SETTLED_ACKS, BACK_S, "messages are acked again")
        took = time.monotonic() - began
    await load.check()
    print(f"{what}: {load.count} messages, {took:.1f} s until {SETTLED_ACKS} more were acked")
