"""Three nats-servers and a synchronous standby: what no single container's end may lose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.js import JetStreamContext

from tests.containers.conftest import Env, make_secrets
from tests.containers.engine import Compose, composed, docker, inspected
from tests.containers.load import Load
from tests.kit.waiting import until

BACK_S = 120.0
SETTLED_ACKS = 40
REPLICAS = 3


@pytest.fixture(scope="module")
def cluster(images: Env, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """`docker compose -f docker-compose.yml -f deploy/compose.cluster.yml up` in a fresh clone."""
    files = ("docker-compose.yml", "deploy/compose.cluster.yml")
    env = {**images, "CHATTERBUS_FRONT_SUBNET": "10.213.79.0/28"}
    with composed(tmp_path_factory.mktemp("clone"), "three", env, *files) as made:
        make_secrets(made.folder)
        made.up()
        yield made


@asynccontextmanager
async def operator(cluster: Compose, node: str) -> AsyncIterator[JetStreamContext]:
    """As people look into NATS. Its port is not published, so by the container's own address."""
    [network] = inspected(cluster.container(node))["NetworkSettings"]["Networks"].values()
    url = f"nats://operator:{cluster.secret('nats_operator')}@{network['IPAddress']}:4222"
    client = await nats.connect(url, inbox_prefix="_INBOX_operator", connect_timeout=10)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def test_every_stream_and_bucket_is_held_three_times(cluster: Compose) -> None:
    async with operator(cluster, "nats-1") as jetstream:
        streams = {info.config.name: info.config.num_replicas for info in await jetstream.streams_info()}
    assert {"CMD_0", "EVENTS", "KV_leases", "KV_notifiers", "KV_presence", "KV_revocations"} <= set(streams)
    assert set(streams.values()) == {REPLICAS}, streams


def test_commits_wait_for_the_standby_which_answers_the_queries(cluster: Compose) -> None:
    def ask(service: str, query: str) -> str:
        command = ("psql", "-h", "/var/run/postgresql", "-U", "postgres", "-d", "chatterbus", "-Atc", query)
        return docker("exec", cluster.container(service), *command)

    assert ask("postgres", "SELECT application_name, sync_state FROM pg_stat_replication") == "standby_1|sync"
    sessions = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'chatterbus-store'"
    assert ask("postgres-standby", sessions) == "t"
    assert ask("postgres", sessions) == "f"


@pytest.mark.parametrize("service", ["leader", "follower", "postgres-standby", "postgres"])
async def test_killing_a_node_under_load_loses_nothing(cluster: Compose, service: str) -> None:
    if service in ("leader", "follower"):  # of a partition
        async with operator(cluster, "nats-1") as jetstream:
            nodes = (await jetstream.stream_info("CMD_0")).cluster
        assert nodes is not None
        assert nodes.replicas
        service = str(nodes.leader if service == "leader" else nodes.replicas[0].name)
    async with Load(cluster.url(), cluster.secret("jwt_secret")) as load:
        await until(lambda: load.count > SETTLED_ACKS, BACK_S, "messages are acked")
        docker("kill", cluster.container(service))
        if service.startswith("nats"):
            before = load.count
            await until(lambda: load.count > before + SETTLED_ACKS, BACK_S, "two of three go on")
        docker("start", cluster.container(service))
        await until(lambda: cluster.is_healthy(service), BACK_S, f"{service} is back")
        after = load.count
        await until(lambda: load.count > after + SETTLED_ACKS, BACK_S, "messages are acked again")
    await load.check()
    print(f"{service}: {load.count} messages, longest wait {load.longest_wait_s:.1f} s")
    assert "Violation" not in docker("logs", cluster.container("nats-1"))
