"""What the tests of presence, unread and typing look at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final

from chatterbus_client.unread_view import UnreadView
from chatterbus_contracts.frames.server import UnreadNotice, UnreadSnapshot, decode_server_frame
from tests.e2e.deployment import Deployment
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until

DEBOUNCE_S: Final = 1.0
LEAD_TTL_S: Final = 2.0
SLACK_S: Final = 4.0  # for a busy machine
QUICK_NOTIFIER: Final = {
    "NOTIFIER_OFFLINE_DEBOUNCE_S": str(DEBOUNCE_S),
    "NOTIFIER_LEAD_TTL_S": str(LEAD_TTL_S),
}

Cast = Callable[..., list[str]]


async def sees(socket: Socket, user: str, status: str, within_s: float = 10.0) -> Frame:
    """The frame that tells it, its time of arrival in `at`. What was told of the user before is passed over."""
    frame = await socket.expect("presence", lambda f: f["userId"] == user and f["status"] == status, within_s)
    at = time.monotonic()
    socket.frames[:] = [
        f for f in socket.frames if f["type"] != "presence" or f["userId"] != user or f["version"] > frame["version"]
    ]
    return {**frame, "at": at}


def told(socket: Socket, user: str) -> list[str]:
    """The statuses of a user that a socket was told of, from the first time the user was here, repetitions left out."""
    statuses = [f["status"] for f in socket.history if f["type"] == "presence" and f["userId"] == user]
    changes = zip(statuses, ["offline", *statuses], strict=False)
    return [status for status, before in changes if status != before]


async def seen_by_rest(stack: Deployment, observer: str, user: str) -> dict[str, Any]:
    """GET /api/users/{id}/presence."""
    async with stack.rest(observer) as client:
        response = await client.get(f"/api/users/{user}/presence")
    assert response.status_code == 200, response.text
    state: dict[str, Any] = response.json()
    return state


async def online_by_rest(stack: Deployment, observer: str, *, gateway: int = 1, **claims: Any) -> list[str]:
    """GET /api/users/online, all pages."""
    users: list[str] = []
    cursor: dict[str, str] = {}
    async with stack.rest(observer, gateway=gateway, **claims) as client:
        while True:
            page = (await client.get("/api/users/online", params={"limit": "200", **cursor})).raise_for_status().json()
            users += [item["userId"] for item in page["items"]]
            if page["nextCursor"] is None:
                return users
            cursor = {"cursor": page["nextCursor"]}


Count = tuple[int, int, int, bool]  # unread, mentions, readSeq, muted
Counts = tuple[dict[str, Count], int]  # by thread, and the total


def pushed(socket: Socket) -> Counts:
    """What a socket was told is unread, all frames taken together."""
    view = UnreadView()
    for fields in socket.history:
        if fields["type"] not in ("unread", "unread_snapshot"):
            continue
        frame = decode_server_frame(json.dumps(fields))
        if isinstance(frame, UnreadNotice):
            view.receive(frame)
        elif isinstance(frame, UnreadSnapshot):
            view.receive_snapshot(frame)
    return {name: (i.unread, i.mentions, i.read_seq, i.muted) for name, i in view.items()}, view.total


async def counted(stack: Deployment, user: str) -> Counts:
    """GET /api/chat/unread."""
    async with stack.rest(user) as client:
        answer = (await client.get("/api/chat/unread")).raise_for_status().json()
    items = {i["threadId"]: (i["unread"], i["mentions"], i["readSeq"], i["muted"]) for i in answer["items"]}
    return {name: count for name, count in items.items() if count[0]}, answer["totalUnread"]


async def agrees(stack: Deployment, socket: Socket, user: str, within_s: float = 5.0) -> None:
    """Wait until what was pushed is what the store counts."""
    deadline_s = time.monotonic() + within_s
    while True:
        expected = await counted(stack, user)
        try:
            await until(lambda expected=expected: pushed(socket) == expected, 0.5, "pushed and counted agree")
        except AssertionError:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"not within {within_s} s: pushed {pushed(socket)}, counted {expected}"
        else:
            return


def versions(socket: Socket) -> list[int]:
    """Those of all unread frames, in the order of arrival."""
    return [f["version"] for f in socket.history if f["type"] in ("unread", "unread_snapshot")]
