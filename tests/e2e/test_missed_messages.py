"""Missed messages from outside: one signed event for what nobody has looked at, and none for what somebody has."""

import asyncio

from tests.e2e.deployment import Deployment
from tests.e2e.hook_receiver import HookReceiver
from tests.e2e.people import Cast
from tests.e2e.test_unread import posted
from tests.kit.socket import Socket
from tests.kit.waiting import until

MISSED = "message.missed"
CREATED = "message.created"
TOLD_S = 10.0  # after NOTIFIER_MISSED_AFTER_S=1, on a busy machine
STARTING = 5  # times that a system may take to know its gateways
REDELIVERED_S = 20.0  # the first retry is 5 s after the failure


async def told_of(receiver: HookReceiver, user: str, within_s: float = TOLD_S, events: int = 1) -> None:
    await until(lambda: len(receiver.of(MISSED, userId=user)) >= events, within_s, f"{user} is told of")


async def test_an_absent_user_is_told_of_once_with_all_that_was_missed(
    hooked: Deployment, receiver: HookReceiver, thread: str, cast: Cast
) -> None:
    alice, bob, later = cast("alice", "bob", "later")
    await hooked.create_thread(thread, alice, bob)
    await posted(hooked, alice, thread, "one", "two")
    await posted(hooked, alice, thread, "three", mentions=[bob])
    await told_of(receiver, bob)
    await hooked.create_thread(f"{thread}-later", alice, later)
    await posted(hooked, alice, thread, "four")
    await posted(hooked, alice, f"{thread}-later", "five")
    await told_of(receiver, later)
    [event] = receiver.of(MISSED, userId=bob)
    assert event.is_signed
    assert event.data["lastMessage"]["content"] == "three"
    expected = {"threadId": thread, "unread": 3, "mentions": 1, "firstUnreadSeq": 1, "lastSeq": 3}
    assert expected.items() <= event.data.items()
    assert not receiver.of(MISSED, userId=alice), "one's own messages are not missed"


async def goes_on_looking(socket: Socket, thread: str) -> None:
    """A person does something now and then; after three seconds without, this system takes them for away."""
    while True:
        await socket.send("typing", threadId=thread, isTyping=False)
        await asyncio.sleep(0.5)


async def told_in(hooked: Deployment, receiver: HookReceiver, thread: str, cast: Cast) -> set[str]:
    """Who is told of a message that bob reads, dan has muted and erin looks at; carol and frank do nothing."""
    alice, bob, carol, dan, erin, frank = cast("alice", "bob", "carol", "dan", "erin", "frank")
    await hooked.create_thread(thread, alice, bob, carol, dan, erin, frank)
    async with hooked.rest(dan) as client:
        (await client.post(f"/api/chat/threads/{thread}/mute", json={"muted": True})).raise_for_status()
    looking, elsewhere = await hooked.join(erin, thread), await hooked.join(frank)
    looks = asyncio.create_task(goes_on_looking(looking, thread))
    await posted(hooked, alice, thread, "hello")
    async with hooked.rest(bob) as client:
        (await client.post(f"/api/chat/threads/{thread}/mark-read", json={"seq": 1})).raise_for_status()

    def told() -> set[str]:
        return {event.data["userId"].partition("-")[0] for event in receiver.of(MISSED, threadId=thread)}

    await until(lambda: told() >= {"carol", "frank"}, TOLD_S, "carol and frank are told of")
    looks.cancel()
    for socket in (looking, elsewhere):
        await socket.close()
    return told()


async def test_who_reads_or_mutes_or_looks_is_not_told_of(
    hooked: Deployment, receiver: HookReceiver, thread: str, cast: Cast
) -> None:
    told: set[str] = set()
    for attempt in range(STARTING):
        told = await told_in(hooked, receiver, f"{thread}-{attempt}", cast)
        if told == {"carol", "frank"}:
            return
        # A notifier that has just started asks no gateway before its lease came, and then rather tells too much.
        assert told == {"carol", "frank", "erin"}
    raise AssertionError(told)


async def test_what_the_receiver_fails_to_take_arrives_when_it_is_well_again(
    hooked: Deployment, receiver: HookReceiver, thread: str, cast: Cast
) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await hooked.create_thread(thread, alice, bob, carol)
    with receiver.failing() as failed:
        await posted(hooked, alice, thread, "one")

        def in_vain() -> set[str]:
            return {name for name in failed if thread in name}  # not what an earlier test's people are still told of

        await until(lambda: len(in_vain()) == 3, TOLD_S, "one message and two users were told of in vain")
    for user in (bob, carol):
        await told_of(receiver, user, REDELIVERED_S)
    assert {event.id for event in receiver.of(MISSED, threadId=thread)} <= in_vain(), "the same events, not new ones"
    assert len(receiver.of(MISSED, threadId=thread)) == 2


async def test_created_messages_are_told_in_their_order(
    hooked: Deployment, receiver: HookReceiver, thread: str, cast: Cast
) -> None:
    [alice] = cast("alice")
    await hooked.create_thread(thread, alice)
    alices = await hooked.join(alice)
    for number in range(20):
        await alices.send("message", threadId=thread, content=f"{number}", clientMessageId=f"m-{number}")

    def seqs() -> list[int]:
        return [
            event.data["message"]["seq"]
            for event in receiver.of(CREATED)
            if event.data["message"]["threadId"] == thread
        ]

    await until(lambda: len(seqs()) >= 20, TOLD_S, "all were told of")
    assert seqs() == list(range(1, 21))
    await alices.close()
