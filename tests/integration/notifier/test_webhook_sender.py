"""One attempt: what is sent, where it may go, and what counts as a failure."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.webhooks.connector import NameNotResolved, resolve
from chatterbus_notifier.webhooks.sender import USER_AGENT, HookSender
from chatterbus_notifier.webhooks.signature import parse_secrets, signature
from chatterbus_notifier.webhooks.target import Address, parse_target
from tests.integration.notifier.webhook_receiver import (
    Behaviour,
    Receiver,
    answer,
    close_early,
    hang,
    talk_nonsense,
)
from tests.integration.notifier.webhook_stand import SECRET

EVENT = HookEvent("evt_1", "message.missed", "anna", b'{"type":"message.missed"}')
NAME = "hooks.example.com"

Make = Callable[..., Awaitable[HookSender]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def sender_to() -> AsyncIterator[Callable[..., HookSender]]:
    made: list[HookSender] = []

    def make(url: str, *, allow_private: bool = True, timeout_s: float = 2, **options: object) -> HookSender:
        target = parse_target(url, allow_private=allow_private)
        sender = HookSender(target, parse_secrets(SECRET), timeout_s=timeout_s, concurrency=4, **options)  # type: ignore[arg-type]
        made.append(sender)
        return sender

    yield make
    for sender in made:
        await sender.close()


def resolves_to(*addresses: str) -> Callable[[str, int], Awaitable[list[Address]]]:
    async def lookup(host: str, port: int) -> list[Address]:
        return [ip_address(address) for address in addresses]

    return lookup


async def test_an_event_is_posted_as_it_is_signed_and_named(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    attempted = await sender_to(receiver.url, now_s=lambda: 1614265330.9).send(EVENT)
    assert (attempted.status, attempted.error) == (200, None)
    (received,) = receiver.received
    assert received.path == "/hooks?product=1"
    assert received.body == EVENT.body
    assert {name: received.headers[name] for name in ("webhook-id", "webhook-timestamp", "user-agent")} == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1614265330",
        "user-agent": USER_AGENT,
    }
    assert received.headers["content-type"] == "application/json"
    signed = signature(parse_secrets(SECRET), "evt_1", 1614265330, EVENT.body)
    assert received.headers["webhook-signature"] == signed


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (answer(204), 204, None),
        (answer(299), 299, None),
        (answer(301, "location: http://127.0.0.1:1/"), 301, "redirected"),
        (answer(307, "location: /elsewhere"), 307, "redirected"),
        (answer(400), 400, "refused"),
        (answer(410), 410, "refused"),
        (answer(500), 500, "refused"),
        (close_early, None, "bad_answer"),
        (talk_nonsense, None, "bad_answer"),
    ],
)
async def test_anything_but_2xx_is_a_failure_and_redirects_are_not_followed(
    receiver: Receiver,
    sender_to: Callable[..., HookSender],
    behaviour: Behaviour,
    status: int | None,
    error: str | None,
) -> None:
    receiver.behave = behaviour
    attempted = await sender_to(receiver.url).send(EVENT)
    assert (attempted.status, attempted.error) == (status, error)
    assert len(receiver.received) == 1


async def test_a_receiver_that_hangs_is_given_up_in_time(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    receiver.behave = hang
    sender = sender_to(receiver.url, timeout_s=0.2)
    async with asyncio.timeout(2):
        attempts = await asyncio.gather(*(sender.send(EVENT) for _ in range(4)))
    assert {one.error for one in attempts} == {"timeout"}
    receiver.behave = answer(200)
    assert (await sender.send(EVENT)).error is None


async def test_a_receiver_that_drips_its_headers_is_given_up_in_time(sender_to: Callable[..., HookSender]) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                writer.write(b"x: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        except OSError:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    attempted = await sender_to(f"http://127.0.0.1:{port}/", timeout_s=0.3).send(EVENT)
    assert attempted.error == "timeout"
    server.close()


async def test_an_endless_answer_is_not_read_and_does_not_change_its_status(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    receiver.behave = answer(200, body=b"x" * 5_000_000)
    sender = sender_to(receiver.url)
    assert (await sender.send(EVENT)).error is None
    receiver.behave = answer(200)
    assert (await sender.send(EVENT)).error is None
    assert receiver.connections == 2


async def test_short_answers_leave_the_connection_for_the_next(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    receiver.behave = answer(200, body=b"thanks")
    sender = sender_to(receiver.url)
    for _ in range(5):
        assert (await sender.send(EVENT)).error is None
    assert receiver.connections == 1


async def test_nobody_listening_is_a_failure(sender_to: Callable[..., HookSender]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert (await sender_to(f"http://127.0.0.1:{port}/").send(EVENT)).error == "not_connected"


async def test_what_the_receiver_asks_to_wait_is_understood(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    receiver.behave = answer(429, "retry-after: 7")
    assert (await sender_to(receiver.url).send(EVENT)).retry_after_s == 7


async def test_the_environment_s_proxies_are_not_used(
    receiver: Receiver, sender_to: Callable[..., HookSender], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await sender_to(receiver.url).send(EVENT)).error is None


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["64:ff9b::7f00:1"]],
)
async def test_a_name_with_a_private_address_is_refused_and_nothing_is_connected_to(
    receiver: Receiver, sender_to: Callable[..., HookSender], addresses: list[str]
) -> None:
    sender = sender_to(f"https://{NAME}:{receiver.port}/", allow_private=False, resolver=resolves_to(*addresses))
    assert (await sender.send(EVENT)).error == "target_refused"
    assert receiver.connections == 0


async def test_the_checked_address_is_the_one_connected_to_and_the_name_is_resolved_once(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

    sender = sender_to(f"http://{NAME}:{receiver.port}/", resolver=rebinding)
    assert (await sender.send(EVENT)).error is None
    assert asked == [NAME]
    assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"


async def test_the_next_address_is_tried_where_one_does_not_answer(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    sender = sender_to(f"http://{NAME}:{receiver.port}/", resolver=resolves_to("127.0.0.9", "127.0.0.1"))
    assert (await sender.send(EVENT)).error is None


async def test_a_resolver_that_hangs_ends_the_attempt_in_time_and_is_asked_once(
    receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    asked = 0
    go = asyncio.Event()

    async def slow(host: str, port: int) -> list[Address]:
        nonlocal asked
        asked += 1
        await go.wait()
        return [ip_address("127.0.0.1")]

    sender = sender_to(f"http://{NAME}:{receiver.port}/", timeout_s=0.1, resolver=slow)
    attempts = await asyncio.gather(*(sender.send(EVENT) for _ in range(3)))
    assert {one.error for one in attempts} == {"timeout"}
    assert asked == 1
    go.set()
    assert (await sender.send(EVENT)).error is None


async def test_a_name_that_does_not_exist_is_a_failure(sender_to: Callable[..., HookSender]) -> None:
    async def unknown(host: str, port: int) -> list[Address]:
        raise NameNotResolved(host)

    assert (await sender_to(f"http://{NAME}/", resolver=unknown).send(EVENT)).error == "name_not_resolved"
    nowhere = sender_to(f"http://{NAME}/", resolver=resolves_to())
    assert (await nowhere.send(EVENT)).error == "name_not_resolved"


async def test_the_system_s_resolver_knows_this_host() -> None:
    assert ip_address("127.0.0.1") in await resolve("127.0.0.1", 80)
    with pytest.raises(NameNotResolved):
        await resolve("a" * 70 + ".invalid", 80)


# --- TLS ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of NAME with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "hooks.pem"
    path.write_bytes(made.public_bytes(encoding) + private)
    return path


@pytest.fixture
async def tls_receiver(certificate: Path) -> AsyncIterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with Receiver(context) as receiver:
        yield receiver


@pytest.mark.parametrize(("name", "error"), [(NAME, None), ("other.example.com", "tls_failed")])
async def test_tls_verifies_the_name_though_the_connection_goes_to_an_address(
    tls_receiver: Receiver, certificate: Path, sender_to: Callable[..., HookSender], name: str, error: str | None
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    url = f"https://{name}:{tls_receiver.port}/"
    sender = sender_to(url, resolver=resolves_to("127.0.0.1"), tls=trusting)
    assert (await sender.send(EVENT)).error == error


async def test_a_certificate_nobody_vouches_for_is_refused(
    tls_receiver: Receiver, sender_to: Callable[..., HookSender]
) -> None:
    url = f"https://{NAME}:{tls_receiver.port}/"
    assert (await sender_to(url, resolver=resolves_to("127.0.0.1")).send(EVENT)).error == "tls_failed"
    assert tls_receiver.received == []
