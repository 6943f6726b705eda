"""A socket's life end to end: the gateway, a real nats-server, a ledger in memory."""

from __future__ import annotations

from tests.integration.gateway.conftest import RunningGateway
from tests.integration.gateway.ledger import Ledger


async def test_the_minimal_client_works_in_development_mode(gateway: RunningGateway, ledger: Ledger) -> None:
    anna = await gateway.connect()
    await anna.say(type="auth", userId="anna", userType="client", threadId="t1")
    assert (await anna.hear("auth_success"))["userId"] == "anna"
    await anna.hear("subscribed")
    bob = await gateway.login("bob", userType="builder", threadId="t1")
    await bob.hear("subscribed")

    await anna.say(
        type="message", threadId="t1", senderId="anna", senderType="client", content="Hello", messageType="text"
    )
    frames = {frame["type"]: frame for frame in (await anna.hear(), await anna.hear())}
    assert frames["message_ack"]["status"] == "sent"
    message = await bob.hear("message")
    assert message["data"]["content"] == "Hello"
    assert message == frames["message"]

    await bob.say(type="typing", threadId="t1", userId="bob", userType="builder")
    typing = await anna.hear("typing")
    assert (typing["userId"], typing["userType"]) == ("bob", "builder")
    await bob.say(
        type="read_receipt", threadId="t1", messageId=message["data"]["id"], readerId="bob", readerType="builder"
    )
    assert (await anna.hear("read_receipt"))["messageId"] == message["data"]["id"]
