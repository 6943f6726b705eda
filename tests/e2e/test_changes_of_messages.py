"""What can be done to a message and a thread after they are there, on both doors, as members see it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.e2e.deployment import Deployment
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until


async def asked(socket: Socket, kind: str, ref: str, **fields: Any) -> Frame:
    """The ack of a request."""
    await socket.send(kind, ref=ref, **fields)
    return await socket.expect("ack", lambda frame: frame["ref"] == ref)


async def test_an_edit_reaches_the_others_and_what_was_said_before_is_kept(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice, bob = await stack.join("alice", thread), await stack.join("bob", thread)
    message = (await alice.say(thread, "teh first", "m-1"))["serverMessageId"]
    ack = await asked(alice, "message_edit", "r-1", threadId=thread, messageId=message, content="the first")
    update = await bob.expect("message_updated")
    assert (update["rev"], update["data"]["rev"]) == (ack["rev"], ack["rev"])
    assert (update["data"]["content"], update["data"]["edited"], update["data"]["seq"]) == ("the first", True, 1)
    assert update["data"]["editedAt"] is not None
    async with stack.rest("alice") as client:
        again = await client.patch(f"/api/chat/messages/{message}", json={"content": "the very first"})
        assert (again.status_code, again.json()["content"]) == (200, "the very first")
    async with stack.rest("bob") as client:
        revisions = (await client.get(f"/api/chat/messages/{message}/revisions")).json()["items"]
    assert [(each["content"], each["editedBy"]) for each in revisions] == [
        ("the first", "alice"),
        ("teh first", "alice"),
    ]
    assert (await bob.expect("message_updated"))["rev"] == ack["rev"] + 1
    for socket in (alice, bob):
        await socket.close()


async def test_two_edits_at_once_are_both_kept_in_order(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice")
    alice = await stack.join("alice", thread)
    message = (await alice.say(thread, "0", "m-1"))["serverMessageId"]
    for number in (1, 2, 3):
        await alice.send("message_edit", threadId=thread, messageId=message, content=f"{number}", ref=f"r-{number}")
    revs = [(await alice.expect("ack", lambda f, n=n: f["ref"] == f"r-{n}"))["rev"] for n in (1, 2, 3)]
    assert revs == [revs[0], revs[0] + 1, revs[0] + 2]
    async with stack.rest("alice") as client:
        revisions = (await client.get(f"/api/chat/messages/{message}/revisions")).json()["items"]
        assert [each["content"] for each in revisions] == ["2", "1", "0"]
        assert (await client.get(f"/api/chat/messages/{message}")).json()["content"] == "3"
    await alice.close()


async def test_a_deleted_message_keeps_its_place_and_nothing_else(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice, bob = await stack.join("alice", thread), await stack.join("bob", thread)
    message = (await bob.say(thread, "secret", "m-1"))["serverMessageId"]
    await asked(alice, "reaction", "r-1", threadId=thread, messageId=message, emoji="👍", action="add")
    await asked(bob, "message_edit", "r-2", threadId=thread, messageId=message, content="another secret")
    await asked(alice, "message_delete", "r-3", threadId=thread, messageId=message)  # an owner may
    tombstone = (await bob.expect("message_deleted"))["data"]
    assert (tombstone["seq"], tombstone["deleted"], tombstone["content"], tombstone["reactions"]) == (1, True, "", [])
    async with stack.rest("bob") as client:
        assert (await client.get(f"/api/chat/messages/{message}/revisions")).json()["items"] == []
        assert (await client.get(f"/api/chat/messages/{message}")).json() == tombstone
        assert (await client.delete(f"/api/chat/messages/{message}")).json() == tombstone
        changes = await client.get(f"/api/chat/threads/{thread}/changes")
        assert "secret" not in changes.text
    for socket in (alice, bob):
        await socket.close()


async def test_reactions_are_gathered_by_emoji_and_are_the_same_from_both_doors(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice = await stack.join("alice", thread)
    message = (await alice.say(thread, "hello", "m-1"))["serverMessageId"]
    await asked(alice, "reaction", "r-1", threadId=thread, messageId=message, emoji="❤", action="add")
    async with stack.rest("bob") as client:
        path = f"/api/chat/messages/{message}/reactions/{quote('❤️')}"
        for _ in range(2):
            state = (await client.put(path)).raise_for_status().json()
        assert state["reactions"] == [{"emoji": "❤️", "count": 2, "userIds": ["alice", "bob"]}]
        state = (await client.delete(path)).raise_for_status().json()
        assert state["reactions"] == [{"emoji": "❤️", "count": 1, "userIds": ["alice"]}]
    await until(lambda: sum(f["type"] == "message_updated" for f in alice.history) == 3, 10, "each change told once")
    await alice.close()


async def test_a_reply_quotes_what_it_answers_also_when_that_is_gone(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    async with stack.rest("bob") as bob, stack.rest("alice") as alice:
        first = (await alice.post("/api/chat/messages", json={"threadId": thread, "content": "where?"})).json()["id"]
        body = {"threadId": thread, "content": "here", "replyToId": first}
        reply = (await bob.post("/api/chat/messages", json=body)).json()
        assert reply["replyToId"] == first
        assert reply["replyTo"] == {"id": first, "senderId": "alice", "content": "where?", "deleted": False}
        (await alice.delete(f"/api/chat/messages/{first}")).raise_for_status()
        _, quoting = (await bob.get(f"/api/chat/threads/{thread}/messages")).json()["items"]
        assert quoting["replyTo"] == {"id": first, "senderId": "alice", "content": "", "deleted": True}


def leaks(frame: Frame, thread: str, user: str) -> bool:
    """Whether a frame tells a former member something of the thread: anything but that nothing is unread there."""
    if frame["type"] == "unread_snapshot":
        return any(item["threadId"] == thread for item in frame["items"])
    if frame["type"] == "presence":
        return bool(frame["userId"] != user)
    silent = ("error", "unread") if not frame.get("unread") else ("error",)
    return frame.get("threadId") == thread and frame["type"] not in silent


async def test_who_was_removed_is_told_so_on_every_device_and_hears_nothing_later(
    stack: Deployment, thread: str
) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice = await stack.join("alice", thread)
    devices = [
        await stack.join("bob", thread),
        await stack.join("bob", thread, gateway=2),
    ]
    async with stack.rest("alice") as client:
        assert (await client.delete(f"/api/chat/threads/{thread}/members/bob")).status_code == 204
    removals = {device: await device.expect("member_removed") for device in devices}
    assert [removed["data"]["userId"] for removed in removals.values()] == ["bob", "bob"]
    await alice.say(thread, "just us", "m-1")
    await alice.expect("message")
    for device in devices:
        await device.send("typing", threadId=thread)
        await device.send("subscribe", threadId=thread, sinceRev=0, ref="r-1")
        assert (await device.expect("error"))["code"] == "NOT_A_MEMBER"
        told_later = device.history[device.history.index(removals[device]) + 1 : -1]
        assert not [frame for frame in told_later if leaks(frame, thread, "bob")]
        await device.close()
    assert not [frame for frame in alice.history if frame["type"] == "typing"]
    await alice.close()


async def test_what_a_thread_is_to_oneself_is_nobody_elses_matter(stack: Deployment, thread: str) -> None:
    bob = f"bob-{thread}"
    await stack.create_thread(thread, "alice", bob)
    alice = await stack.join("alice", thread)
    for number in (1, 2, 3):
        await alice.say(thread, f"{number}", f"m-{number}")
    path = f"/api/chat/threads/{thread}"
    async with stack.rest(bob) as client:

        async def own(method: str, part: str, body: Any = None) -> dict[str, Any]:
            state: dict[str, Any] = (
                (await client.request(method, f"{path}/{part}", json=body)).raise_for_status().json()
            )
            assert state == (await client.get(path)).json()["own"]
            return state

        async def listed(archived: str) -> list[str]:
            page = await client.get("/api/chat/threads", params={"archived": archived})
            return [item["id"] for item in page.raise_for_status().json()["items"]]

        assert (await own("PUT", "receipts", {"show": False}))["showReceipts"] is False
        (await client.post(f"{path}/mark-read")).raise_for_status()
        rev = (await client.get(path)).json()["rev"]
        marked = await own("POST", "mark-unread", {"seq": 2})
        assert (marked["readSeq"], marked["markedUnreadSeq"], marked["unread"]) == (3, 2, 2)
        assert (await own("POST", "archive"))["archived"] is True
        assert (await listed("true"), await listed("false")) == ([thread], [])
        assert (await client.get(path)).json()["rev"] == rev
        await alice.say(thread, "4", "m-4")
        assert (await listed("true"), await listed("false")) == ([], [thread])
        assert (await own("POST", "mute"))["muted"] is True
        await own("POST", "archive")
        await alice.say(thread, "5", "m-5")
        assert (await listed("true"), await listed("false")) == ([thread], [])
        assert (await client.get("/api/chat/unread")).json()["totalUnread"] == 0
        assert (await own("POST", "unarchive"))["archived"] is False
    await alice.send("ping", id="end")
    await alice.expect("pong")
    assert not [frame for frame in alice.history if frame["type"] == "read_receipt"]
    await alice.close()


async def test_who_has_a_message_and_who_read_it_can_be_asked(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob", "carol")
    alice, bob = await stack.join("alice", thread), await stack.join("bob", thread)
    message = (await alice.say(thread, "hello", "m-1"))["serverMessageId"]
    await bob.send("read_receipt", threadId=thread, messageId=message)
    read = await alice.expect("read_receipt")
    async with stack.rest("alice") as client:
        answer = (await client.get(f"/api/chat/messages/{message}/receipts")).raise_for_status().json()
        by_user = {item["userId"]: item for item in answer["items"]}
        assert set(by_user) == {"bob", "carol"}
        assert by_user["bob"]["readAt"] == read["at"]
        assert by_user["bob"]["deliveredAt"] is not None
        assert by_user["carol"] == {"userId": "carol", "deliveredAt": None, "readAt": None}
        cursors = (await client.get(f"/api/chat/threads/{thread}/receipts")).raise_for_status().json()["items"]
        assert {item["userId"]: item["readSeq"] for item in cursors} == {"alice": 1, "bob": 1, "carol": 0}
    for socket in (alice, bob):
        await socket.close()


async def test_a_title_is_told_to_the_members_and_cleared_by_null(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    bob = await stack.join("bob", thread)
    async with stack.rest("alice") as client:
        body = {"title": "Order 4711", "metadata": {"n": 1}}
        titled = (await client.patch(f"/api/chat/threads/{thread}", json=body)).raise_for_status().json()
        assert (titled["title"], titled["metadata"]) == ("Order 4711", {"n": 1})
        cleared = (await client.patch(f"/api/chat/threads/{thread}", json={"title": None})).raise_for_status().json()
        assert (cleared["title"], cleared["metadata"]) == (None, {"n": 1})
    assert (await bob.expect("thread_updated"))["data"]["title"] == "Order 4711"
    assert (await bob.expect("thread_updated"))["data"]["title"] is None
    await bob.close()
