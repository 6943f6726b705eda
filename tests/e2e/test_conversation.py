"""People talk: the main job, from outside."""

import asyncio

import httpx
import pytest

from tests.e2e.deployment import Deployment
from tests.kit.socket import Socket
from tests.kit.waiting import until


async def test_two_people_talk(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice, bob = await stack.join("alice", thread), await stack.join("bob", thread)
    ack = await alice.say(thread, "hello", "m-1")
    received = await bob.expect("message")
    assert received["data"]["content"] == "hello"
    assert received["data"]["senderId"] == "alice"
    assert (received["data"]["id"], received["data"]["seq"]) == (ack["serverMessageId"], ack["seq"])
    await bob.say(thread, "hi", "m-2")
    answer = await alice.expect("message", lambda f: f["data"]["senderId"] == "bob")
    assert answer["rev"] > received["rev"]
    for socket in (alice, bob):
        await socket.close()


async def test_a_sender_sees_his_own_message_once_on_every_device(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice")
    phone, laptop = await stack.join("alice", thread), await stack.join("alice", thread)
    await phone.say(thread, "from the phone", "m-1")
    for device in (phone, laptop):
        assert (await device.expect("message"))["data"]["clientMessageId"] == "m-1"
        assert not [frame for frame in device.frames if frame["type"] == "message"]
        await device.close()


async def test_a_retry_is_stored_once_and_answered_with_the_same_seq_on_both_doors(
    stack: Deployment, thread: str
) -> None:
    await stack.create_thread(thread, "alice")
    first = await (alice := await stack.join("alice", thread)).say(thread, "once", "m-1")
    again = await alice.say(thread, "once", "m-1")
    await alice.close()
    async with stack.rest("alice") as client:
        body = {"threadId": thread, "content": "once", "clientMessageId": "m-1"}
        by_rest = (await client.post("/api/chat/messages", json=body)).raise_for_status().json()
    assert first == again
    assert (by_rest["id"], by_rest["seq"]) == (first["serverMessageId"], first["seq"])
    assert [message["content"] for message in await stack.history(thread, "alice")] == ["once"]


async def test_strangers_get_nothing_and_cannot_tell_a_thread_from_none(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice, eve = await stack.join("alice", thread), await stack.join("eve")
    await eve.send("subscribe", threadId=thread, ref="real")
    refused = await eve.expect("error")
    await eve.send("subscribe", threadId=f"{thread}-none", ref="real")
    unknown = await eve.expect("error")
    own_words = {"threadId": "", "originalMessage": {}}
    assert refused | own_words == unknown | own_words
    assert refused["code"] == "THREAD_NOT_FOUND"
    await eve.send("message", threadId=thread, content="let me in", clientMessageId="e-1")
    assert (await eve.expect("error"))["code"] == "THREAD_NOT_FOUND"
    await alice.say(thread, "private", "m-1")
    async with stack.rest("eve") as client:
        real = await client.get(f"/api/chat/threads/{thread}/messages")
        none = await client.get(f"/api/chat/threads/{thread}-none/messages")
        message = await client.get(f"/api/chat/threads/{thread}")
    assert (real.status_code, real.json()) == (none.status_code, none.json())
    assert message.status_code == 404
    told = [frame for frame in eve.history if frame["type"] not in ("auth_success", "error")]
    assert {frame["type"] for frame in told} <= {"unread_snapshot", "presence"}, "of herself"
    assert all(frame.get("userId", "eve") == "eve" and thread not in str(frame) for frame in told)
    for socket in (alice, eve):
        await socket.close()


async def test_eight_senders_are_stored_without_holes_and_each_in_his_own_order(stack: Deployment, thread: str) -> None:
    senders = [f"user-{number}" for number in range(8)]
    await stack.create_thread(thread, "reader", *senders)
    reader = await stack.join("reader", thread)

    async def send_all(user: str) -> None:
        socket = await stack.join(user, thread)
        for number in range(25):
            await socket.send("message", threadId=thread, content=f"{number}", clientMessageId=f"{user}-{number}")
        for number in range(25):
            await socket.expect(
                "message_ack", lambda f, n=number: f["clientMessageId"] == f"{user}-{n}" and f["status"] == "sent"
            )
        await socket.close()

    await asyncio.gather(*(send_all(user) for user in senders))
    stored = await stack.history(thread, "reader")
    assert [message["seq"] for message in stored] == list(range(1, 201))
    for user in senders:
        assert [m["content"] for m in stored if m["senderId"] == user] == [str(number) for number in range(25)]
    await until(lambda: sum(f["type"] == "message" for f in reader.history) == 200, 10, "the reader saw all")
    revs = [frame["rev"] for frame in reader.history if frame["type"] == "message"]
    assert revs == sorted(revs)
    await reader.close()


async def test_history_pages_both_ways_and_changes_give_the_same_messages(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice")
    alice = await stack.join("alice", thread)
    for number in range(1, 24):
        await alice.say(thread, f"{number}", f"m-{number}")
    await alice.close()
    async with stack.rest("alice") as client:
        back: list[int] = []
        cursor: str | None = None
        while True:
            params = {"limit": 10, **({"beforeSeq": cursor} if cursor else {})}
            page = (await client.get(f"/api/chat/threads/{thread}/messages", params=params)).raise_for_status().json()
            back = [m["seq"] for m in page["items"]] + back
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert back == list(range(1, 24))
        since, seen = 0, []
        while True:
            response = await client.get(f"/api/chat/threads/{thread}/changes", params={"sinceRev": since, "limit": 7})
            page = response.raise_for_status().json()
            seen += [item["data"]["seq"] for item in page["items"] if item["type"] == "message"]
            since = page["throughRev"]
            if page["complete"]:
                break
    assert seen == list(range(1, 24))
    assert [m["seq"] for m in await stack.history(thread, "alice")] == seen


async def test_who_was_away_subscribes_by_rev_and_gets_what_he_missed_before_live_events(
    stack: Deployment, thread: str
) -> None:
    await stack.create_thread(thread, "alice", "bob")
    alice, bob = await stack.join("alice", thread), await stack.join("bob", thread)
    await alice.say(thread, "seen", "m-1")
    rev = (await bob.expect("message"))["rev"]
    await bob.close()
    for number in range(2, 6):
        await alice.say(thread, "missed", f"m-{number}")
    bob = await stack.join("bob")
    await bob.send("subscribe", threadId=thread, sinceRev=rev)
    subscribed = await bob.expect("subscribed")
    await alice.say(thread, "live", "m-6")
    await until(lambda: sum(f["type"] == "message" for f in bob.history) == 5, 10, "missed and live")
    contents = [frame["data"]["content"] for frame in bob.history if frame["type"] == "message"]
    assert contents == ["missed"] * 4 + ["live"]
    assert subscribed["result"] == "complete"
    for socket in (alice, bob):
        await socket.close()


@pytest.mark.dev_mode
async def test_a_client_that_knows_only_the_minimal_frames_works(stack: Deployment, thread: str) -> None:
    alice, bob = await Socket.open(stack.ws), await Socket.open(stack.ws)
    for socket, user in ((alice, "alice"), (bob, "bob")):
        await socket.send("auth", userId=user, userType="client", threadId=thread)
        await socket.expect("auth_success")
        await socket.expect("subscribed")
    await alice.send(
        "message", threadId=thread, senderId="alice", senderType="client", content="hello", messageType="text"
    )
    data = (await bob.expect("message"))["data"]
    assert {"id", "threadId", "senderId", "senderType", "content", "messageType", "edited", "editedAt", "deleted"} | {
        "deletedAt", "replyToId", "createdAt", "updatedAt", "attachments"
    } <= data.keys()  # fmt: skip
    await bob.send("typing", threadId=thread, userId="bob", userType="client")
    typing = await alice.expect("typing")
    assert (typing["userId"], typing["userType"]) == ("bob", "client")
    await bob.send("read_receipt", messageId=data["id"], threadId=thread, readerId="bob", readerType="client")
    assert (await alice.expect("read_receipt"))["messageId"] == data["id"]
    for socket in (alice, bob):
        await socket.close()


@pytest.mark.dev_mode
async def test_development_mode_opens_no_thread_that_was_created_for_members(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    eve = await stack.join_dev("eve")
    await eve.send("subscribe", threadId=thread)
    assert (await eve.expect("error"))["code"] in {"THREAD_NOT_FOUND", "FORBIDDEN"}
    await eve.close()


async def test_identity_that_differs_from_the_token_is_refused(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice")
    alice = await stack.join("alice", thread)
    await alice.send("message", threadId=thread, content="hi", senderId="bob", clientMessageId="m-1")
    error = await alice.expect("error")
    assert (error["code"], error["fate"], error["clientMessageId"]) == ("IDENTITY_MISMATCH", "rejected", "m-1")
    await alice.close()
    async with stack.rest("alice") as client:
        response = await client.post(
            "/api/chat/messages", json={"threadId": thread, "content": "hi", "senderId": "bob"}
        )
    assert response.json()["code"] == "IDENTITY_MISMATCH"
    assert await stack.history(thread, "alice") == []


async def test_unread_counts_fall_when_read(stack: Deployment, thread: str) -> None:
    reader = f"reader-{thread}"
    await stack.create_thread(thread, "alice", reader)
    alice = await stack.join("alice", thread)
    for number in range(3):
        await alice.say(thread, "x", f"m-{number}")
    async with stack.rest(reader) as client:
        assert (await client.get("/api/chat/unread")).json()["totalUnread"] == 3
        (await client.post(f"/api/chat/threads/{thread}/mark-read", json={"seq": 2})).raise_for_status()
        assert (await client.get("/api/chat/unread")).json()["totalUnread"] == 1
        listed = (await client.get("/api/chat/threads")).json()["items"]
    assert [(item["id"], item["unread"], item["lastMessage"]["seq"]) for item in listed] == [(thread, 1, 3)]
    assert (await alice.expect("read_receipt"))["seq"] == 2
    await alice.close()


async def test_a_token_is_needed_and_checked(stack: Deployment) -> None:
    async with httpx.AsyncClient(base_url=stack.url) as client:
        missing = await client.get("/api/chat/threads")
        forged = await client.get("/api/chat/threads", headers={"Authorization": "Bearer nonsense"})
    assert (missing.status_code, missing.json()["code"]) == (401, "AUTH_REQUIRED")
    assert (forged.status_code, forged.json()["code"]) == (401, "AUTH_FAILED")
    socket = await Socket.open(stack.ws)
    await socket.send("auth", token="nonsense")
    assert (await socket.expect("error"))["code"] == "AUTH_FAILED"
    assert await socket.expect_close() == 4501


@pytest.mark.parametrize("route", ["/docs", "/openapi.json"])
async def test_developers_find(stack: Deployment, route: str) -> None:
    async with httpx.AsyncClient(base_url=stack.url) as client:
        assert (await client.get(route)).status_code == 200


@pytest.mark.operators
@pytest.mark.parametrize("route", ["/healthz", "/readyz", "/metrics"])
async def test_operators_find(stack: Deployment, route: str) -> None:
    async with httpx.AsyncClient(base_url=stack.url) as client:
        assert (await client.get(route)).status_code == 200
