"""Bad input: each rule with its code, the same on both doors, and nothing is changed by what was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from chatterbus_contracts.errors import ERRORS, ErrorCode
from tests.e2e.deployment import Deployment

# What a malformed request is called: a frame is one, an HTTP request another.
MALFORMED: Final = {"BAD_FRAME": "BAD_REQUEST"}
EMOJIS: Final = [chr(0x1F600 + number) for number in range(50)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A thread: alice owns it, bob writes, rita reads, fred was a member; eve never was, but has a thread of her own.
    The names below are what cases write as `{name}`."""

    thread: str
    of_eve: str
    alices: str
    bobs: str
    tombstone: str
    loved: str  # has the maximum of different emoji
    eves: str
    unknown: str
    nowhere: str

    def fill(self, value: Any) -> Any:
        """The value with `{name}` replaced."""
        if isinstance(value, dict):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if isinstance(value, str):
            for name in self.__slots__:
                value = value.replace(f"{{{name}}}", getattr(self, name))
        return value


@pytest.fixture(scope="module")
def scene(stack: Deployment) -> Scene:
    thread, of_eve = f"t-{uuid4().hex[:12]}", f"t-{uuid4().hex[:12]}"
    clients = {user: speaking(stack, user) for user in ("alice", "bob", "eve", "fred")}

    def done(response: httpx.Response) -> Any:
        assert response.is_success, response.text
        return response.json() if response.content else None

    def said(user: str, where: str) -> str:
        body = {"threadId": where, "content": f"from {user}", "clientMessageId": uuid4().hex}
        return str(done(clients[user].post("/api/chat/messages", json=body))["id"])

    members = [{"userId": "bob"}, {"userId": "rita", "role": "reader"}, {"userId": "fred"}]
    done(clients["alice"].post("/api/chat/threads", json={"id": thread, "members": members}))
    done(clients["eve"].post("/api/chat/threads", json={"id": of_eve}))
    done(clients["alice"].delete(f"/api/chat/threads/{thread}/members/fred"))
    alices, bobs, loved, tombstone = (
        said("alice", thread),
        said("bob", thread),
        said("bob", thread),
        said("bob", thread),
    )
    done(clients["bob"].delete(f"/api/chat/messages/{tombstone}"))
    for emoji in EMOJIS:
        done(clients["bob"].put(f"/api/chat/messages/{loved}/reactions/{quote(emoji)}"))
    eves = said("eve", of_eve)
    for client in clients.values():
        client.close()
    nowhere = f"t-{uuid4().hex[:12]}"
    return Scene(thread, of_eve, alices, bobs, tombstone, loved, eves, f"{thread}~99", nowhere)


def speaking(stack: Deployment, user: str) -> httpx.Client:
    return httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {stack.token(user)}"}, timeout=30)


@dataclass(frozen=True, slots=True)
class Case:
    """One rule: who breaks it, how over the WebSocket and how over REST, and the code. None: this door has no way."""

    rule: str
    code: str
    frame: dict[str, Any] | None
    request: tuple[str, str, Any] | None
    user: str = "bob"

    @property
    def is_json(self) -> bool:
        """Lone surrogates are no text, so nothing of the frame can be read, its names neither."""
        return "surrogate" not in self.rule


def sending(rule: str, code: str, user: str = "bob", **fields: Any) -> Case:
    body = {"threadId": "{thread}", "content": "hi", "clientMessageId": "c-1", **fields}
    return Case(f"send {rule}", code, {"type": "message", **body}, ("POST", "/api/chat/messages", body), user)


def editing(rule: str, code: str, message: str, content: str = "changed", user: str = "bob") -> Case:
    frame = {"type": "message_edit", "threadId": thread_of(message), "messageId": message, "content": content}
    return Case(f"edit {rule}", code, frame, ("PATCH", f"/api/chat/messages/{message}", {"content": content}), user)


def deleting(rule: str, code: str, message: str, user: str = "bob") -> Case:
    frame = {"type": "message_delete", "threadId": thread_of(message), "messageId": message}
    return Case(f"delete {rule}", code, frame, ("DELETE", f"/api/chat/messages/{message}", None), user)


def reacting(rule: str, code: str, message: str, emoji: str = "👍", user: str = "bob") -> Case:
    frame = {"type": "reaction", "threadId": thread_of(message), "messageId": message, "emoji": emoji, "action": "add"}
    path = f"/api/chat/messages/{message}/reactions/{quote(emoji, safe='')}"
    return Case(f"react {rule}", code, frame, ("PUT", path, None), user)


def marking(rule: str, code: str, seq: int, user: str = "bob", thread: str = "{thread}") -> Case:
    frame = {"type": "mark_unread", "threadId": thread, "seq": seq}
    return Case(f"mark {rule}", code, frame, ("POST", f"/api/chat/threads/{thread}/mark-unread", {"seq": seq}), user)


def following(rule: str, code: str, user: str, thread: str = "{thread}") -> Case:
    return Case(
        f"follow {rule}",
        code,
        {"type": "subscribe", "threadId": thread},
        ("GET", f"/api/chat/threads/{thread}", None),
        user,
    )


def by_frame(rule: str, code: str, user: str = "bob", **frame: Any) -> Case:
    return Case(rule, code, frame, None, user)


def by_request(rule: str, code: str, method: str, path: str, body: Any = None, user: str = "bob") -> Case:
    return Case(rule, code, None, (method, f"/api/chat/{path}", body), user)


def thread_of(message: str) -> str:
    return {"{eves}": "{of_eve}", "{nowhere}~1": "{nowhere}"}.get(message, "{thread}")


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels > 1 else {}


LONG: Final = "x" * 16_001
CASES: Final = [
    sending("nothing", "CONTENT_EMPTY", content=""),
    sending("white space", "CONTENT_EMPTY", content=" \n\t\u2003"),
    sending("too much", "CONTENT_TOO_LONG", content=LONG),
    sending("U+0000", "BAD_FRAME", content="a\x00b"),
    sending("a lone surrogate", "BAD_FRAME", content="a\ud800b"),
    sending("a number", "BAD_FRAME", content=5),
    sending("to no id", "BAD_FRAME", threadId="a.b"),
    sending("with too many mentions", "BAD_FRAME", mentions=["bob"] * 51),
    sending("with a mention of no id", "BAD_FRAME", mentions=["a b"]),
    sending("with too much metadata", "BAD_FRAME", metadata={"k": "x" * 8_192}),
    sending("with metadata too deep", "BAD_FRAME", metadata=nested(40)),
    sending("with metadata that holds U+0000", "BAD_FRAME", metadata={"k": "\x00"}),
    sending("with too many files", "BAD_FRAME", attachmentIds=["{thread}~f" + "0" * 32] * 11),
    sending("with a file of no id", "BAD_FRAME", attachmentIds=["plan.png"]),
    sending("with an unknown file", "ATTACHMENT_NOT_FOUND", attachmentIds=["{thread}~f" + "0" * 32]),
    sending("of an unknown kind", "BAD_FRAME", messageType="shout"),
    sending("as the system without scope", "FORBIDDEN", messageType="system"),
    sending("in another's name", "IDENTITY_MISMATCH", senderId="alice"),
    sending("as another type of user", "IDENTITY_MISMATCH", senderType="admin"),
    sending("in reply to an unknown message", "REPLY_TARGET_NOT_FOUND", replyToId="{unknown}"),
    sending("in reply to a message of another thread", "REPLY_TARGET_NOT_FOUND", replyToId="{eves}"),
    sending("in reply to no message id", "BAD_FRAME", replyToId="{thread}"),
    sending("to an unknown thread", "THREAD_NOT_FOUND", threadId="{nowhere}"),
    sending("by a stranger", "THREAD_NOT_FOUND", "eve"),
    sending("by a former member", "NOT_A_MEMBER", "fred"),
    sending("by a reader", "FORBIDDEN", "rita"),
    editing("to nothing", "CONTENT_EMPTY", "{bobs}", ""),
    editing("to white space", "CONTENT_EMPTY", "{bobs}", " \n"),
    editing("to too much", "CONTENT_TOO_LONG", "{bobs}", LONG),
    editing("to U+0000", "BAD_FRAME", "{bobs}", "\x00"),
    editing("another's message", "FORBIDDEN", "{alices}"),
    editing("another's message as an owner", "FORBIDDEN", "{bobs}", user="alice"),
    editing("a tombstone", "MESSAGE_DELETED", "{tombstone}"),
    editing("an unknown message", "MESSAGE_NOT_FOUND", "{unknown}"),
    editing("in an unknown thread", "THREAD_NOT_FOUND", "{nowhere}~1"),
    editing("in a stranger's thread", "THREAD_NOT_FOUND", "{eves}"),
    editing("by a former member", "NOT_A_MEMBER", "{bobs}", user="fred"),
    editing("by a reader", "FORBIDDEN", "{bobs}", user="rita"),
    deleting("another's message", "FORBIDDEN", "{alices}"),
    deleting("an unknown message", "MESSAGE_NOT_FOUND", "{unknown}"),
    deleting("in an unknown thread", "THREAD_NOT_FOUND", "{nowhere}~1"),
    deleting("in a stranger's thread", "THREAD_NOT_FOUND", "{eves}"),
    deleting("by a former member", "NOT_A_MEMBER", "{bobs}", user="fred"),
    deleting("by a reader", "FORBIDDEN", "{bobs}", user="rita"),
    reacting("with a word", "BAD_EMOJI", "{alices}", "ok"),
    reacting("with two emoji", "BAD_EMOJI", "{alices}", "👍👍"),
    reacting("with half a flag", "BAD_EMOJI", "{alices}", "🇩"),
    reacting("with too much", "BAD_FRAME", "{alices}", "👍" * 33),
    reacting("to a tombstone", "MESSAGE_DELETED", "{tombstone}"),
    reacting("with one emoji too many", "TOO_MANY_REACTIONS", "{loved}", "🦊"),
    reacting("to an unknown message", "MESSAGE_NOT_FOUND", "{unknown}"),
    reacting("in an unknown thread", "THREAD_NOT_FOUND", "{nowhere}~1"),
    reacting("in a stranger's thread", "THREAD_NOT_FOUND", "{eves}"),
    reacting("by a former member", "NOT_A_MEMBER", "{alices}", user="fred"),
    reacting("by a reader", "FORBIDDEN", "{alices}", user="rita"),
    by_frame(
        "react with an unknown action", "BAD_FRAME", type="reaction", threadId="{thread}", messageId="{alices}",
        emoji="👍", action="toggle",
    ),
    by_frame("edit without its thread", "BAD_FRAME", type="message_edit", messageId="{bobs}", content="x"),
    by_frame(
        "edit a message of another thread than it says", "BAD_FRAME", type="message_edit", threadId="{thread}",
        messageId="{eves}", content="x",
    ),
    by_frame(
        "delete a message of another thread than it says", "BAD_FRAME", type="message_delete", threadId="{thread}",
        messageId="{eves}",
    ),
    by_frame("read up to nothing", "BAD_FRAME", type="read_receipt", threadId="{thread}"),
    by_frame(
        "read in another's name", "IDENTITY_MISMATCH", type="read_receipt", threadId="{thread}", seq=1,
        readerId="alice",
    ),
    Case(
        "read a message of another thread", "BAD_FRAME",
        {"type": "read_receipt", "threadId": "{thread}", "messageId": "{eves}"},
        ("POST", "/api/chat/threads/{thread}/mark-read", {"messageId": "{eves}"}),
    ),
    marking("nothing", "BAD_FRAME", 0),
    marking("beyond the last message", "MESSAGE_NOT_FOUND", 99),
    marking("in an unknown thread", "THREAD_NOT_FOUND", 1, thread="{nowhere}"),
    marking("by a stranger", "THREAD_NOT_FOUND", 1, "eve"),
    marking("by a former member", "NOT_A_MEMBER", 1, "fred"),
    following("an unknown thread", "THREAD_NOT_FOUND", "bob", "{nowhere}"),
    following("a stranger's thread", "THREAD_NOT_FOUND", "bob", "{of_eve}"),
    following("as a former member", "NOT_A_MEMBER", "fred"),
    by_request("read by a stranger", "THREAD_NOT_FOUND", "POST", "threads/{thread}/mark-read", user="eve"),
    by_request("a stranger's message", "THREAD_NOT_FOUND", "GET", "messages/{eves}"),
    by_request("an unknown message", "MESSAGE_NOT_FOUND", "GET", "messages/{unknown}"),
    by_request("an unknown message's revisions", "MESSAGE_NOT_FOUND", "GET", "messages/{unknown}/revisions"),
    by_request("an unknown message's receipts", "MESSAGE_NOT_FOUND", "GET", "messages/{unknown}/receipts"),
    by_request("an unknown file", "ATTACHMENT_NOT_FOUND", "GET", "attachments/{thread}~f" + "0" * 32),
    by_request("a stranger's file", "THREAD_NOT_FOUND", "GET", "attachments/{of_eve}~f" + "0" * 32),
    by_request("upload by a reader", "FORBIDDEN", "POST", "attachments?threadId={thread}", user="rita"),
    by_request("upload by a stranger", "THREAD_NOT_FOUND", "POST", "attachments?threadId={thread}", user="eve"),
    by_request("search for nothing", "BAD_FRAME", "GET", "search?q="),
    by_request("search for too much", "BAD_FRAME", "GET", "search?q=" + "x" * 201),
    by_request("search in a stranger's thread", "THREAD_NOT_FOUND", "GET", "search?q=x&threadId={of_eve}"),
    by_request("receipts for a former member", "NOT_A_MEMBER", "GET", "threads/{thread}/receipts", user="fred"),
    by_request("title by a member", "FORBIDDEN", "PATCH", "threads/{thread}", {"title": "Mine"}),
    by_request("title by a stranger", "THREAD_NOT_FOUND", "PATCH", "threads/{thread}", {"title": "Mine"}, "eve"),
    by_request("title too long", "BAD_FRAME", "PATCH", "threads/{thread}", {"title": "x" * 201}, "alice"),
    by_request("title empty", "BAD_FRAME", "PATCH", "threads/{thread}", {"title": ""}, "alice"),
    by_request("update of nothing", "BAD_FRAME", "PATCH", "threads/{thread}", {}, "alice"),
    by_request(
        "metadata too large", "BAD_FRAME", "PATCH", "threads/{thread}", {"metadata": {"k": "x" * 9_000}}, "alice"
    ),
    by_request("add by a member", "FORBIDDEN", "POST", "threads/{thread}/members", {"members": [{"userId": "zoe"}]}),
    by_request("add nobody", "BAD_FRAME", "POST", "threads/{thread}/members", {"members": []}, "alice"),
    by_request(
        "add in an unknown role", "BAD_FRAME", "POST", "threads/{thread}/members",
        {"members": [{"userId": "zoe", "role": "king"}]}, "alice",
    ),
    by_request("remove another as a member", "FORBIDDEN", "DELETE", "threads/{thread}/members/rita"),
    by_request("remove by a stranger", "THREAD_NOT_FOUND", "DELETE", "threads/{thread}/members/bob", user="eve"),
    by_request("leave twice", "NOT_A_MEMBER", "DELETE", "threads/{thread}/members/fred", user="fred"),
    by_request("the last owner leaves", "LAST_OWNER", "DELETE", "threads/{thread}/members/alice", user="alice"),
    by_request(
        "the last owner steps down", "LAST_OWNER", "POST", "threads/{thread}/members",
        {"members": [{"userId": "alice", "role": "member"}]}, "alice",
    ),
    by_request("a thread id that is taken", "FORBIDDEN", "POST", "threads", {"id": "{thread}"}, "eve"),
    by_request("another's threads", "FORBIDDEN", "GET", "threads/alice/user"),
    by_request("archive by a stranger", "THREAD_NOT_FOUND", "POST", "threads/{thread}/archive", user="eve"),
    by_request("mute by a former member", "NOT_A_MEMBER", "POST", "threads/{thread}/mute", user="fred"),
    by_request(
        "hide receipts by a stranger", "THREAD_NOT_FOUND", "PUT", "threads/{thread}/receipts", {"show": False}, "eve"
    ),
    by_request("hide receipts by halves", "BAD_FRAME", "PUT", "threads/{thread}/receipts", {"show": "half"}),
]  # fmt: skip


@pytest.fixture
def rev_stays(stack: Deployment, scene: Scene) -> Iterator[None]:
    with speaking(stack, "alice") as alice:
        before = alice.get(f"/api/chat/threads/{scene.thread}").raise_for_status().json()
        yield
        after = alice.get(f"/api/chat/threads/{scene.thread}").raise_for_status().json()
    assert before == after


def the_same_problem(problem: dict[str, Any], code: str) -> None:
    row = ERRORS[ErrorCode(code)]
    assert problem["code"] == code, problem
    assert (problem["retryable"], problem["fate"]) == (row.retryable, row.fate)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.rule) for case in CASES])
@pytest.mark.usefixtures("rev_stays")
async def test_a_rule_has_one_code_on_both_doors_and_nothing_is_changed(
    stack: Deployment, scene: Scene, case: Case
) -> None:
    if case.frame is not None:
        socket = await stack.join(case.user)
        named = {} if case.frame["type"] in ("message", "read_receipt") else {"ref": "r-1"}
        await socket.send_text(json.dumps({**scene.fill(case.frame), **named}))
        error = await socket.expect("error")
        the_same_problem(error, case.code)
        assert error.get("ref") == named.get("ref")
        assert error.get("clientMessageId") == (case.frame.get("clientMessageId") if case.is_json else None)
        await socket.send("ping", id="after")
        await socket.expect("pong")
        others = [frame for frame in socket.frames if frame["type"] not in ("presence", "unread_snapshot", "unread")]
        assert not others  # one answer, and the socket stays open
        await socket.close()
    if case.request is not None:
        method, path, body = case.request
        content = None if body is None else json.dumps(scene.fill(body))
        async with stack.rest(case.user) as client:
            headers = {"Content-Type": "application/json"}
            response = await client.request(method, scene.fill(path), content=content, headers=headers)
        code = MALFORMED.get(case.code, case.code)
        the_same_problem(response.json(), code)
        assert response.status_code == ERRORS[ErrorCode(code)].status
        assert response.headers["content-type"] == "application/problem+json"


@dataclass(frozen=True, slots=True)
class Probe:
    """How eve may ask about a message `{m}` of a thread `{t}`."""

    request: tuple[str, str, Any]
    frame: dict[str, Any] | None = None


PROBES: Final = [
    Probe(("GET", "threads/{t}", None), {"type": "subscribe", "threadId": "{t}"}),
    Probe(
        ("POST", "messages", {"threadId": "{t}", "content": "x"}),
        {"type": "message", "threadId": "{t}", "content": "x"},
    ),
    Probe(
        ("PATCH", "messages/{m}", {"content": "x"}),
        {"type": "message_edit", "threadId": "{t}", "messageId": "{m}", "content": "x"},
    ),
    Probe(("DELETE", "messages/{m}", None), {"type": "message_delete", "threadId": "{t}", "messageId": "{m}"}),
    Probe(
        ("DELETE", "messages/{m}/reactions/%F0%9F%91%8D", None),
        {"type": "reaction", "threadId": "{t}", "messageId": "{m}", "emoji": "👍", "action": "remove"},
    ),
    Probe(("POST", "threads/{t}/mark-unread", {"seq": 1}), {"type": "mark_unread", "threadId": "{t}", "seq": 1}),
    Probe(("PUT", "messages/{m}/reactions/%F0%9F%91%8D", None)),
    Probe(("GET", "threads/{t}/messages", None)),
    Probe(("GET", "threads/{t}/changes", None)),
    Probe(("GET", "threads/{t}/receipts", None)),
    Probe(("PATCH", "threads/{t}", {"title": "x"})),
    Probe(("POST", "threads/{t}/members", {"members": [{"userId": "eve"}]})),
    Probe(("DELETE", "threads/{t}/members/eve", None)),
    Probe(("POST", "threads/{t}/mark-read", {})),
    Probe(("POST", "threads/{t}/archive", None)),
    Probe(("POST", "threads/{t}/unarchive", None)),
    Probe(("POST", "threads/{t}/mute", None)),
    Probe(("PUT", "threads/{t}/receipts", {"show": True})),
    Probe(("GET", "search?q=x&threadId={t}", None)),
    Probe(("GET", "attachments/{t}~f" + "0" * 32, None)),
    Probe(("POST", "attachments?threadId={t}", None)),
    Probe(("GET", "messages/{m}", None)),
    Probe(("GET", "messages/{m}/revisions", None)),
    Probe(("GET", "messages/{m}/receipts", None)),
]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: " ".join(probe.request[:2]))
@pytest.mark.usefixtures("rev_stays")
async def test_others_threads_and_messages_answer_exactly_like_unknown_ones(
    stack: Deployment, scene: Scene, probe: Probe
) -> None:
    places = {"real": (scene.thread, scene.alices), "none": (scene.nowhere, f"{scene.nowhere}~1")}
    heard: dict[str, list[Any]] = {name: [] for name in places}

    def placed(value: Any, thread: str, message: str) -> Any:
        return json.loads(json.dumps(value).replace("{t}", thread).replace("{m}", message))

    eve = await stack.join("eve")
    async with stack.rest("eve") as client:
        for name, (thread, message) in places.items():
            if probe.frame is not None:
                await eve.send_text(json.dumps(placed(probe.frame, thread, message)))
                error = await eve.expect("error")
                # Her own words come back to her; nothing else may differ.
                own = {"threadId", "originalMessage", "clientMessageId"}
                heard[name].append({key: value for key, value in error.items() if key not in own})
            method, path, body = placed(probe.request, thread, message)
            response = await client.request(method, f"/api/chat/{path}", json=body)
            heard[name].append((response.status_code, response.json()))
    await eve.close()
    assert heard["real"] == heard["none"]
    told = [frame for frame in eve.history if frame["type"] not in ("auth_success", "error")]
    assert {frame["type"] for frame in told} <= {"unread_snapshot", "presence"}, "of herself"
    assert all(frame.get("userId", "eve") == "eve" and thread not in str(frame) for frame in told)


async def test_saying_the_same_again_is_no_mistake(stack: Deployment, scene: Scene) -> None:
    """Deleting what is deleted, taking away what is not there, adding what is there: an ack each, and no change."""
    bob = await stack.join("bob")
    with speaking(stack, "alice") as alice:
        before = alice.get(f"/api/chat/threads/{scene.thread}").json()
        for number, frame in enumerate(
            [
                {"type": "message_delete", "messageId": scene.tombstone},
                {"type": "reaction", "messageId": scene.loved, "emoji": EMOJIS[0], "action": "add"},
                {"type": "reaction", "messageId": scene.loved, "emoji": "🦊", "action": "remove"},
            ]
        ):
            await bob.send(frame.pop("type"), threadId=scene.thread, ref=f"r-{number}", **frame)
            assert (await bob.expect("ack"))["ref"] == f"r-{number}"
        assert alice.get(f"/api/chat/threads/{scene.thread}").json() == before
    await bob.close()
