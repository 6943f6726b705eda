"""Who is writing, from outside: heard by the others in the thread, at once, and by nobody else."""

import asyncio

from chatterbus_client import Client
from tests.e2e.deployment import Deployment
from tests.e2e.people import Cast
from tests.kit.socket import Socket
from tests.kit.waiting import until


def notices(socket: Socket) -> list[bool]:
    return [frame["isTyping"] for frame in socket.history if frame["type"] == "typing"]


async def heard_all(*sockets: Socket) -> None:
    """What was sent to them before is here."""
    for socket in sockets:
        await socket.send("ping", id="all")
    await asyncio.gather(*(socket.expect("pong", lambda f: f["id"] == "all") for socket in sockets))


async def test_typing_reaches_the_others_and_neither_ones_own_devices_nor_strangers(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, bob, eve = cast("alice", "bob", "eve")
    await lively.create_thread(thread, alice, bob)
    sender, own = await lively.join(alice, thread), await lively.join(alice, thread, gateway=2)
    near, far, eves = await lively.join(bob, thread), await lively.join(bob, thread, gateway=2), await lively.join(eve)
    await eves.send("subscribe", threadId=thread, ref="1")
    await eves.expect("error", lambda f: f["ref"] == "1")
    await eves.send("typing", threadId=thread)
    await sender.send("typing", threadId=thread, isTyping=True)
    for socket in (near, far):
        notice = await socket.expect("typing")
        assert (notice["userId"], notice["isTyping"], notice["expiresInMs"]) == (alice, True, 3_000)
    await heard_all(sender, own, near, eves)
    assert [notices(socket) for socket in (sender, own, near, eves)] == [[], [], [True], []]
    for socket in (sender, own, near, far, eves):
        await socket.close()


async def test_typing_is_throttled_and_its_end_passes_at_once(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    alices, bobs = await lively.join(alice, thread), await lively.join(bob, thread)
    for _ in range(20):
        await alices.send("typing", threadId=thread)
    await alices.send("typing", threadId=thread, isTyping=False)
    await bobs.expect("typing", lambda f: f["isTyping"] is False)
    assert notices(bobs) == [True, False]
    await alices.close()
    await bobs.close()


async def test_in_the_client_a_writer_disappears_with_the_message_and_in_time(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    async with (
        Client(lively.gateway(1), token=lively.token(alice)) as writer,
        Client(lively.gateway(2), token=lively.token(bob)) as reader,
    ):
        writing, seen = await writer.thread(thread), await reader.thread(thread)
        await writing.typing()
        await until(lambda: seen.typing_users == {alice}, 5, "alice is writing")
        await writing.send("hello")
        await until(lambda: seen.last_seq == 1, 5, "it is here")
        assert seen.typing_users == frozenset()
        await writing.typing()
        await until(lambda: seen.typing_users == {alice}, 5, "a message makes room for the next notice at once")
        await until(lambda: seen.typing_users == frozenset(), 4, "she has stopped without a word")
