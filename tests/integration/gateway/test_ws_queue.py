"""Commands and their answers when the queue or the persister is not well."""

from __future__ import annotations

import asyncio

import pytest

from chatterbus_contracts.commands import StoreMessage
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.ids import ClientMessageId, CommandId, ThreadId, UserId
from chatterbus_gateway.outcome import Queued
from tests.integration.gateway.conftest import Start
from tests.integration.gateway.ledger import Ledger


async def test_messages_of_a_connection_are_stored_in_the_order_they_were_sent(
    start_gateway: Start, ledger: Ledger
) -> None:
    gateway = await start_gateway(
        gateway_rate_frames_per_s=10_000,
        gateway_rate_burst_frames=10_000,
        gateway_queued_after_s=30,  # on a busy machine the notices would come between the acks
    )
    anna = await gateway.login("anna")
    for n in range(300):
        await anna.say(type="message", threadId="t1", content=f"{n}", clientMessageId=f"m{n}")
    acks = [await anna.hear("message_ack") for _ in range(300)]
    assert [ack["clientMessageId"] for ack in acks] == [f"m{n}" for n in range(300)]
    assert [ack["seq"] for ack in acks] == list(range(1, 301))


async def test_a_slow_persister_is_said_as_queued_and_none_at_all_as_a_timeout_with_fate_unknown(
    start_gateway: Start, ledger: Ledger
) -> None:
    gateway = await start_gateway(gateway_answer_timeout_s=1, gateway_queued_after_s=0.1)
    ledger.answer = False
    anna = await gateway.login("anna")
    await anna.say(type="message", threadId="t1", content="x", clientMessageId="m1")
    queued = await anna.hear("message_ack")
    assert (queued["status"], queued["clientMessageId"]) == ("queued", "m1")
    error = await anna.hear("error")
    assert (error["code"], error["fate"], error["clientMessageId"]) == ("TIMEOUT", "unknown", "m1")
    assert len(gateway.parts.queue) == 0


async def test_a_full_queue_is_a_retryable_refusal(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway()
    for partition in range(4):
        stream = await ledger.link.jetstream.stream_info(f"CMD_{partition}")
        stream.config.max_bytes = 1
        await ledger.link.jetstream.update_stream(stream.config)
    ledger.answer = False
    anna = await gateway.login("anna")
    await anna.say(type="message", threadId="t1", content="x", clientMessageId="m1")
    error = await anna.hear("error")
    assert (error["code"], error["fate"], error["retryable"]) == ("QUEUE_FULL", "rejected", True)


async def test_without_a_stream_the_queue_is_unavailable(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway()
    assert ledger.parcels is not None
    ledger.parcels.close()
    for partition in range(4):
        await ledger.link.jetstream.delete_stream(f"CMD_{partition}")
    anna = await gateway.login("anna")
    await anna.say(type="message", threadId="t1", content="x", clientMessageId="m1")
    error = await anna.hear("error")
    assert (error["code"], error["fate"], error["retryable"]) == ("QUEUE_UNAVAILABLE", "rejected", True)


async def test_asking_waits_for_the_answer_or_says_queued(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway(gateway_answer_timeout_s=1, gateway_queued_after_s=0.05)
    queue = gateway.parts.queue
    ledger.thread("t1", "anna")

    def command(number: int) -> StoreMessage:
        return StoreMessage(
            id=CommandId(f"ask-{number}"),
            thread_id=ThreadId("t1"),
            user_id=UserId("anna"),
            user_type="user",
            gateway=queue.gateway_id,
            client_message_id=ClientMessageId(f"m{number}"),
            content="x",
        )

    answer = await queue.ask(command(1), queued_after_s=0.05)
    assert (answer.applied, answer.command_id) == (True, "ask-1")
    ledger.answer = False
    assert await queue.ask(command(2), queued_after_s=0.05) == Queued("ask-2")
    with pytest.raises(Refusal) as refused:
        async with asyncio.timeout(5):
            await queue.ask(command(3), queued_after_s=None)
    assert refused.value.code == "TIMEOUT"


async def test_unanswered_requests_are_bounded(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway(gateway_max_in_flight=5, gateway_answer_timeout_s=2)
    ledger.answer = False
    anna, bob = await gateway.login("anna"), await gateway.login("bob")
    for n in range(5):
        await anna.say(type="message", threadId="t1", content="x", clientMessageId=f"a{n}")
    await anna.say(type="ping")
    await anna.hear_until("pong")
    await bob.say(type="message", threadId="t2", content="x", clientMessageId="b")
    error = await bob.hear("error")
    assert (error["code"], error["fate"], error["retryable"]) == ("TOO_MANY_IN_FLIGHT", "rejected", True)
