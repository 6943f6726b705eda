"""Coming back with a rev: what was missed in one piece, in part, or not at all, each with its reason (G6)."""

from __future__ import annotations

from typing import Any

from tests.e2e.deployment import Deployment
from tests.kit.socket import Socket
from tests.kit.waiting import until

WITHIN_S = 30.0
PAGED = 150  # of 15,000 characters: more than the gateway reads for one subscribe


async def resumed(
    stack: Deployment, user: str, thread: str, rev: int, *, gateway: int
) -> tuple[Socket, dict[str, Any]]:
    socket = await stack.join(user, gateway=gateway)
    await socket.send("subscribe", threadId=thread, sinceRev=rev, ref="r")
    return socket, await socket.expect("subscribed", within_s=WITHIN_S)


def seqs(socket: Socket) -> list[int]:
    return [frame["data"]["seq"] for frame in socket.history if frame["type"] == "message"]


async def written(stack: Deployment, user: str, thread: str, count: int, *, length: int = 10) -> None:
    socket = await stack.join(user)
    for number in range(count):
        await socket.send(
            "message", threadId=thread, content=f"{number}".ljust(length, "."), clientMessageId=f"m{number}"
        )
    acked = lambda: sum(f["type"] == "message_ack" and f["status"] == "sent" for f in socket.history)  # noqa: E731
    await until(lambda: acked() == count, 60, "all is stored")
    await socket.close()


async def test_what_was_missed_comes_complete_at_another_gateway(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "ann")
    await written(stack, "ann", thread, 3)
    socket, answer = await resumed(stack, "ann", thread, 2, gateway=2)
    assert (answer["result"], answer["throughRev"], answer["rev"]) == ("complete", answer["rev"], answer["rev"])
    await until(lambda: seqs(socket)[-1:] == [3], WITHIN_S, "the missed messages came")
    assert sorted(seqs(socket)) == seqs(socket)
    await socket.close()


async def test_too_much_for_one_answer_is_a_page_that_says_how_far_it_goes(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "ann")
    await written(stack, "ann", thread, PAGED, length=15_000)
    socket, answer = await resumed(stack, "ann", thread, 0, gateway=2)
    assert answer["result"] == "page"
    assert answer["throughRev"] < answer["rev"]
    through = answer["throughRev"]
    await until(lambda: any(f.get("rev") == through for f in socket.history[2:]), WITHIN_S, "the page came")
    async with stack.rest("ann") as client:
        page = (
            await client.get(f"/api/chat/threads/{thread}/changes", params={"sinceRev": through, "limit": 500})
        ).json()
    rest = [item["data"]["seq"] for item in page["items"] if item["type"] == "message"]
    assert rest[0] == max(seqs(socket)) + 1, "and REST goes on where it ended"
    await socket.close()


async def test_a_rev_of_another_store_is_reset_with_the_reason(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "ann")
    socket, answer = await resumed(stack, "ann", thread, 1_000, gateway=2)
    assert (answer["result"], answer["throughRev"]) == ("reset", answer["rev"])
    assert "ahead of the thread" in answer["reason"]
    await socket.close()
