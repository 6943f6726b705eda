"""Files from outside: up, in a message, down, and gone."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import nats
import psutil
import pytest
from PIL import Image

from tests.e2e.deployment import Deployment
from tests.e2e.stacks.kind import Kind
from tests.kit.waiting import until

MIB = 1024 * 1024
ROUTE = "/api/chat/attachments"


@pytest.fixture(scope="module")
def files(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system that collects often, if it is ours to say."""
    folder = tmp_path_factory.mktemp("files")
    env = {} if "own_settings" in kind.lacks else {"PERSISTER_COLLECT_INTERVAL_S": "0.2"}
    with kind.start(folder, env=env) as started:
        yield Deployment(started, folder)


@pytest.fixture
async def room(files: Deployment, thread: str) -> str:
    """A thread of alice and bob."""
    await files.create_thread(thread, "alice", "bob")
    return thread


def png(width: int = 800, height: int = 400) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(out, "PNG")
    return out.getvalue()


async def upload(
    files: Deployment, user: str, thread: str, body: Any, name: str | None = "plan.png", **headers: str
) -> httpx.Response:
    async with files.rest(user) as client:
        params = {"threadId": thread} | ({} if name is None else {"name": name})
        return await client.post(ROUTE, params=params, content=body, headers=headers)


async def uploaded(files: Deployment, user: str, thread: str, body: Any, name: str = "plan.png") -> dict[str, Any]:
    response = await upload(files, user, thread, body, name)
    assert response.status_code == 201, response.text
    state: dict[str, Any] = response.json()
    return state


async def send(files: Deployment, user: str, thread: str, *ids: str, content: str = " ") -> httpx.Response:
    """Sent until it is stored or refused: 202 says that it is queued, and to ask again with the same id."""
    body = {"threadId": thread, "content": content, "messageType": "file", "attachmentIds": list(ids)}
    body["clientMessageId"] = uuid4().hex
    answers: list[httpx.Response] = []

    async def answered() -> bool:
        async with files.rest(user) as client:
            answers.append(await client.post("/api/chat/messages", json=body))
        return answers[-1].status_code != 202

    await until(answered, 30, "the message is stored or refused")
    return answers[-1]


async def fetch(files: Deployment, user: str, url: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with files.rest(user) as client:
        return await client.request(method, url, headers=headers)


async def test_a_picture_is_sent_and_read_by_the_others(files: Deployment, room: str) -> None:
    body = png()
    state = await uploaded(files, "alice", room, body)
    assert (state["contentType"], state["sizeBytes"], state["width"], state["height"]) == (
        "image/png",
        len(body),
        800,
        400,
    )
    bob = await files.join("bob", room)
    message = (await send(files, "alice", room, state["id"])).raise_for_status().json()
    assert message["attachments"] == [state]
    assert (await bob.expect("message"))["data"]["attachments"] == [state]
    await bob.close()
    got = await fetch(files, "bob", state["url"])
    assert (got.status_code, got.content) == (200, body)
    assert got.headers["content-disposition"] == 'inline; filename="plan.png"'
    small = await fetch(files, "bob", state["thumbnailUrl"])
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(small.content)).size == (320, 160)


async def test_a_socket_sends_a_file_without_words(files: Deployment, room: str) -> None:
    state = await uploaded(files, "alice", room, b"just bytes", "notes.txt")
    alice = await files.join("alice", room)
    await alice.send("message", threadId=room, content="", clientMessageId="m-1", attachmentIds=[state["id"]])
    await alice.expect("message_ack", lambda frame: frame["status"] == "sent")
    assert (await alice.expect("message"))["data"]["attachments"][0]["name"] == "notes.txt"
    await alice.close()


async def test_a_form_with_one_file_names_it(files: Deployment, room: str) -> None:
    async with files.rest("alice") as client:
        response = await client.post(
            ROUTE, params={"threadId": room}, files={"file": ("../tagesplan\u202egnp.exe", png(), "text/html")}
        )
    assert response.status_code == 201, response.text
    assert (response.json()["name"], response.json()["contentType"]) == ("tagesplangnp.exe", "image/png")


async def test_a_file_belongs_to_its_uploader_until_it_is_sent(files: Deployment, room: str) -> None:
    state = await uploaded(files, "alice", room, b"mine")
    assert (await fetch(files, "alice", state["url"])).content == b"mine"
    assert (await fetch(files, "bob", state["url"])).json()["code"] == "ATTACHMENT_NOT_FOUND"
    assert (await send(files, "bob", room, state["id"])).json()["code"] == "ATTACHMENT_NOT_FOUND"
    assert (await send(files, "alice", room, state["id"])).status_code == 201
    assert (await fetch(files, "bob", state["url"])).content == b"mine"
    assert (await send(files, "alice", room, state["id"])).json()["code"] == "ATTACHMENT_NOT_FOUND"


async def test_strangers_can_not_tell_a_file_from_none_nor_upload(files: Deployment, room: str) -> None:
    state = await uploaded(files, "alice", room, b"secret")
    await send(files, "alice", room, state["id"])
    real = await fetch(files, "eve", state["url"])
    unknown = await fetch(files, "eve", f"{ROUTE}/{room}~f{'0' * 32}")
    nowhere = await fetch(files, "eve", f"{ROUTE}/{room}-none~f{'0' * 32}")
    assert real.status_code == 404
    assert real.json() == unknown.json() == nowhere.json()
    refused = await upload(files, "eve", room, b"x")
    assert (refused.status_code, refused.json()["code"]) == (404, "THREAD_NOT_FOUND")
    async with httpx.AsyncClient(base_url=files.url) as nobody:
        assert (await nobody.get(state["url"])).status_code == 401


async def test_a_range_is_a_part_and_the_rest_is_proper(files: Deployment, room: str) -> None:
    body = bytes(range(256)) * 4096
    state = await uploaded(files, "alice", room, body, "a.bin")
    url = state["url"]
    part = await fetch(files, "alice", url, Range="bytes=300000-300009")
    assert (part.status_code, part.content) == (206, body[300000:300010])
    assert part.headers["content-range"] == f"bytes 300000-300009/{len(body)}"
    assert (await fetch(files, "alice", url, Range="bytes=-5")).content == body[-5:]
    beyond = await fetch(files, "alice", url, Range=f"bytes={len(body)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(body)}")
    etag = part.headers["etag"]
    assert (await fetch(files, "alice", url, Range="bytes=0-1", **{"If-Range": '"other"'})).status_code == 200
    assert (await fetch(files, "alice", url, Range="bytes=0-1", **{"If-Range": etag})).status_code == 206
    assert (await fetch(files, "alice", url, **{"If-None-Match": etag})).status_code == 304
    head = await fetch(files, "alice", url, "HEAD")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(body)), b"")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.html", b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("a.png", b"<html><script>alert(1)</script>"),
        ("a.gif", b"GIF89a/*<script>alert(1)</script>*/=1;" + b"x" * 100),
        ("a.png", png()[:200]),
        ("a.pdf", b"%PDF-1.7\n%abc\n" + b"x" * 100),
    ],
    ids=["html", "svg", "html as png", "script as gif", "broken png", "pdf"],
)
async def test_nothing_but_whole_pictures_is_shown_in_place(
    files: Deployment, room: str, name: str, body: bytes
) -> None:
    state = (await upload(files, "alice", room, body, name, **{"Content-Type": "image/png"})).raise_for_status().json()
    assert not state["contentType"].startswith(("text/", "image/"))
    assert state["thumbnailUrl"] is None
    got = await fetch(files, "alice", state["url"])
    assert got.content == body
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def endless(mebibytes: int) -> AsyncIterator[bytes]:
    for _ in range(mebibytes * 16):
        yield b"z" * (MIB // 16)


async def test_a_file_over_the_limit_is_refused_however_it_comes(files: Deployment, room: str) -> None:
    declared = await upload(files, "alice", room, b"z" * (26 * MIB))
    undeclared = await upload(files, "alice", room, endless(26))
    for response in (declared, undeclared):
        assert (response.status_code, response.json()["code"]) == (413, "ATTACHMENT_TOO_LARGE")


@pytest.mark.embedded_only
async def test_a_file_of_the_largest_size_leaves_the_gateways_memory_flat(files: Deployment, room: str) -> None:
    gateway = psutil.Process(files.pid("gateway-1"))
    await uploaded(files, "alice", room, endless(1), "warm.bin")
    before = gateway.memory_info().rss
    most = before
    state: dict[str, Any] = {}

    async def up_and_down() -> None:
        nonlocal state
        state = await uploaded(files, "alice", room, endless(25), "big.bin")
        async with files.rest("alice") as client, client.stream("GET", state["url"]) as response:
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
        assert size == 25 * MIB

    moving = asyncio.create_task(up_and_down())
    while not moving.done():
        most = max(most, gateway.memory_info().rss)
        await asyncio.wait({moving}, timeout=0.02)
    await moving
    assert state["sizeBytes"] == 25 * MIB
    assert most - before < 10 * MIB


@pytest.mark.own_settings
async def test_a_deleted_message_takes_its_files_with_it(files: Deployment, room: str) -> None:
    await uploaded(files, "alice", room, b"another, which makes the bucket")
    kept = await stored(files)
    state = await uploaded(files, "alice", room, png())
    assert await stored(files) == kept + 4  # the file and its thumbnail
    message = (await send(files, "alice", room, state["id"])).raise_for_status().json()
    assert (await fetch(files, "bob", state["url"])).status_code == 200
    async with files.rest("alice") as client:
        (await client.delete(f"/api/chat/messages/{message['id']}")).raise_for_status()
    assert (await fetch(files, "bob", state["url"])).json()["code"] == "ATTACHMENT_NOT_FOUND"
    await until(lambda: is_stored(files, kept), 20, "the objects are collected")


@pytest.mark.own_settings
async def test_a_refused_or_broken_off_upload_leaves_no_object(files: Deployment, room: str) -> None:
    await uploaded(files, "alice", room, b"another, which makes the bucket")
    kept = await stored(files)
    assert (await upload(files, "alice", room, endless(26))).status_code == 413
    host, port = files.url.removeprefix("http://").split(":")
    head = (
        f"POST {ROUTE}?threadId={room}&name=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n"
        f"Authorization: Bearer {files.token('alice')}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + b"x" * 600_000)
    await writer.drain()
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    del reader
    await until(lambda: is_stored(files, kept), 20, "nothing is left of it")


async def test_head_and_body_may_come_in_one_piece(files: Deployment, room: str) -> None:
    url = urlsplit(files.url)
    is_tls = url.scheme == "https"
    head = (
        f"POST {ROUTE}?threadId={room}&name=a HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 200000\r\n"
        f"Authorization: Bearer {files.token('alice')}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(
        url.hostname, url.port or (443 if is_tls else 80), ssl=is_tls or None
    )
    writer.write(head.encode() + b"x" * 200_000)
    async with asyncio.timeout(20):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 201")
    writer.close()


async def stored(files: Deployment) -> int:
    """Messages in the stream of the bucket: one for each piece of a file, one for what describes it."""
    client = await nats.connect(files.stack.ready["nats"])
    try:
        return (await client.jetstream().stream_info("OBJ_attachments")).state.messages
    finally:
        await client.close()


async def is_stored(files: Deployment, messages: int) -> bool:
    return await stored(files) == messages
