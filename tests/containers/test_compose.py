"""`docker compose up` in a fresh clone: what a newcomer gets, and what it survives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.containers.conftest import FRONT, Env
from tests.containers.engine import CommandFailed, Compose, composed, docker, inspected
from tests.containers.load import Load
from tests.kit.socket import Socket
from tests.kit.waiting import until

KILLABLE = ("gateway", "persister", "notifier", "nats", "postgres")
BACK_S = 90.0
SETTLED_ACKS = 40
DRAINED_S = 15.0


def test_without_passwords_compose_says_how_to_make_them(images: Env, tmp_path: Path) -> None:
    with composed(tmp_path, "bare", images) as bare, pytest.raises(CommandFailed) as failure:
        bare("config")
    assert "make secrets" in failure.value.said


def test_only_the_gateway_is_published_and_only_on_loopback(stack: Compose) -> None:
    published = {
        service: [entry for entries in ports.values() if entries for entry in entries]
        for service in KILLABLE
        if (ports := inspected(stack.container(service))["NetworkSettings"]["Ports"])
    }
    assert {service for service, entries in published.items() if entries} == {"gateway"}
    assert {entry["HostIp"] for entry in published["gateway"]} == {"127.0.0.1"}


@pytest.mark.parametrize("service", KILLABLE)
def test_a_container_may_do_no_more_than_it_needs(stack: Compose, service: str) -> None:
    about = inspected(stack.container(service))
    limits = about["HostConfig"]
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    assert not limits["CapAdd"]
    assert "no-new-privileges:true" in limits["SecurityOpt"]
    assert limits["Memory"] > 0
    assert limits["PidsLimit"] > 0
    assert limits["RestartPolicy"]["Name"] == "unless-stopped"
    told = " ".join(about["Config"]["Env"]) + " ".join(about["Args"])
    assert not [name for name in (stack.folder / "secrets").iterdir() if name.read_text().strip() in told]


async def test_the_demo_is_served_and_two_people_talk(stack: Compose) -> None:
    async with httpx.AsyncClient(base_url=stack.url()) as client:
        page = (await client.get("/")).raise_for_status()
        assert "text/html" in page.headers["content-type"]
        assert (await client.get("/chatterbus/index.js")).is_success
    ws = stack.url().replace("http", "ws") + "/ws"
    ann, ben = [await Socket.join(ws, thread="hello", userId=user, userType="user") for user in ("ann", "ben")]
    for writer, reader, text in ((ann, ben, "hello ben"), (ben, ann, "hello ann")):
        await writer.say("hello", text)
        await reader.expect("message", lambda frame, text=text: frame["data"]["content"] == text)
    await ann.close()
    await ben.close()


def test_no_service_tried_what_its_nats_user_may_not(stack: Compose) -> None:
    assert "Violation" not in docker("logs", stack.container("nats"))


@pytest.mark.parametrize("service", KILLABLE)
async def test_killing_a_container_under_load_loses_nothing(stack: Compose, service: str) -> None:
    async with Load(stack.url(), stack.secret("jwt_secret")) as load:
        await until(lambda: load.count > SETTLED_ACKS, BACK_S, "messages are acked")
        docker("kill", stack.container(service))
        began = time.monotonic()
        docker("start", stack.container(service))
        await until(lambda: stack.is_healthy(service), BACK_S, f"{service} is back")
        before = load.count
        await until(lambda: load.count > before + SETTLED_ACKS, BACK_S, "messages are acked again")
        took = time.monotonic() - began
    await load.check()
    print(
        f"{service}: {load.count} messages, longest wait {load.longest_wait_s:.1f} s, {took:.1f} s until all was well"
    )


@pytest.mark.parametrize("service", ["gateway", "persister", "notifier"])
async def test_sigterm_drains_a_container(stack: Compose, service: str) -> None:
    sockets = []
    if service == "gateway":
        ws = stack.url().replace("http", "ws") + "/ws"
        sockets = [await Socket.join(ws, thread="leave", userId=f"u{n}", userType="user") for n in range(3)]
    began = time.monotonic()
    docker("stop", "--time", "30", stack.container(service))
    took = time.monotonic() - began
    assert inspected(stack.container(service))["State"]["ExitCode"] == 0
    assert took < DRAINED_S
    for socket in sockets:
        await socket.expect("reconnect")
        assert await socket.expect_close() == 4000
    docker("start", stack.container(service))
    await until(lambda: stack.is_healthy(service), BACK_S, f"{service} is back")


async def test_two_of_each_share_the_work_behind_the_proxy(stack: Compose) -> None:
    stack.env |= {"CHATTERBUS_PORT": "0", "COMPOSE_PROFILES": "scale"}
    stack.up("--scale", "gateway=2", "--scale", "persister=2")
    url = stack.url("proxy", 8000)
    async with httpx.AsyncClient(base_url=url) as client:

        async def serves() -> bool:
            try:
                return (await client.get("/")).is_success
            except httpx.HTTPError:
                return False

        await until(serves, BACK_S, "the proxy has found a gateway")
        assert (await client.get("/metrics")).status_code == httpx.codes.NOT_FOUND
    sockets = [
        await Socket.join(url.replace("http", "ws") + "/ws", thread="many", userId=f"u{n}", userType="user")
        for n in range(6)
    ]
    await sockets[0].say("many", "hello all")
    for socket in sockets:
        await socket.expect("message")
    assert [await connections(stack, number) for number in (1, 2)] == [3.0, 3.0]
    async with Load(url, stack.secret("jwt_secret")) as load:
        await until(lambda: load.count > SETTLED_ACKS, BACK_S, "messages are acked")
        for service in ("gateway", "persister"):
            docker("kill", stack.container(service))
            before = load.count
            await until(lambda before=before: load.count > before + SETTLED_ACKS, BACK_S, "the other one serves")
            docker("start", stack.container(service))
            await until(lambda service=service: stack.is_healthy(service), BACK_S, f"{service} is back")
    await load.check()
    print(f"two of each: {load.count} messages, longest wait {load.longest_wait_s:.1f} s")
    for socket in sockets:
        await socket.close()
    await refused_as_a_foreign_page(url.replace("http", "ws") + "/ws")
    refusals = [line for number in (1, 2) for line in docker("logs", stack.container("gateway", number)).splitlines()]
    [refusal] = [json.loads(line) for line in refusals if '"upgrade refused"' in line]
    assert not refusal["address"].startswith(FRONT), "the proxy's word for who connects is taken"


async def refused_as_a_foreign_page(ws: str) -> None:
    with pytest.raises(InvalidStatus):
        await Socket.open(ws, origin="https://elsewhere.example")


async def connections(stack: Compose, number: int) -> float:
    """Sockets of one gateway, by its metrics."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(stack.url("gateway", 8080, number) + "/metrics")).raise_for_status().text
    [value] = [line.split()[1] for line in text.splitlines() if line.startswith("chatterbus_gateway_connections ")]
    return float(value)
