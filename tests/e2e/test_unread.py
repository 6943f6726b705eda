"""What is not read, from outside: pushed counts are what the store counts, whatever happens in between."""

import asyncio
import random
import time

import pytest

from tests.e2e.deployment import Deployment
from tests.e2e.people import SLACK_S, Cast, agrees, counted, pushed, sees, told, versions
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until

RESTART_S = 30.0
PER_SECOND = 4  # notices of one thread


async def posted(stack: Deployment, user: str, thread: str, *contents: str, **fields: object) -> None:
    """Messages over REST, stored when this returns."""
    async with stack.rest(user) as client:
        for content in contents:
            body = {"threadId": thread, "content": content, **fields}
            (await client.post("/api/chat/messages", json=body)).raise_for_status()


async def unread_of(socket: Socket, thread: str, unread: int, within_s: float = 5.0) -> Frame:
    """The notice that says so."""
    return await socket.expect("unread", lambda f: f["threadId"] == thread and f["unread"] == unread, within_s)


async def test_a_new_connection_gets_a_snapshot_and_then_live_counts(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    await posted(lively, alice, thread, "one", "two")
    await posted(lively, alice, thread, "three", mentions=[bob])
    bobs = await lively.join(bob)
    snapshot = await bobs.expect("unread_snapshot")
    [item] = snapshot["items"]
    assert (item["threadId"], item["unread"], item["mentions"], snapshot["totalUnread"]) == (thread, 3, 1, 3)
    assert (item["lastMessage"]["content"], snapshot["more"]) == ("three", False)
    await posted(lively, alice, thread, "four")
    notice = await unread_of(bobs, thread, 4)
    assert (notice["lastSeq"], notice["readSeq"], notice["totalUnread"]) == (4, 0, 4)
    assert notice["lastMessage"]["content"] == "four"
    assert notice["version"] > snapshot["version"]
    phone = await lively.join(bob, gateway=2)
    assert (await phone.expect("unread_snapshot"))["totalUnread"] == 4
    for socket in (bobs, phone):
        await socket.close()


async def test_what_is_done_on_one_device_shows_on_the_other(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    await posted(lively, alice, thread, "one", "two", "three")
    phone, laptop = await lively.join(bob), await lively.join(bob, gateway=2)
    await laptop.expect("unread_snapshot")
    await phone.send("read_receipt", threadId=thread, seq=3)
    assert (await unread_of(laptop, thread, 0))["totalUnread"] == 0
    await phone.send("mark_unread", threadId=thread, seq=2)
    assert (await unread_of(laptop, thread, 2))["totalUnread"] == 2
    async with lively.rest(bob) as client:
        (await client.post(f"/api/chat/threads/{thread}/mute", json={"muted": True})).raise_for_status()
        muted = await laptop.expect("unread", lambda f: f["threadId"] == thread and f["muted"])
        assert (muted["unread"], muted["totalUnread"]) == (2, 0), "a muted thread does not add to the total"
        await posted(lively, alice, thread, "four")
        assert (await unread_of(laptop, thread, 3))["totalUnread"] == 0
        (await client.post(f"/api/chat/threads/{thread}/mute", json={"muted": False})).raise_for_status()
        await laptop.expect("unread", lambda f: f["threadId"] == thread and f["totalUnread"] == 3)
    await laptop.send("read_receipt", threadId=thread, seq=4)
    await unread_of(phone, thread, 0)
    await agrees(lively, phone, bob)
    for socket in (phone, laptop):
        await socket.close()


async def test_a_busy_thread_does_not_flood_those_who_are_not_looking(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    alices, bobs = await lively.join(alice), await lively.join(bob)
    await bobs.expect("unread_snapshot")
    began = time.monotonic()
    for number in range(500):
        await alices.send("message", threadId=thread, content=f"{number}", clientMessageId=f"m-{number}")
    await unread_of(bobs, thread, 500, 30)
    took_s = time.monotonic() - began
    notices = [frame for frame in bobs.history if frame["type"] == "unread"]
    assert len(notices) <= PER_SECOND * took_s + 2
    await agrees(lively, bobs, bob)
    for socket in (alices, bobs):
        await socket.close()


class Crowd:
    """People who do things at random in a few threads that all of them are members of."""

    def __init__(
        self, stack: Deployment, sockets: dict[str, Socket], threads: list[str], chance: random.Random
    ) -> None:
        self._stack = stack
        self._sockets = sockets
        self._chance = chance
        self._last = dict.fromkeys(threads, 0)

    async def act(self) -> None:
        """Somebody does something somewhere."""
        doing = self._chance.choice([self._say] * 3 + [self._mention, self._read, self._mark_unread, self._mute])
        await doing(self._chance.choice(list(self._sockets)), self._chance.choice(list(self._last)))

    async def _say(self, user: str, thread: str) -> None:
        await self._sockets[user].say(thread, "hello")
        self._last[thread] += 1

    async def _mention(self, user: str, thread: str) -> None:
        others = [other for other in self._sockets if other != user]
        await posted(self._stack, user, thread, "you", mentions=[self._chance.choice(others)])
        self._last[thread] += 1

    async def _read(self, user: str, thread: str) -> None:
        if seq := self._some_seq(thread):
            await self._sockets[user].send("read_receipt", threadId=thread, seq=seq)

    async def _mark_unread(self, user: str, thread: str) -> None:
        if seq := self._some_seq(thread):
            await self._post(user, thread, "mark-unread", seq=seq)

    async def _mute(self, user: str, thread: str) -> None:
        await self._post(user, thread, "mute", muted=self._chance.random() < 0.5)

    async def _post(self, user: str, thread: str, what: str, **body: object) -> None:
        async with self._stack.rest(user) as client:
            (await client.post(f"/api/chat/threads/{thread}/{what}", json=body)).raise_for_status()

    def _some_seq(self, thread: str) -> int:
        return self._chance.randint(1, self._last[thread]) if self._last[thread] else 0


async def test_pushed_counts_are_the_stores_counts_after_a_random_workload(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    users = cast("alice", "bob", "carol")
    threads = [f"{thread}-{number}" for number in range(4)]
    for name in threads:
        await lively.create_thread(name, *users)
    sockets = {user: await lively.join(user, gateway=1 + place % 2) for place, user in enumerate(users)}
    crowd = Crowd(lively, sockets, threads, random.Random(3))
    for _ in range(150):
        await crowd.act()
    for user, socket in sockets.items():
        await agrees(lively, socket, user)
        assert versions(socket) == sorted(versions(socket))
        await socket.close()


@pytest.mark.embedded_only
async def test_a_killed_notifier_comes_back_with_true_counts_and_nobody_blinks(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await lively.create_thread(thread, alice, bob, carol)
    alices, bobs = await lively.join(alice, thread), await lively.join(bob, gateway=2)
    await sees(alices, bob, "online")
    await posted(lively, alice, thread, "one")
    await unread_of(bobs, thread, 1)
    former = lively.pid("notifier")
    lively.kill("notifier")
    await posted(lively, alice, thread, "two", "three")
    await bobs.send("read_receipt", threadId=thread, seq=1)
    await until(lambda: lively.came_back("notifier", former), RESTART_S, "the notifier is started again")
    await agrees(lively, bobs, bob, 5 + SLACK_S)
    assert (pushed(bobs), await counted(lively, bob)) == (({thread: (2, 0, 1, False)}, 2),) * 2
    assert versions(bobs) == sorted(versions(bobs))
    carols = await lively.join(carol)
    await sees(alices, carol, "online")
    assert told(alices, bob) == ["online"]
    await asyncio.gather(*(socket.close() for socket in (alices, bobs, carols)))
