"""The link against a real nats-server: what is published arrives, what is lost is told."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from nats import micro
from nats.aio.msg import Msg
from pydantic import SecretStr

from chatterbus_runtime import nats_link
from chatterbus_runtime.link_errors import BadSubject, LinkDown, LinkFull, NoResponders, PayloadTooLarge
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.runtime.conftest import Losses
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until


async def test_messages_arrive_in_order_with_reply_and_headers(link: NatsLink) -> None:
    got: list[Message] = []
    link.listen("a.*", got.append)
    for number in range(1000):
        link.publish(f"a.{number}", b"x" * number, reply="r", headers={"N": str(number)} if number % 2 else None)
    await until(lambda: len(got) == 1000, 5, "1,000 messages")
    assert [message.subject for message in got] == [f"a.{number}" for number in range(1000)]
    assert [len(message.data) for message in got] == list(range(1000))
    assert got[7].headers == {"N": "7"}
    assert got[8].headers is None
    assert got[8].reply == "r"


async def test_flush_returns_after_the_server_knows_a_listener(link: NatsLink, nats_server: NatsServer) -> None:
    other = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "other")
    for number in range(200):
        got: list[Message] = []
        link.listen(f"f.{number}", got.append)
        await link.flush(2)
        other.publish(f"f.{number}", b"")
        await other.flush(2)
        await link.flush(2)
        assert len(got) == 1
    await other.close(1)


async def test_a_library_subscription_and_flush_work_beside_listeners(link: NatsLink) -> None:
    seen: list[bytes] = []

    async def on_message(message: Msg) -> None:
        seen.append(message.data)

    got: list[Message] = []
    link.listen("both", got.append)
    await link.client.subscribe("both", cb=on_message)
    link.publish("both", b"1")
    await link.client.publish("both", b"2")
    await until(lambda: seen == [b"1", b"2"] and len(got) == 2, 2, "both paths saw both messages, in order")


async def test_a_listener_that_raises_does_not_stop_the_others(link: NatsLink) -> None:
    got: list[Message] = []

    def broken(_message: Message) -> None:
        raise RuntimeError("a bug")

    link.listen("x", broken)
    link.listen("x", got.append)
    link.publish("x", b"1")
    link.publish("x", b"2")
    await until(lambda: len(got) == 2, 2, "the other listener got both")


async def test_a_closed_listener_hears_nothing(link: NatsLink) -> None:
    got: list[Message] = []
    listener = link.listen("c", got.append)
    link.publish("c", b"")
    await until(lambda: len(got) == 1, 2, "one message before closing")
    listener.close()
    listener.close()
    link.publish("c", b"")
    await link.flush(2)
    assert len(got) == 1


async def test_queue_listeners_share_the_messages(link: NatsLink) -> None:
    first: list[Message] = []
    second: list[Message] = []
    link.listen("q", first.append, queue="workers")
    link.listen("q", second.append, queue="workers")
    for _ in range(100):
        link.publish("q", b"")
    await until(lambda: len(first) + len(second) == 100, 2, "100 messages in total")
    assert first
    assert second


async def test_request_is_answered(link: NatsLink) -> None:
    link.listen("echo", lambda message: link.publish(message.reply, message.data[::-1]))
    answers = await asyncio.gather(*(link.request("echo", b"%d" % (10 + n), 2) for n in range(50)))
    assert [answer.data for answer in answers] == [(b"%d" % (10 + n))[::-1] for n in range(50)]


async def test_request_nobody_listens_to_fails_at_once(link: NatsLink) -> None:
    with pytest.raises(NoResponders):
        await link.request("nobody", b"", 30)


async def test_request_that_is_not_answered_times_out(link: NatsLink) -> None:
    link.listen("silent", lambda _message: None)
    with pytest.raises(TimeoutError):
        await link.request("silent", b"", 0.05)


async def test_a_request_in_flight_fails_when_the_link_is_lost(link: NatsLink, nats_server: NatsServer) -> None:
    heard = asyncio.Event()
    link.listen("silent", lambda _message: heard.set())
    asking = asyncio.create_task(link.request("silent", b"", 30))
    await asyncio.wait_for(heard.wait(), 2)
    nats_server.kill()
    with pytest.raises(LinkDown):
        await asyncio.wait_for(asking, 2)


async def test_large_messages_arrive_and_too_large_ones_are_refused(link: NatsLink) -> None:
    got: list[Message] = []
    link.listen("big", got.append)
    body = os.urandom(link.max_payload_bytes)
    link.publish("big", body)
    with pytest.raises(PayloadTooLarge):
        link.publish("big", body + b"x")
    with pytest.raises(PayloadTooLarge):
        link.publish("big", body, headers={"A": "b"})
    link.publish("big", b"after")
    await until(lambda: len(got) == 2, 5, "both messages")
    assert got[0].data == body


@pytest.mark.parametrize("subject", ["", "a b", "a\r\nPUB x 0\r\n", "a\tb", "a\n"])
async def test_a_subject_cannot_carry_protocol_commands(link: NatsLink, subject: str) -> None:
    with pytest.raises(BadSubject):
        link.publish(subject, b"")
    with pytest.raises(BadSubject):
        link.listen(subject, lambda _message: None)


async def test_listeners_survive_a_killed_server(link: NatsLink, nats_server: NatsServer, losses: Losses) -> None:
    got: list[Message] = []
    listeners = [link.listen(f"s.{number}", got.append) for number in range(100)]
    listeners[0].close()
    await link.flush(2)
    nats_server.kill()
    await until(lambda: not link.is_connected, 2, "the loss is noticed")
    with pytest.raises(LinkDown):
        link.publish("s.1", b"while down")
    during = link.listen("during", got.append)
    nats_server.start()
    await until(lambda: "reconnected" in losses.told, 10, "reconnected")
    for number in range(100):
        link.publish(f"s.{number}", b"after")
    link.publish("during", b"after")
    await until(lambda: len(got) == 100, 5, "99 listeners and the one made while down")
    assert losses.told == ["disconnected", "reconnected"]
    assert {message.data for message in got} == {b"after"}
    during.close()


async def test_the_link_survives_an_orderly_restart(link: NatsLink, nats_server: NatsServer, losses: Losses) -> None:
    got: list[Message] = []
    link.listen("s", got.append)
    nats_server.stop()
    await until(lambda: not link.is_connected, 2, "the loss is noticed")
    nats_server.start()
    await until(lambda: "reconnected" in losses.told, 10, "reconnected")
    link.publish("s", b"")
    await until(lambda: len(got) == 1, 2, "the listener is back")
    assert "closed" not in losses.told


async def test_a_late_pong_of_an_abandoned_flush_harms_nothing(link: NatsLink, nats_server: NatsServer) -> None:
    nats_server.signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await link.flush(0.1)
    nats_server.signal(signal.SIGCONT)
    await link.flush(2)
    got: list[Message] = []
    link.listen("alive", got.append)
    link.publish("alive", b"")
    await until(lambda: len(got) == 1, 2, "reading goes on")


async def test_a_frozen_server_makes_publish_raise_at_the_bound_and_close_keeps_its_deadline(
    link: NatsLink, nats_server: NatsServer
) -> None:
    nats_server.signal(signal.SIGSTOP)

    def flood() -> None:
        for _ in range(1000):
            link.publish("flood", bytes(64 * 1024))

    with pytest.raises(LinkFull):
        flood()
    assert link.backlog_bytes <= nats_link.BACKLOG_BOUND_BYTES
    started_s = time.monotonic()
    await link.close(0.3)
    assert time.monotonic() - started_s < 2


async def test_a_frozen_server_is_noticed_and_left(
    nats_server: NatsServer, losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_link, "PING_INTERVAL_S", 0.1)
    link = await NatsLink.connect(
        ServiceSettings(nats_url=nats_server.url), "t", on_disconnected=lambda: losses.told.append("disconnected")
    )
    nats_server.signal(signal.SIGSTOP)
    for _ in range(100):
        link.publish("flood", bytes(64 * 1024))
    await until(lambda: losses.told == ["disconnected"], 3, "noticed by pings")
    nats_server.signal(signal.SIGCONT)
    await until(lambda: link.is_connected, 5, "connected again")
    await link.flush(2)
    await link.close(1)


async def test_connect_waits_for_a_server_that_starts_later(nats_server: NatsServer) -> None:
    nats_server.stop()
    connecting = asyncio.create_task(NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "early"))
    await asyncio.wait({connecting}, timeout=0.2)
    assert not connecting.done()
    nats_server.start()
    link = await asyncio.wait_for(connecting, 5)
    await link.flush(2)
    await link.close(1)


async def test_connect_gives_up_when_its_patience_ends(nats_server: NatsServer) -> None:
    nats_server.stop()
    with pytest.raises(LinkDown, match=str(nats_server.port)):
        await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "t", connect_patience_s=0.3)


async def test_close_handles_what_the_server_had_sent_and_sends_what_was_published(
    link: NatsLink, nats_server: NatsServer
) -> None:
    other = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "other")
    heard: list[Message] = []
    got: list[Message] = []
    other.listen("out", heard.append)
    link.listen("in", got.append)
    await asyncio.gather(other.flush(2), link.flush(2))
    for _ in range(500):
        other.publish("in", b"x" * 100)
    await other.flush(2)
    link.publish("out", b"last words")
    await link.close(2)
    assert len(got) == 500
    await until(lambda: len(heard) == 1, 2, "what was published before closing arrived")
    with pytest.raises(LinkDown):
        link.publish("out", b"")
    with pytest.raises(LinkDown):
        link.listen("in", got.append)
    await other.close(1)


async def test_jetstream_and_key_value_management_work_on_the_same_connection(link: NatsLink) -> None:
    bucket = await link.jetstream.create_key_value(bucket="leases")
    await bucket.put("k", b"v")
    assert (await bucket.get("k")).value == b"v"


async def test_a_nats_service_answers_beside_listeners(link: NatsLink) -> None:
    service = await micro.add_service(link.client, name="echo", version="1.0.0")

    async def answer(request: micro.Request) -> None:
        await request.respond(request.data)

    await service.add_endpoint(name="echo", subject="service.echo", handler=answer)
    await link.flush(2)
    assert (await link.request("service.echo", b"x", 2)).data == b"x"
    await service.stop()


async def test_a_slow_library_subscription_is_told(nats_server: NatsServer) -> None:
    slow: list[str] = []
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "t", on_slow=slow.append)
    release = asyncio.Event()

    async def stuck(_message: Msg) -> None:
        await release.wait()

    await link.client.subscribe("s", cb=stuck, pending_msgs_limit=1)
    for _ in range(10):
        link.publish("s", b"")
    await until(lambda: "s" in slow, 2, "the drop is told")
    release.set()
    await link.close(1)


async def test_a_reconnect_that_fails_for_good_is_told_once_as_closed(
    link: NatsLink, nats_server: NatsServer, losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(link.client, "_process_connect_init", broken)
    nats_server.kill()
    nats_server.start()
    await until(lambda: "closed" in losses.told, 5, "closed is told")
    assert losses.told.count("closed") == 1
    assert not link.is_connected


async def test_a_password_is_needed_where_the_server_wants_one(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, "--user", "u", "--pass", "p")
    server.start()
    try:
        right = ServiceSettings(nats_url=server.url, nats_user="u", nats_password=SecretStr("p"))
        link = await NatsLink.connect(right, "t", connect_patience_s=5)
        await link.flush(2)
        await link.close(1)
        wrong = ServiceSettings(nats_url=server.url, nats_user="u", nats_password=SecretStr("x"))
        with pytest.raises(LinkDown, match="Authorization Violation"):
            await NatsLink.connect(wrong, "t", connect_patience_s=0.5)
    finally:
        server.stop()
