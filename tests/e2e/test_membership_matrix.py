"""Who is told what: six users and six threads, each pair a member, a stranger, a former member or one who came back
(S9, G11). Everything that can happen in a thread happens in each; what reached whom is compared with the table."""

from __future__ import annotations

import itertools
import json
from typing import Final

import httpx

from tests.e2e.deployment import Deployment
from tests.e2e.people import Cast
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until

RELATIONS: Final = ("member", "never", "removed", "back")
OF_A_THREAD: Final = frozenset(
    {
        "message",
        "message_updated",
        "message_deleted",
        "thread_updated",
        "member_added",
        "member_removed",
        "delivered_receipt",
        "read_receipt",
        "typing",
        "unread",
    }
)
SIZE: Final = 6
ASKED: Final = ("", "/messages", "/changes", "/receipts")


def relation(user: int, thread: int) -> str:
    """Every user is in each of the four, and so is every thread."""
    return RELATIONS[(user + thread) % len(RELATIONS)]


def is_in(user: int, thread: int) -> bool:
    return relation(user, thread) in ("member", "back")


def is_farewell(frame: Frame) -> bool:
    """That nothing is unread any more in a thread one was in: it may come some moments after the removal."""
    return frame["type"] == "unread" and (frame["lastSeq"], frame["unread"], frame["lastMessage"]) == (0, 0, None)


PAIRS: Final = tuple(itertools.product(range(SIZE), range(SIZE)))
INSIDE: Final = tuple(pair for pair in PAIRS if is_in(*pair))
OUTSIDE: Final = tuple(pair for pair in PAIRS if not is_in(*pair))


class Matrix:
    """The people and their threads."""

    def __init__(self, stack: Deployment, cast: Cast) -> None:
        self.stack = stack
        self.owner, self.extra, *self.users = cast("olga", "extra", *(f"user{number}" for number in range(SIZE)))
        self.threads = cast(*(f"thread{number}" for number in range(SIZE)))
        self.sockets: list[Socket] = []
        self.before: list[int] = []

    async def gather(self, client: httpx.AsyncClient) -> None:
        """Everybody is connected, asks for every thread, and has come and gone as the table says."""
        for of, thread in enumerate(self.threads):
            once = [user for number, user in enumerate(self.users) if relation(number, of) != "never"]
            await self.stack.create_thread(thread, self.owner, *once)
        self.sockets = [await self.stack.join(user, gateway=n % 3 + 1) for n, user in enumerate(self.users)]
        for socket in self.sockets:
            await socket.expect("unread_snapshot")
        for number, of in PAIRS:
            await self.subscribe(number, of, allowed=relation(number, of) != "never")
        for number, of in PAIRS:
            if relation(number, of) in ("removed", "back"):
                user, thread = self.users[number], self.threads[of]
                (await client.delete(f"/api/chat/threads/{thread}/members/{user}")).raise_for_status()
                await self.sockets[number].expect(
                    "member_removed", lambda f, who=(thread, user): (f["threadId"], f["data"]["userId"]) == who
                )
            if relation(number, of) == "back":
                await add(client, self.threads[of], self.users[number])
                await self.subscribe(number, of, allowed=True)
        self.before = [len(socket.history) for socket in self.sockets]

    async def subscribe(self, number: int, of: int, *, allowed: bool) -> None:
        """Ask to follow, and get what is due."""
        socket, thread = self.sockets[number], self.threads[of]
        await socket.send("subscribe", threadId=thread, ref=thread)
        answer = await socket.expect("subscribed" if allowed else "error", lambda f: f.get("ref") == thread)
        assert allowed or answer["code"] == "THREAD_NOT_FOUND"

    def missing(self) -> list[tuple[str, str, set[str]]]:
        """What members were not told."""
        return [
            (self.users[number], self.threads[of], lacking)
            for number, of in INSIDE
            if (lacking := OF_A_THREAD - self.kinds(number, self.threads[of]))
        ]

    def kinds(self, number: int, thread: str) -> set[str]:
        """What was told to a user about a thread."""
        told = self.sockets[number].history[self.before[number] :]
        return {frame["type"] for frame in told if frame.get("threadId") == thread}

    def leaked(self) -> list[tuple[str, str, str]]:
        """What others were told."""
        return [
            (self.users[number], relation(number, of), json.dumps(frame))
            for number, of in OUTSIDE
            for frame in self.sockets[number].history[self.before[number] :]
            if self.threads[of] in json.dumps(frame) and not is_farewell(frame)
        ]

    async def close(self) -> None:
        for socket in self.sockets:
            await socket.close()


async def test_everything_reaches_the_members_and_nothing_reaches_anybody_else(lively: Deployment, cast: Cast) -> None:
    matrix = Matrix(lively, cast)
    async with lively.rest(matrix.owner) as client:
        await matrix.gather(client)
        speaker = await lively.join(matrix.owner)
        for thread in matrix.threads:
            await everything_happens(lively, client, speaker, thread, matrix.extra)
        await speaker.close()
    try:
        await until(lambda: not matrix.missing(), 15, "every member was told of everything")
    except AssertionError:
        raise AssertionError(matrix.missing()) from None
    assert not matrix.leaked()
    for number, user in enumerate(matrix.users):
        async with lively.rest(user) as client:
            listed = (await client.get("/api/chat/threads")).text
            for of, thread in enumerate(matrix.threads):
                assert (thread in listed) == is_in(number, of), (user, relation(number, of))
                await asking_gets(client, thread, inside=is_in(number, of))
    await matrix.close()


async def add(client: httpx.AsyncClient, thread: str, user: str) -> None:
    body = {"members": [{"userId": user}]}
    (await client.post(f"/api/chat/threads/{thread}/members", json=body)).raise_for_status()


async def everything_happens(
    stack: Deployment, client: httpx.AsyncClient, speaker: Socket, thread: str, extra: str
) -> None:
    """Each kind of event, once at least."""
    await speaker.send("subscribe", threadId=thread, ref=thread)
    await speaker.expect("subscribed", lambda f: f["ref"] == thread)
    await speaker.send("typing", threadId=thread, isTyping=True)
    first = (await speaker.say(thread, f"a secret of {thread}", f"{thread}-1"))["serverMessageId"]
    second = (await speaker.say(thread, f"another secret of {thread}", f"{thread}-2"))["serverMessageId"]
    (await client.patch(f"/api/chat/messages/{first}", json={"content": "a new secret"})).raise_for_status()
    (await client.patch(f"/api/chat/threads/{thread}", json={"title": f"of {thread}"})).raise_for_status()
    (await client.put(f"/api/chat/messages/{first}/reactions/👍")).raise_for_status()
    (await client.delete(f"/api/chat/messages/{second}")).raise_for_status()
    await add(client, thread, extra)
    reader = await stack.join(extra, thread)
    for kind in ("delivered_receipt", "read_receipt"):
        await reader.send(kind, threadId=thread, seq=1)
        await speaker.expect(kind, lambda f: f["threadId"] == thread)
    (await client.delete(f"/api/chat/threads/{thread}/members/{extra}")).raise_for_status()
    await reader.close()


async def asking_gets(client: httpx.AsyncClient, thread: str, *, inside: bool) -> None:
    """REST, by the same table."""
    for path in ASKED:
        answer = await client.get(f"/api/chat/threads/{thread}{path}")
        assert answer.status_code in ((200,) if inside else (403, 404)), (path, answer.text)
        assert inside or "secret" not in answer.text
