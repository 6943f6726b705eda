"""The store service over NATS: every query, its answer, its refusals, its bounds."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import psycopg
import pytest

from chatterbus_contracts.queries import QUERIES
from chatterbus_contracts.states import ThreadSummary
from chatterbus_runtime.nats_message import Message
from tests.integration.persister.persister_process import PersisterProcess, Sender, StartPersister
from tests.kit.ledger_commands import create, delete, edit, file_id, mark, move, react, register, send
from tests.kit.postgres_server import Database

MESSAGES = 5
ALL = MESSAGES + 2  # and one with a file, and a reply
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("info", {}),
    ("thread", {"threadId": "t", "userId": "bob"}),
    ("threads", {"userId": "bob"}),
    ("threads", {"userId": "bob", "limit": 1}),
    ("threads", {"userId": "nobody"}),
    ("history", {"threadId": "t", "userId": "bob"}),
    ("history", {"threadId": "t", "userId": "bob", "beforeSeq": 3, "limit": 1}),
    ("history", {"threadId": "t", "userId": "bob", "afterSeq": 2}),
    ("message", {"messageId": "t~2", "userId": "bob"}),
    ("changes", {"threadId": "t", "userId": "bob", "sinceRev": 0}),
    ("changes", {"threadId": "t", "userId": "bob", "sinceRev": 2, "limit": 2}),
    ("sync", {"threadId": "t", "userId": "bob"}),
    ("sync", {"threadId": "t", "userId": "bob", "sinceRev": 0, "limit": 3}),
    ("sync", {"threadId": "t", "userId": "bob", "sinceRev": 9999}),
    ("membership", {"threadId": "t", "userId": "bob"}),
    ("revisions", {"messageId": "t~2", "userId": "bob"}),
    ("revisions", {"messageId": "t~3", "userId": "bob"}),
    ("receipts", {"threadId": "t", "userId": "bob"}),
    ("message_receipts", {"messageId": "t~2", "userId": "ann"}),
    ("attachment", {"attachmentId": file_id("t", 1), "userId": "bob"}),
    ("search", {"userId": "bob", "text": "hello"}),
    ("unread", {"userId": "bob"}),
    ("unread", {"userId": "nobody"}),
    ("positions", {"userIds": ["bob", "ann", "nobody"]}),
    ("positions", {"userIds": ["bob"], "threadId": "t"}),
    ("positions", {"userIds": ["bob"], "limit": 1}),
    ("contacts", {"userId": "bob"}),
    ("contacts", {"userId": "ann", "after": "ann", "limit": 1}),
    ("contacts", {"userId": "nobody"}),
    ("sharing", {"userId": "bob", "others": ["ann", "nobody", "bob"]}),
    ("revs", {"threadIds": ["t", "nowhere"]}),
    ("revs", {"threadIds": []}),
    ("missed", {"threadId": "t", "unreadForS": 0}),
    ("missed", {"threadId": "t", "unreadForS": 3600, "limit": 1}),
    ("missed", {"threadId": "nowhere", "unreadForS": 1.5}),
]
POSITIONS_CURSORS = [
    base64.urlsafe_b64encode(text).decode()
    for text in (b'["bob"]', b'["bob","t","u"]', b'["bob",7]', b'["bob","a\\u0000b"]', b'{"bob":"t"}', b'["","t"]')
]
OF_A_THREAD = [
    "thread",
    "history",
    "message",
    "changes",
    "sync",
    "membership",
    "revisions",
    "receipts",
    "message_receipts",
    "attachment",
]


async def ask(sender: Sender, query: str, **question: Any) -> dict[str, Any]:
    answer = await sender.query(query, **question)
    assert answer.headers is None, answer.headers
    return dict(json.loads(answer.data))


def code_of(answer: Message) -> str:
    assert answer.headers is not None, answer.data
    return answer.headers["Nats-Service-Error-Code"]


async def fill(sender: Sender) -> None:
    """A thread t of ann and bob with messages, and a second thread u."""
    await sender.ask(create("t", "ann", "bob", title="title", metadata={"k": [1, None]}))
    await sender.publish(*(send("t", "ann", f"c{number}", metadata={"n": number}) for number in range(MESSAGES)))
    await sender.ask(move("t", "bob", read=2, delivered=4))
    await sender.ask(register("t", "ann", 1, thumbnail=True, width=2, height=1))
    await sender.publish(send("t", "ann", "file", attachment_ids=[file_id("t", 1)]), edit("t", "ann", 2, "edited"))
    await sender.publish(react("t", "bob", 2), send("t", "ann", "reply", reply_to_id="t~2"), delete("t", "ann", 4))
    await sender.ask(mark("t", "bob", 2))
    await sender.ask(create("u", "bob"))


async def test_every_query_is_answered_by_its_model(persister: PersisterProcess, sender: Sender) -> None:
    await fill(sender)
    assert {name for name, _ in QUESTIONS} == set(QUERIES)
    for name, question in QUESTIONS:
        answer = await sender.query(name, **question)
        assert answer.headers is None, (name, question, answer.headers)
        decoded = QUERIES[name].answer.model_validate_json(answer.data)
        as_decoded = decoded.model_dump_json(by_alias=True, exclude_unset=True)
        assert json.loads(as_decoded) == json.loads(answer.data), name


async def test_answers_say_what_is_stored(persister: PersisterProcess, sender: Sender) -> None:
    await fill(sender)
    info = await ask(sender, "info")
    assert info["partitions"] == 4
    page = await ask(sender, "threads", userId="bob", limit=1)
    assert [item["id"] for item in page["items"]] == ["u"]
    rest = await ask(sender, "threads", userId="bob", limit=1, cursor=page["nextCursor"])
    (summary,) = [ThreadSummary.model_validate_json(json.dumps(item)) for item in rest["items"]]
    assert (summary.id, summary.unread, summary.read_seq, rest["nextCursor"]) == ("t", ALL - 1, 2, None)
    assert summary.last_message is not None
    assert summary.last_message.id == "t~7"
    unread = await ask(sender, "unread", userId="bob")
    reply = await ask(sender, "message", messageId="t~7", userId="bob")
    same = ("id", "seq", "senderId", "senderType", "messageType", "content", "createdAt")
    last = {
        **{name: reply[name] for name in same},
        "attachments": 0,
        "deleted": False,
    }
    item = {"threadId": "t", "lastSeq": ALL, "readSeq": 2, "unread": ALL - 1, "mentions": 0, "muted": False}
    assert unread == {"items": [item | {"lastMessage": last}], "totalUnread": ALL - 1}
    assert reply["replyTo"] == {"id": "t~2", "senderId": "ann", "content": "edited", "deleted": False}
    receipts = await ask(sender, "message_receipts", messageId="t~2", userId="ann")
    assert [(item["userId"], item["deliveredAt"], bool(item["readAt"])) for item in receipts["items"]] == [
        ("bob", receipts["items"][0]["readAt"], True)
    ]
    whole = await ask(sender, "sync", threadId="t", userId="bob", sinceRev=0)
    assert (whole["result"], whole["throughRev"], whole["rev"]) == ("complete", whole["rev"], 3 + ALL + 5)
    paged = await ask(sender, "sync", threadId="t", userId="bob", sinceRev=0, limit=3)
    assert (paged["result"], paged["throughRev"]) == ("page", 3)
    ahead = await ask(sender, "sync", threadId="t", userId="bob", sinceRev=9999)
    assert (ahead["result"], ahead["changes"]) == ("reset", [])


async def test_others_threads_are_answered_like_unknown_ones(persister: PersisterProcess, sender: Sender) -> None:
    await fill(sender)
    for name in OF_A_THREAD:
        answers = []
        for thread, user in (("t", "eve"), ("nowhere", "eve")):
            question = {
                "userId": user,
                "sinceRev": 0,
                "threadId": thread,
                "messageId": f"{thread}~1",
                "attachmentId": file_id(thread, 1),
            }
            answer = await sender.query(name, **question)
            assert code_of(answer) == "THREAD_NOT_FOUND", name
            answers.append((answer.headers, answer.data))
        assert answers[0] == answers[1]
    for name in ("message", "revisions", "message_receipts"):
        assert code_of(await sender.query(name, messageId="t~99", userId="bob")) == "MESSAGE_NOT_FOUND"


async def test_a_bad_question_is_refused_with_its_reason(persister: PersisterProcess, sender: Sender) -> None:
    cursors = ["x", "é", "WzFd", base64.urlsafe_b64encode(b'["2026-01-01",7,8]').decode(), "AAAA"]
    bad: list[tuple[str, dict[str, Any]]] = [
        ("thread", {}),
        ("history", {"threadId": "*", "userId": "bob"}),
        ("history", {"threadId": "t", "userId": "bob", "limit": 201}),
        ("changes", {"threadId": "t", "userId": "bob", "sinceRev": -1}),
        ("sync", {"threadId": "t", "userId": "bob", "limit": 0}),
        *(("threads", {"userId": "bob", "cursor": cursor}) for cursor in cursors),
        *(("positions", {"userIds": ["bob"], "cursor": cursor}) for cursor in (*cursors, *POSITIONS_CURSORS)),
        ("positions", {"userIds": []}),
    ]
    for name, question in bad:
        assert code_of(await sender.query(name, **question)) == "BAD_REQUEST", (name, question)


async def test_times_are_utc_whatever_zone_the_operator_has_set(
    start_persister: StartPersister, sender: Sender, postgres: Database
) -> None:
    postgres.server.run(f"ALTER DATABASE {postgres.name} SET timezone = 'Asia/Kolkata'")
    persister = start_persister(postgres.dsn)
    await persister.until_ready()
    await sender.ask(create("t", "ann"))
    sent = await sender.ask(send("t", "ann", "c1"))
    stored = await ask(sender, "message", messageId="t~1", userId="ann")
    assert stored["createdAt"] == sent["createdAt"]
    (live,) = [event["data"] for event in sender.events if event["type"] == "message"]
    assert stored == live


@pytest.mark.parametrize("together", [40])
async def test_more_queries_than_may_wait_are_refused_at_once(
    start_persister: StartPersister, sender: Sender, postgres: Database, together: int
) -> None:
    persister = start_persister(postgres.dsn, PERSISTER_QUERIES_WAITING="2", PERSISTER_READ_CONNECTIONS="1")
    await persister.until_ready()
    await sender.ask(create("t", "ann"))
    with psycopg.connect(postgres.dsn) as blocking:
        blocking.execute("LOCK TABLE members IN ACCESS EXCLUSIVE MODE")
        asked = [asyncio.create_task(sender.query("thread", threadId="t", userId="ann")) for _ in range(together)]
        done, waiting = await asyncio.wait(asked, timeout=2, return_when=asyncio.FIRST_COMPLETED)
        while len(waiting) > 2:
            more, waiting = await asyncio.wait(waiting, timeout=2, return_when=asyncio.FIRST_COMPLETED)
            assert more
            done |= more
        assert {code_of(task.result()) for task in done} == {"STORE_UNAVAILABLE"}
        blocking.rollback()
    assert [json.loads(task.result().data)["id"] for task in (await asyncio.wait(waiting, timeout=5))[0]] == ["t", "t"]


async def test_a_database_that_does_not_answer_is_said_in_time(
    start_persister: StartPersister, sender: Sender, postgres: Database
) -> None:
    persister = start_persister(postgres.dsn, PERSISTER_QUERY_TIMEOUT_S="0.3")
    await persister.until_ready()
    await sender.ask(create("t", "ann"))
    with psycopg.connect(postgres.dsn) as blocking:
        blocking.execute("LOCK TABLE members IN ACCESS EXCLUSIVE MODE")
        assert code_of(await sender.query("thread", threadId="t", userId="ann")) == "STORE_UNAVAILABLE"
        blocking.rollback()
    assert (await ask(sender, "thread", threadId="t", userId="ann"))["id"] == "t"


async def test_it_is_a_service_of_the_nats_services_api(persister: PersisterProcess, sender: Sender) -> None:
    answer = json.loads((await sender.link.request("$SRV.INFO.store", b"", 5.0)).data)
    assert {endpoint["name"] for endpoint in answer["endpoints"]} == set(QUERIES)
