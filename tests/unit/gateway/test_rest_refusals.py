"""Every way to be turned away, and that each looks the same."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog

from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.rest.body_limit import BODY_MAX_BYTES
from chatterbus_gateway.rest.request_rates import USERS_MAX, RequestRates
from tests.unit.contracts.hostile import HOSTILE_IDS, HOSTILE_MESSAGE_IDS
from tests.unit.gateway.rest_fakes import Rest, problem

ROUTES = [
    ("POST", "/api/chat/threads", {}),
    ("GET", "/api/chat/threads", None),
    ("GET", "/api/chat/threads/alice/user", None),
    ("GET", "/api/chat/threads/t1", None),
    ("POST", "/api/chat/threads/t1/members", {"members": [{"userId": "bob"}]}),
    ("GET", "/api/chat/threads/t1/messages", None),
    ("GET", "/api/chat/threads/t1/changes", None),
    ("POST", "/api/chat/messages", {"threadId": "t1", "content": "Hello"}),
    ("POST", "/api/chat/threads/t1/mark-read", {}),
    ("GET", "/api/chat/unread", None),
    ("PATCH", "/api/chat/threads/t1", {"title": "One"}),
    ("DELETE", "/api/chat/threads/t1/members/bob", None),
    ("GET", "/api/chat/threads/t1/receipts", None),
    ("PUT", "/api/chat/threads/t1/receipts", {"show": False}),
    ("POST", "/api/chat/threads/t1/mark-unread", {"seq": 1}),
    ("POST", "/api/chat/threads/t1/archive", None),
    ("POST", "/api/chat/threads/t1/unarchive", None),
    ("POST", "/api/chat/threads/t1/mute", {"muted": True}),
    ("GET", "/api/chat/messages/t1~1", None),
    ("PATCH", "/api/chat/messages/t1~1", {"content": "Hello"}),
    ("DELETE", "/api/chat/messages/t1~1", None),
    ("GET", "/api/chat/messages/t1~1/revisions", None),
    ("GET", "/api/chat/messages/t1~1/receipts", None),
    ("PUT", "/api/chat/messages/t1~1/reactions/%F0%9F%91%8D", None),
    ("DELETE", "/api/chat/messages/t1~1/reactions/%F0%9F%91%8D", None),
    ("GET", "/api/chat/search", None),
    ("GET", "/api/users/online", None),
    ("GET", "/api/users/bob/presence", None),
    ("GET", "/api/admin/webhooks/deliveries", None),
    ("POST", "/api/admin/webhooks/replay", {"since": "2026-01-31T12:00:00.000Z"}),
    ("POST", "/api/admin/revocations", {"userId": "bob"}),
    ("POST", "/api/auth/ticket", None),
    ("POST", "/api/chat/attachments", None),
    ("GET", f"/api/chat/attachments/t1~f{'0' * 32}", None),
]


@pytest.fixture
def rest() -> Rest:
    return Rest()


def test_every_route_below_api_is_in_the_table(rest: Rest) -> None:
    paths = rest.app.openapi()["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    # The template with the fewest parameters is the one that answers.
    templates = sorted(paths, key=lambda path: path.count("{"))
    tried = {
        (method, next(each for each in templates if re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), path)))
        for method, path, _ in ROUTES
    }
    assert documented == tried


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, ErrorCode.AUTH_REQUIRED),
        ({"Authorization": ""}, ErrorCode.AUTH_REQUIRED),
        ({"Authorization": "Bearer"}, ErrorCode.AUTH_REQUIRED),
        ({"Authorization": "Bearer "}, ErrorCode.AUTH_REQUIRED),
        ({"Authorization": "Basic YWxpY2U6eA=="}, ErrorCode.AUTH_REQUIRED),
        ({"Authorization": "alice-token"}, ErrorCode.AUTH_REQUIRED),
        ({"Authorization": "Bearer forged"}, ErrorCode.AUTH_FAILED),
        ({"Authorization": "Bearer expired"}, ErrorCode.TOKEN_EXPIRED),
        ({"X-User-Id": "alice", "X-User-Type": "user"}, ErrorCode.AUTH_REQUIRED),
        ({"X-User-Id": "alice", "Authorization": "Bearer forged"}, ErrorCode.AUTH_FAILED),
        ({"Cookie": "token=alice-token"}, ErrorCode.AUTH_REQUIRED),
    ],
)
async def test_no_route_answers_without_a_good_token(
    rest: Rest, method: str, path: str, body: Any, headers: dict[str, str], code: ErrorCode
) -> None:
    async with rest.client(None) as client:
        response = await client.request(method, path, json=body, headers=headers)
        assert problem(response, code)["status"] == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        in_the_url = await client.request(method, f"{path}?token=alice-token&access_token=alice-token", json=body)
        problem(in_the_url, ErrorCode.AUTH_REQUIRED)
    assert rest.queue.commands == []
    assert rest.store.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-User-Id": "a b"},
        {"X-User-Id": ""},
        {"X-User-Id": "a.b"},
        {"X-User-Id": "alice", "X-User-Type": "*"},
        {"X-User-Id": "alice", "Authorization": "Bearer forged"},
    ],
)
async def test_development_mode_too_refuses_ids_and_tokens_that_are_wrong(headers: dict[str, str]) -> None:
    rest = Rest(gateway_dev_mode=True)
    async with rest.client(None, **headers) as client:
        problem(await client.get("/api/chat/unread"), ErrorCode.AUTH_FAILED)
    async with rest.client(None, Authorization="Basic x", **{"X-User-Id": "alice"}) as client:
        problem(await client.get("/api/chat/unread"), ErrorCode.AUTH_REQUIRED)


@pytest.mark.parametrize("path", ["/api/chat/threads/bob/user", "/api/chat/threads/alice/admin"])
async def test_others_threads_are_not_listed(rest: Rest, path: str) -> None:
    async with rest.client() as client:
        problem(await client.get(path), ErrorCode.FORBIDDEN)
    assert rest.store.asked == []


async def test_others_ids_answer_like_unknown_ones(rest: Rest) -> None:
    rest.store.answers["thread"] = Refusal(ErrorCode.THREAD_NOT_FOUND, "no such thread")
    async with rest.client() as client:
        others, unknown = [await client.get(f"/api/chat/threads/{name}") for name in ("others", "unknown")]
    assert others.content == unknown.content
    problem(others, ErrorCode.THREAD_NOT_FOUND)


@pytest.mark.parametrize("text", HOSTILE_IDS.values(), ids=HOSTILE_IDS.keys())
@pytest.mark.parametrize("path", ["/api/chat/threads/{}", "/api/chat/threads/{}/messages", "/api/chat/threads/{}/user"])
async def test_what_is_no_id_reaches_nothing(rest: Rest, text: str, path: str) -> None:
    escaped = quote(text.encode("utf-8", "surrogatepass"), safe="").replace(".", "%2E")
    async with rest.client() as client:
        response = await client.get(path.format(escaped))
        assert response.status_code in (404, 422)
        problem(response, ErrorCode.NOT_FOUND if response.status_code == 404 else ErrorCode.BAD_REQUEST)
    assert rest.store.asked == []
    assert rest.queue.commands == []


@pytest.mark.parametrize("text", HOSTILE_MESSAGE_IDS.values(), ids=HOSTILE_MESSAGE_IDS.keys())
async def test_what_is_no_message_id_reaches_nothing(rest: Rest, text: str) -> None:
    escaped = quote(text.encode("utf-8", "surrogatepass"), safe="").replace(".", "%2E")
    async with rest.client() as client:
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/receipts"), ("PUT", "/reactions/%F0%9F%91%8D")):
            response = await client.request(method, f"/api/chat/messages/{escaped}{path}")
            assert response.status_code in (404, 405, 422)
            assert response.json()["code"] in ("NOT_FOUND", "BAD_REQUEST")
    assert rest.store.asked == []
    assert rest.queue.commands == []


@pytest.mark.parametrize(
    ("content", "content_type", "said"),
    [
        (b"", "application/json", "JSON object"),
        (b"{", "application/json", "not valid JSON"),
        (b"[]", "application/json", "JSON object"),
        (b'"text"', "application/json", "JSON object"),
        (b"\xff\xfe", "application/json", ""),
        (b'{"threadId": "t1", "content": "x"}', "text/plain", "Content-Type"),
        (b"threadId=t1&content=x", "application/x-www-form-urlencoded", "Content-Type"),
        (b'{"threadId": "t1"}', "application/json", "content: "),
        (b'{"threadId": "<script>", "content": "x"}', "application/json", "threadId: not a valid id"),
        (b'{"threadId": "t1", "content": "\\ud800"}', "application/json", "content: "),
        (b'{"threadId": "t1", "content": "x", "metadata": {"a": NaN}}', "application/json", "metadata: "),
        (b"[" * 100_000, "application/json", ""),
        (b'{"threadId": ' + b"9" * 10_000 + b"}", "application/json", ""),
    ],
)
async def test_a_body_that_is_wrong_is_refused_by_field_and_reason(
    rest: Rest, content: bytes, content_type: str, said: str
) -> None:
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", content=content, headers={"Content-Type": content_type})
    detail = problem(response, ErrorCode.BAD_REQUEST)["detail"]
    assert said in detail
    assert "script" not in detail
    assert rest.queue.commands == []


async def test_names_that_a_client_made_up_are_not_repeated(rest: Rest) -> None:
    async with rest.client() as client:
        response = await client.get("/api/chat/threads/t1/messages?limit=<img onerror=alert(1)>")
    assert "img" not in problem(response, ErrorCode.BAD_REQUEST)["detail"]


# --- bodies ---


async def test_a_body_over_the_limit_is_refused_by_what_it_says_of_itself(rest: Rest) -> None:
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", content=b" " * (BODY_MAX_BYTES + 1))
        problem(response, ErrorCode.FRAME_TOO_LARGE)
        response = await client.post("/api/chat/messages", content=b"{}", headers={"Content-Length": "-5"})
        problem(response, ErrorCode.FRAME_TOO_LARGE)


async def test_a_body_that_grows_over_the_limit_is_refused_before_it_ends(rest: Rest) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    async with rest.client() as client:
        headers = {"Content-Type": "application/json"}
        problem(await client.post("/api/chat/messages", content=endless(), headers=headers), ErrorCode.FRAME_TOO_LARGE)
    assert sent <= BODY_MAX_BYTES + 2 * 65_536


async def test_a_body_at_the_limit_is_read(rest: Rest) -> None:
    body = json.dumps({"threadId": "t1", "content": "x"}).encode()
    async with rest.client() as client:
        padded = body + b" " * (BODY_MAX_BYTES - len(body))
        response = await client.post("/api/chat/messages", content=padded, headers={"Content-Type": "application/json"})
    assert response.status_code == 201


# --- routes ---


@pytest.mark.parametrize("path", ["/", "/api", "/api/chat/nothing", "/api/chat/threads/", "/api/chat/threads/a/b/c"])
async def test_an_unknown_route_is_a_problem(rest: Rest, path: str) -> None:
    async with rest.client() as client:
        problem(await client.get(path), ErrorCode.NOT_FOUND)


async def test_a_known_route_with_another_method_is_405(rest: Rest) -> None:
    async with rest.client() as client:
        response = await client.put("/api/chat/unread")
    assert (response.status_code, response.json()["status"], response.json()["code"]) == (405, 405, "NOT_FOUND")
    assert response.headers["allow"] == "GET"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/chat/threads", "GET, POST"),
        ("/api/chat/threads/t1", "GET, PATCH"),
        ("/api/chat/threads/t1/receipts", "GET, PUT"),
        ("/api/chat/threads/t1/archive", "POST"),
        ("/api/chat/messages/t1~1", "DELETE, GET, PATCH"),
    ],
)
async def test_a_method_that_is_not_taken_is_answered_with_all_that_are(rest: Rest, path: str, methods: str) -> None:
    async with rest.client() as client:
        response = await client.request("TRACE", path)
    assert (response.status_code, response.headers["allow"]) == (405, methods)


# --- faults ---


@pytest.mark.parametrize("where", ["store", "queue"])
async def test_a_fault_of_ours_leaks_nothing_but_its_reference(rest: Rest, where: str) -> None:
    fault = RuntimeError("password=hunter2 at chat.cmd.3")
    rest.store.answers["unread"] = fault
    rest.queue.outcomes["cursor.move"] = fault
    async with rest.client() as client:
        with structlog.testing.capture_logs() as lines:
            method, path = (
                ("GET", "/api/chat/unread") if where == "store" else ("POST", "/api/chat/threads/t1/mark-read")
            )
            response = await client.request(method, path)
    body = problem(response, ErrorCode.INTERNAL)
    assert not any(secret in response.text for secret in ("hunter2", "chat.cmd", "RuntimeError", "Traceback"))
    assert body["detail"].endswith(response.headers["x-request-id"])
    (line,) = lines
    assert (line["reference"], line["path"]) == (response.headers["x-request-id"], path)


async def test_an_answer_that_makes_no_sense_is_a_fault_of_ours(rest: Rest) -> None:
    for frame in (b"", b"{}", b'{"type":"pong","serverTime":"x"}'):
        rest.queue.outcomes["cursor.move"] = lambda command, frame=frame: Answer(command.id, True, frame)
        async with rest.client() as client:
            problem(await client.post("/api/chat/threads/t1/mark-read"), ErrorCode.INTERNAL)


# --- rates ---


async def test_too_many_requests_of_one_user_are_refused_and_others_are_not() -> None:
    rest = Rest(gateway_rate_frames_per_s=0.5, gateway_rate_burst_frames=3)
    async with rest.client() as client:
        statuses = [(await client.get("/api/chat/unread")).status_code for _ in range(3)]
        response = await client.get("/api/chat/unread")
    assert statuses == [200, 200, 200]
    assert 0 < problem(response, ErrorCode.RATE_LIMITED)["retryAfterMs"] <= 2_000
    assert response.headers["retry-after"] in ("1", "2")
    async with rest.client("bot-token") as client:
        assert (await client.get("/api/chat/unread")).status_code == 200


def test_only_so_many_users_are_remembered_and_time_gives_back() -> None:
    now_s = 0.0
    rates = RequestRates(1, 1, clock=lambda: now_s)
    rates.take("alice")  # type: ignore[arg-type]
    with pytest.raises(Refusal) as caught:
        rates.take("alice")  # type: ignore[arg-type]
    assert caught.value.retry_after_ms == 1_000
    now_s = 1.0
    rates.take("alice")  # type: ignore[arg-type]
    for number in range(USERS_MAX + 10):
        rates.take(f"u{number}")  # type: ignore[arg-type]
    assert len(rates._buckets) == USERS_MAX


# --- pages ---


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-user-id",
    }


@pytest.mark.parametrize(
    ("settings", "origin", "may"),
    [
        ({}, "https://app.example.com", False),
        ({"gateway_allowed_origins": "https://app.example.com"}, "https://app.example.com", True),
        ({"gateway_allowed_origins": "https://app.example.com"}, "https://app.example.com.evil.org", False),
        ({"gateway_allowed_origins": "https://app.example.com"}, "http://app.example.com", False),
        ({"gateway_allowed_origins": "https://app.example.com"}, "null", False),
        ({"gateway_allowed_origins": "*"}, "https://app.example.com", True),
        ({"gateway_dev_mode": True}, "http://localhost:5173", True),
        ({"gateway_dev_mode": True}, "https://evil.org", False),
        ({}, "http://localhost:5173", False),
    ],
)
async def test_pages_may_ask_by_the_rule_of_the_socket(settings: dict[str, Any], origin: str, may: bool) -> None:
    rest = Rest(**settings)
    async with rest.client() as client:
        asked = await client.options("/api/chat/messages", headers=preflight(origin))
        answered = await client.get("/api/chat/unread", headers={"Origin": origin})
        denied = await client.get("/api/chat/nothing", headers={"Origin": origin})
    assert (asked.status_code == 200) is may
    for response in (asked, answered, denied):
        named = response.headers.get("access-control-allow-origin")
        assert named in ((origin, "*") if may else (None,))
        assert "access-control-allow-credentials" not in response.headers


async def test_a_name_repointed_at_this_machine_gets_nothing_in_development_mode() -> None:
    rest = Rest(gateway_dev_mode=True)
    async with rest.client(None, **{"X-User-Id": "alice", "Host": "rebound.evil.org:8080"}) as client:
        problem(await client.get("/api/chat/unread"), ErrorCode.FORBIDDEN)
    assert rest.store.asked == []


# --- probes ---


async def test_probes_need_no_token_and_tell_the_health(rest: Rest) -> None:
    async with rest.client(None) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        rest.health.set("nats", ok=True)
        assert (await client.get("/readyz")).status_code == 200
        metrics: httpx.Response = await client.get("/metrics")
    assert "# HELP" in metrics.text
