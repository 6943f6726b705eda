"""What was acked stays, what is retried is one message: through kills at the worst points, and without a database."""

import os
import signal

import pytest
from websockets.exceptions import WebSocketException

from bench.cores import tree_of
from tests.e2e.deployment import Deployment
from tests.kit.waiting import until

RECOVERY_S = 30.0


@pytest.mark.parametrize("failpoint", ["fetched", "applied", "committed", "announced"])
async def test_a_persister_killed_at_any_point_loses_and_doubles_nothing(
    own_stack: Deployment, thread: str, failpoint: str
) -> None:
    await own_stack.create_thread(thread, "alice", "bob")
    alice, bob = await own_stack.join("alice", thread), await own_stack.join("bob", thread)
    await alice.say(thread, "before", "m-0")
    trigger = own_stack.arm(failpoint)
    ids = [f"m-{number}" for number in range(1, 31)]
    for name in ids:
        await alice.send("message", threadId=thread, content=name, clientMessageId=name)
    await until(lambda: not trigger.exists(), 10, f"the persister was killed at {failpoint}")
    acks = {}
    for name in ids:
        acks[name] = await alice.expect(
            "message_ack",
            lambda f, name=name: f["clientMessageId"] == name and f["status"] == "sent",
            within_s=RECOVERY_S,
        )
    stored = await own_stack.history(thread, "alice")
    assert [m["content"] for m in stored] == ["before", *ids]
    assert [m["seq"] for m in stored] == list(range(1, 32))
    assert {m["clientMessageId"]: m["seq"] for m in stored[1:]} == {name: ack["seq"] for name, ack in acks.items()}
    await until(lambda: {f["data"]["seq"] for f in bob.history if f["type"] == "message"} >= set(range(1, 32)), 10,
                "the other member saw all")  # fmt: skip
    revs = [frame["rev"] for frame in bob.history if frame["type"] == "message"]
    assert len(revs) == len(set(revs)), "no event reached a member twice"
    again = await alice.say(thread, ids[0], ids[0])
    assert again["seq"] == acks[ids[0]]["seq"]
    for socket in (alice, bob):
        await socket.close()


async def test_a_database_that_stops_answering_for_ten_seconds_delays_acks_and_loses_nothing(
    own_stack: Deployment, thread: str
) -> None:
    await own_stack.create_thread(thread, "alice")
    alice = await own_stack.join("alice", thread)
    await alice.say(thread, "before", "m-0")
    frozen = tree_of(own_stack.pid("postgres"))
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        for number in range(1, 21):
            await alice.send("message", threadId=thread, content=f"{number}", clientMessageId=f"m-{number}")
        queued = await alice.expect("message_ack", lambda f: f["clientMessageId"] == "m-20")
        assert queued["status"] == "queued", "safely queued is said, stored is not"
        with pytest.raises(AssertionError, match="no message_ack"):
            await alice.expect("message_ack", lambda f: f["status"] == "sent", within_s=10)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    for number in range(1, 21):
        await alice.expect(
            "message_ack",
            lambda f, n=number: f["clientMessageId"] == f"m-{n}" and f["status"] == "sent",
            within_s=RECOVERY_S,
        )
    assert [m["seq"] for m in await own_stack.history(thread, "alice")] == list(range(1, 22))
    await alice.close()


@pytest.mark.parametrize("service", ["postgres", "nats", "notifier", "gateway-1"])
async def test_after_any_component_is_killed_full_service_returns_by_itself(
    own_stack: Deployment, thread: str, service: str
) -> None:
    await own_stack.create_thread(thread, "alice")
    alice = await own_stack.join("alice", thread)
    await alice.say(thread, "before", "m-0")
    own_stack.kill(service)
    if service == "gateway-1":
        await alice.expect_close()

    async def works() -> bool:
        try:
            socket = await own_stack.join("alice", thread)
            await socket.say(thread, "after", "m-1")
        except (OSError, AssertionError, TimeoutError, WebSocketException):
            return False
        await socket.close()
        return True

    await until(works, RECOVERY_S, f"service is whole again after {service} was killed")
    assert [m["content"] for m in await own_stack.history(thread, "alice")] == ["before", "after"]
