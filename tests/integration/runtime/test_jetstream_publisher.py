"""Publishing to real streams: one outcome each, with the right fate."""

from __future__ import annotations

import asyncio
import signal

import pytest
from nats.js.api import DiscardPolicy, StreamConfig

from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, Outcome, PubAck, PublishFailure
from chatterbus_runtime.nats_link import NatsLink
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until


async def add_stream(link: NatsLink, **limits: object) -> None:
    await link.jetstream.add_stream(
        StreamConfig(name="S", subjects=["s.>"], discard=DiscardPolicy.NEW, **limits)  # type: ignore[arg-type]
    )


async def test_every_publish_is_acknowledged_in_order(link: NatsLink) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link)
    outcomes: list[Outcome] = []
    for number in range(2000):
        publisher.publish("s.a", b"x", message_id=f"m{number}", on_done=outcomes.append)
    assert publisher.pending == 2000
    await until(lambda: len(outcomes) == 2000, 10, "2,000 outcomes")
    assert outcomes == [PubAck("S", number + 1, duplicate=False) for number in range(2000)]
    assert (publisher.pending, publisher.pending_bytes) == (0, 0)


async def test_the_same_message_id_is_stored_once(link: NatsLink) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link)
    first = await publisher.publish_wait("s.a", b"x", message_id="m")
    again = await publisher.publish_wait("s.a", b"x", message_id="m")
    assert (first, again) == (PubAck("S", 1, duplicate=False), PubAck("S", 1, duplicate=True))


@pytest.mark.parametrize("limits", [{"max_msgs": 2}, {"max_bytes": 200}, {"max_msgs_per_subject": 2}])
async def test_a_full_stream_rejects_as_full(link: NatsLink, limits: dict[str, int]) -> None:
    await add_stream(link, discard_new_per_subject="max_msgs_per_subject" in limits, **limits)
    publisher = JetStreamPublisher(link)
    outcomes = [await publisher.publish_wait("s.a", bytes(20), message_id=None) for _ in range(8)]
    assert isinstance(outcomes[0], PubAck)
    assert isinstance(outcomes[-1], PublishFailure)
    assert (outcomes[-1].reason, outcomes[-1].fate) == ("full", "rejected")


async def test_a_message_over_the_streams_limit_is_too_large(link: NatsLink) -> None:
    await add_stream(link, max_msg_size=10)
    publisher = JetStreamPublisher(link)
    for size in (11, link.max_payload_bytes + 1):
        outcome = await publisher.publish_wait("s.a", bytes(size))
        assert isinstance(outcome, PublishFailure)
        assert (outcome.reason, outcome.fate) == ("too_large", "rejected")


async def test_no_stream_is_unavailable_and_rejected_after_the_retries(link: NatsLink) -> None:
    publisher = JetStreamPublisher(link, retries=2, retry_wait_s=0.05)
    outcome = await publisher.publish_wait("s.a", b"x")
    assert isinstance(outcome, PublishFailure)
    assert (outcome.reason, outcome.fate) == ("unavailable", "rejected")


async def test_a_stream_that_appears_while_retrying_gets_the_message_once(link: NatsLink) -> None:
    publisher = JetStreamPublisher(link, retries=20, retry_wait_s=0.05)
    publishing = asyncio.create_task(publisher.publish_wait("s.a", b"x", message_id="m"))
    await asyncio.wait({publishing}, timeout=0.1)
    await add_stream(link)
    assert await publishing == PubAck("S", 1, duplicate=False)


async def test_beyond_max_pending_the_answer_is_full_at_once(link: NatsLink) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link, max_pending=2)
    outcomes: list[Outcome] = []
    for _ in range(3):
        publisher.publish("s.a", b"x", message_id=None, on_done=outcomes.append)
    assert [(failure.reason, failure.fate) for failure in outcomes if isinstance(failure, PublishFailure)] == [
        ("full", "rejected")
    ]
    await until(lambda: len(outcomes) == 3, 2, "the other two are acknowledged")
    by_bytes = JetStreamPublisher(link, max_pending_bytes=10)
    outcome = await by_bytes.publish_wait("s.a", bytes(11))
    assert isinstance(outcome, PublishFailure)
    assert outcome.reason == "full"


async def test_a_frozen_server_means_timeout_with_unknown_fate(link: NatsLink, nats_server: NatsServer) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link, ack_timeout_s=0.2)
    nats_server.signal(signal.SIGSTOP)
    outcomes: list[Outcome] = []
    for _ in range(10):
        publisher.publish("s.a", b"x", message_id=None, on_done=outcomes.append)
    await until(lambda: len(outcomes) == 10, 2, "10 outcomes")
    nats_server.signal(signal.SIGCONT)
    await link.flush(2)
    assert len(outcomes) == 10, "the late acknowledgements are not told"
    assert {(failure.reason, failure.fate) for failure in outcomes if isinstance(failure, PublishFailure)} == {
        ("timeout", "unknown")
    }


async def test_a_lost_link_answers_what_is_in_flight_with_unknown_and_new_ones_with_rejected(
    link: NatsLink, nats_server: NatsServer
) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link, ack_timeout_s=30)
    outcomes: list[Outcome] = []
    nats_server.signal(signal.SIGSTOP)
    publisher.publish("s.a", b"x", message_id="m", on_done=outcomes.append)
    await asyncio.sleep(0)
    nats_server.kill()
    await until(lambda: len(outcomes) == 1, 2, "the loss is told")
    publisher.publish("s.a", b"x", message_id="m", on_done=outcomes.append)
    failures = [(failure.reason, failure.fate) for failure in outcomes if isinstance(failure, PublishFailure)]
    assert failures == [("link_down", "unknown"), ("link_down", "rejected")]
    nats_server.start()
    await until(lambda: link.is_connected, 10, "connected again")
    stored: list[Outcome] = []

    async def published() -> bool:
        stored.append(await publisher.publish_wait("s.a", b"x", message_id="m"))
        return isinstance(stored[-1], PubAck)

    await until(published, 10, "the stream is back")


async def test_an_on_done_that_raises_does_not_stop_the_others(link: NatsLink) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link)

    def broken(_outcome: Outcome) -> None:
        raise RuntimeError("a bug")

    publisher.publish("s.a", b"x", message_id=None, on_done=broken)
    assert isinstance(await publisher.publish_wait("s.a", b"x"), PubAck)


async def test_closing_answers_what_is_in_flight(link: NatsLink) -> None:
    await add_stream(link)
    publisher = JetStreamPublisher(link)
    outcomes: list[Outcome] = []
    publisher.publish("s.a", b"x", message_id=None, on_done=outcomes.append)
    publisher.close()
    assert isinstance(outcomes[0], PublishFailure)
    assert outcomes[0].fate == "unknown"
