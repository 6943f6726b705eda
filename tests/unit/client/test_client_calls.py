"""What a client asks over REST, and what it hands back."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chatterbus_client import Client, NewMember, Refused, Role, ThreadLost
from chatterbus_contracts.codec import parse_json
from chatterbus_contracts.errors import ErrorCode
from tests.kit.waiting import until
from tests.unit.client.peer import Peer

Call = Callable[[Client], Awaitable[Any]]


@pytest.mark.parametrize(
    ("call", "method", "target", "body"),
    [
        (lambda c: c.update_thread("demo", title="T"), "PATCH", "/threads/demo", {"title": "T"}),
        (lambda c: c.update_thread("demo", title=None), "PATCH", "/threads/demo", {"title": None}),
        (lambda c: c.update_thread("demo", metadata={"a": 1}), "PATCH", "/threads/demo", {"metadata": {"a": 1}}),
        (lambda c: c.details("demo"), "GET", "/threads/demo", None),
        (lambda c: c.receipts("demo"), "GET", "/threads/demo/receipts", None),
        (lambda c: c.archive("demo"), "POST", "/threads/demo/archive", None),
        (lambda c: c.unarchive("demo"), "POST", "/threads/demo/unarchive", None),
        (lambda c: c.mute("demo"), "POST", "/threads/demo/mute", {"muted": True}),
        (lambda c: c.mute("demo", False), "POST", "/threads/demo/mute", {"muted": False}),
        (lambda c: c.show_receipts("demo", False), "PUT", "/threads/demo/receipts", {"show": False}),
        (lambda c: c.remove_member("demo", "a|b"), "DELETE", "/threads/demo/members/a%7Cb", None),
        (lambda c: c.leave("demo"), "DELETE", "/threads/demo/members/alice", None),
        (lambda c: c.message("demo~1"), "GET", "/messages/demo~1", None),
        (lambda c: c.revisions("demo~1"), "GET", "/messages/demo~1/revisions", None),
        (lambda c: c.message_receipts("demo~1"), "GET", "/messages/demo~1/receipts", None),
        (lambda c: c.threads_page(archived=True), "GET", "/threads?archived=true&limit=50", None),
        (lambda c: c.threads_page(cursor="5"), "GET", "/threads?cursor=5&limit=50", None),
        (lambda c: c.online_users_page(cursor="5", limit=7), "GET", "/users/online?cursor=5&limit=7", None),
        (lambda c: c.user_presence("a|b"), "GET", "/users/a%7Cb/presence", None),
        (
            lambda c: c.search_page("a b", thread_id="demo", order="rank", limit=5),
            "GET",
            "/search?q=a+b&threadId=demo&order=rank&limit=5",
            None,
        ),
    ],
)
async def test_each_call_asks_its_route(call: Call, method: str, target: str, body: object) -> None:
    async with Peer() as peer, peer.client() as client:
        await peer.say("demo", "bob", "hello")
        await call(client)
        request = peer.requests[-1]
        area = "/api" if target.startswith("/users") else "/api/chat"
        assert (request.method, request.url.raw_path.decode()) == (method, f"{area}{target}")
        assert (parse_json(request.content) if request.content else None) == body


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.details(".."),
        lambda c: c.details("a/b"),
        lambda c: c.details(""),
        lambda c: c.message("demo"),
        lambda c: c.message("../demo~1"),
        lambda c: c.remove_member("demo", ".."),
        lambda c: c.download("demo~f1", "unused"),
        lambda c: c.add_members("demo", ["a b"]),
        lambda c: c.update_thread("demo", title=""),
    ],
)
async def test_what_is_no_id_leads_to_no_address(call: Call) -> None:
    async with Peer() as peer, peer.client() as client:
        with pytest.raises(Refused) as caught:
            await call(client)
        assert caught.value.code in (ErrorCode.BAD_REQUEST, ErrorCode.BAD_FRAME)
        assert peer.requests == []


async def test_threads_and_finds_are_fetched_page_by_page_while_they_are_read() -> None:
    async with Peer() as peer, peer.client() as client:
        for number in range(7):
            await peer.say(f"t{number}", "bob", f"needle {number}")
        assert [summary.id async for summary in client.threads(page_size=3)] == [f"t{number}" for number in range(7)]
        assert len(peer.requests) == 3
        found = [found.snippet async for found in client.search("needle", page_size=2)]
        assert found == [f"\x01needle\x02 {number}" for number in range(7)]
        assert len(peer.requests) == 3 + 4
        async for _ in client.search("needle", page_size=2):
            break
        assert len(peer.requests) == 3 + 4 + 1
        assert [summary async for summary in client.threads(archived=True)] == []


async def test_details_tell_what_the_thread_is_to_us_and_give_the_view_its_title() -> None:
    async with Peer() as peer, peer.client() as client:
        peer.thread("demo").retitle("Kitchen", {"order": 1})
        thread = await client.thread("demo")
        assert thread.title is None
        await peer.say("demo", "bob", "hello")
        details = await thread.details()
        assert (details.own.unread, details.own.muted) == (1, False)
        assert (thread.title, thread.metadata) == ("Kitchen", {"order": 1})
        await client.update_thread("demo", title="Bathroom")
        await until(lambda: thread.title == "Bathroom", 5, "the new title is told")
        assert thread.metadata == {"order": 1}


async def test_members_come_change_and_go_in_the_view() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await client.add_members("demo", ["bob", NewMember(user_id="carol", role=Role.READER)])  # type: ignore[arg-type]
        await until(lambda: thread.members.keys() == {"alice", "bob", "carol"}, 5, "they are there")
        assert thread.members["carol"].role is Role.READER
        await client.add_members("demo", [NewMember(user_id="carol", role=Role.OWNER)])  # type: ignore[arg-type]
        await until(lambda: thread.members["carol"].role is Role.OWNER, 5, "the role is told")
        await client.remove_member("demo", "bob")
        await until(lambda: "bob" not in thread.members, 5, "bob is gone")
        events = client.events()
        await thread.leave()
        await until(lambda: client._following.get("demo") is None, 5, "it is let go")
        await client.close()
        assert [event async for event in events if isinstance(event, ThreadLost)] == []


async def test_a_message_carries_everything_that_belongs_to_it() -> None:
    async with Peer() as peer, peer.client() as client:
        thread = await client.thread("demo")
        await peer.say("demo", "bob", "how?")
        await until(lambda: thread.last_seq == 1, 5, "seen")
        await thread.send(
            "so", reply_to=thread.messages[0], mentions=["bob"], metadata={"card": 1}, message_type="file"
        )
        await until(lambda: thread.last_seq == 2, 5, "seen")
        state = thread.messages[-1]
        assert (state.mentions, state.metadata, state.message_type) == (["bob"], {"card": 1}, "file")
        assert state.reply_to is not None
        assert (state.reply_to.id, state.reply_to.content) == ("demo~1", "how?")


async def test_edits_are_kept_and_receipts_say_who() -> None:
    async with Peer() as peer, peer.client() as client:
        await peer.happen("demo", peer.thread("demo").join("bob"))
        sent = await client.send("demo", "one")
        await client.edit(sent.message_id, "two")
        await client.edit(sent.message_id, "three")
        assert [revision.content for revision in await client.revisions(sent.message_id)] == ["two", "one"]
        peer.thread("demo").read("bob", 1)
        [receipt] = await client.message_receipts(sent.message_id)
        assert receipt.user_id == "bob"
        assert receipt.read_at is not None
