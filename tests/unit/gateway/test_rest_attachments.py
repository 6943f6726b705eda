"""The routes for files, over a storage in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import pytest
from fastapi import Response
from pydantic import ValidationError
from starlette.types import Message

from chatterbus_contracts.commands import RegisterAttachment
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.states import AttachmentState
from chatterbus_gateway.attachments.attachments import Attachments
from chatterbus_gateway.attachments.file_response import FileResponse
from chatterbus_gateway.attachments.picture_workers import PictureWorkers
from chatterbus_gateway.attachments.pictures import Picture
from chatterbus_gateway.attachments.transfers import Transfers
from chatterbus_gateway.storage_choice import open_storage, s3_place
from chatterbus_storage.errors import StorageUnavailable
from chatterbus_storage.s3_storage import S3ObjectStorage, S3Place
from tests.kit.memory_storage import MemoryStorage
from tests.unit.gateway.rest_fakes import Rest, problem, refused
from tests.unit.gateway.test_attachment_rules import picture

ROUTE = "/api/chat/attachments"
MEMBER: dict[str, Any] = {"role": "member"}
FILE = "t1~f" + "0" * 32
LIMIT = 100_000


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
async def rest(storage: MemoryStorage) -> AsyncIterator[Rest]:
    rest = Rest(gateway_attachment_max_bytes=LIMIT, gateway_attachment_transfers_max=2)
    rest.store.answers["membership"] = MEMBER
    files = rest.app.state.attachments = Attachments.over(storage, rest.settings)
    yield rest
    await files.close()
    assert len(files.transfers) == 0


def known(rest: Rest, storage: MemoryStorage, body: bytes, **fields: Any) -> None:
    """A file that the store and the storage know."""
    rest.store.answers["attachment"] = {
        "id": FILE,
        "name": "a.bin",
        "contentType": "application/octet-stream",
        "sizeBytes": len(body),
        "width": None,
        "height": None,
        "url": f"{ROUTE}/{FILE}",
        "thumbnailUrl": None,
        **fields,
    }
    storage.objects["t1/f" + "0" * 32] = (body, "x/y")


async def test_an_upload_is_stored_registered_and_answered(rest: Rest, storage: MemoryStorage) -> None:
    body = picture("PNG", 640, 480)
    async with rest.client() as client:
        response = await client.post(ROUTE, params={"threadId": "t1", "name": "../p.png"}, content=body)
    assert response.status_code == 201, response.text
    state = response.json()
    (command,) = rest.queue.commands
    assert isinstance(command, RegisterAttachment)
    assert (command.attachment_id, command.user_id, command.name) == (state["id"], "alice", "p.png")
    assert (command.content_type, command.size_bytes) == ("image/png", len(body))
    assert (command.width, command.height, command.thumbnail) == (640, 480, True)
    assert state["thumbnailUrl"] == f"{state['url']}?thumbnail=true"
    key = "t1/" + state["id"].rpartition("~")[2]
    assert storage.objects.keys() == {key, f"{key}.thumbnail"}
    assert storage.objects[key][0] == body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"role": "reader"}, ErrorCode.FORBIDDEN),
        (Refusal(ErrorCode.THREAD_NOT_FOUND, "no"), ErrorCode.THREAD_NOT_FOUND),
        (Refusal(ErrorCode.NOT_A_MEMBER, "no"), ErrorCode.NOT_A_MEMBER),
    ],
)
async def test_who_may_not_write_is_refused_before_the_body_is_read(
    rest: Rest, storage: MemoryStorage, answer: Any, code: ErrorCode
) -> None:
    rest.store.answers["membership"] = answer
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        sent += 1
        yield b"x"

    async with rest.client() as client:
        problem(await client.post(ROUTE, params={"threadId": "t1"}, content=body()), code)
    assert (sent, storage.objects) == (0, {})


@pytest.mark.parametrize(
    "outcome",
    [refused(ErrorCode.FORBIDDEN), Refusal(ErrorCode.TIMEOUT, "late"), Refusal(ErrorCode.QUEUE_FULL, "full")],
    ids=["refused", "unknown", "full"],
)
async def test_what_is_not_registered_is_not_kept(rest: Rest, storage: MemoryStorage, outcome: Any) -> None:
    rest.queue.outcomes["attachment.register"] = outcome
    async with rest.client() as client:
        response = await client.post(ROUTE, params={"threadId": "t1"}, content=picture("PNG"))
    assert response.status_code >= 400
    assert storage.objects == {}


async def test_a_file_is_refused_when_the_limit_is_passed(rest: Rest, storage: MemoryStorage) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 10_000

    async with rest.client() as client:
        params = {"threadId": "t1"}
        problem(await client.post(ROUTE, params=params, content=body()), ErrorCode.ATTACHMENT_TOO_LARGE)
        problem(await client.post(ROUTE, params=params, content=b"x" * (LIMIT + 1)), ErrorCode.ATTACHMENT_TOO_LARGE)
        form = {"file": ("a", b"x" * (LIMIT + 1))}
        problem(await client.post(ROUTE, params=params, files=form), ErrorCode.ATTACHMENT_TOO_LARGE)
        assert (await client.post(ROUTE, params=params, content=b"x" * LIMIT)).status_code == 201
        assert (await client.post(ROUTE, params=params, files={"file": ("a", b"x" * LIMIT)})).status_code == 201
    assert len(storage.objects) == 2


@pytest.mark.parametrize("failing", ["", ".thumbnail"])
async def test_a_storage_that_is_away_is_said_and_nothing_is_registered(
    rest: Rest, storage: MemoryStorage, failing: str
) -> None:
    storage.fails = failing
    async with rest.client() as client:
        response = await client.post(ROUTE, params={"threadId": "t1"}, content=picture("PNG"))
    problem(response, ErrorCode.STORAGE_UNAVAILABLE)
    assert (rest.queue.commands, storage.objects) == ([], {})


@pytest.mark.parametrize("params", [{}, {"threadId": "a.b"}, {"threadId": "t1", "name": "x" * 5000}])
async def test_bad_parameters_are_refused(rest: Rest, params: dict[str, str]) -> None:
    async with rest.client() as client:
        problem(await client.post(ROUTE, params=params, content=b"x"), ErrorCode.BAD_REQUEST)


async def test_a_download_is_streamed_with_its_headers(rest: Rest, storage: MemoryStorage) -> None:
    known(rest, storage, body := bytes(range(256)) * 20)
    async with rest.client() as client:
        whole = await client.get(f"{ROUTE}/{FILE}")
        part = await client.get(f"{ROUTE}/{FILE}", headers={"Range": "bytes=1000-2999"})
    assert (whole.status_code, whole.content) == (200, body)
    assert whole.headers["content-length"] == str(len(body))
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"].startswith("private")
    assert (part.status_code, part.content) == (206, body[1000:3000])
    assert part.headers["etag"] == whole.headers["etag"]


async def test_an_empty_file_can_be_had(rest: Rest, storage: MemoryStorage) -> None:
    known(rest, storage, b"")
    async with rest.client() as client:
        response = await client.get(f"{ROUTE}/{FILE}")
    assert (response.status_code, response.content) == (200, b"")


async def test_what_the_store_refuses_is_not_looked_for(rest: Rest, storage: MemoryStorage) -> None:
    known(rest, storage, b"secret")
    rest.store.answers["attachment"] = Refusal(ErrorCode.ATTACHMENT_NOT_FOUND, "there is no such file")
    async with rest.client() as client:
        problem(await client.get(f"{ROUTE}/{FILE}"), ErrorCode.ATTACHMENT_NOT_FOUND)
        assert (await client.head(f"{ROUTE}/{FILE}")).status_code == 404


async def test_a_missing_object_or_thumbnail_is_not_found_and_a_storage_away_is_said(
    rest: Rest, storage: MemoryStorage
) -> None:
    known(rest, storage, b"x")
    async with rest.client() as client:
        problem(await client.get(f"{ROUTE}/{FILE}?thumbnail=true"), ErrorCode.ATTACHMENT_NOT_FOUND)
        storage.away = True
        problem(await client.get(f"{ROUTE}/{FILE}"), ErrorCode.STORAGE_UNAVAILABLE)
        storage.away = False
        storage.objects.clear()
        problem(await client.get(f"{ROUTE}/{FILE}"), ErrorCode.ATTACHMENT_NOT_FOUND)


async def test_more_transfers_than_the_bound_are_refused(rest: Rest, storage: MemoryStorage) -> None:
    transfers: Transfers = rest.app.state.attachments.transfers
    known(rest, storage, b"x")
    with transfers.one(UserId("x")), transfers.one(UserId("y")):
        async with rest.client() as client:
            problem(await client.get(f"{ROUTE}/{FILE}"), ErrorCode.TOO_MANY_IN_FLIGHT)
            response = await client.post(ROUTE, params={"threadId": "t1"}, content=b"x")
            problem(response, ErrorCode.TOO_MANY_IN_FLIGHT)


async def test_a_message_may_consist_of_files_alone(rest: Rest) -> None:
    async with rest.client() as client:
        body = {"threadId": "t1", "content": " ", "attachmentIds": [FILE]}
        assert (await client.post("/api/chat/messages", json=body)).status_code == 201
        problem(await client.post("/api/chat/messages", json=body | {"attachmentIds": []}), ErrorCode.CONTENT_EMPTY)
    (command,) = rest.queue.commands
    assert command.attachment_ids == [FILE]  # type: ignore[union-attr]


async def test_a_picture_that_takes_too_long_is_given_up_and_keeps_its_worker() -> None:
    go_on = threading.Event()

    def slow(_file: BinaryIO) -> Picture:
        go_on.wait(10)
        return Picture(1, 1, None)

    workers = PictureWorkers(at_once=1, timeout_s=0.05, examine=slow)
    file: Any = None
    assert await workers.examine(file) is None
    assert await workers.examine(file) is None  # the only worker is still busy
    go_on.set()
    async with asyncio.timeout(5):
        while await workers.examine(file) is None:
            pass
    workers.close()


async def test_one_user_can_not_take_the_places_of_all() -> None:
    transfers = Transfers(at_once=3, per_user=2)
    alice, bob = UserId("alice"), UserId("bob")
    with transfers.one(alice), transfers.one(alice):
        with pytest.raises(Refusal):
            transfers.begin(alice)
        with transfers.one(bob):
            assert len(transfers) == 3
    with transfers.one(alice):
        assert len(transfers) == 1


async def test_a_storage_that_fails_in_the_middle_ends_the_response_early(rest: Rest, storage: MemoryStorage) -> None:
    known(rest, storage, b"x" * 5000)

    async def failing(data: bytes) -> AsyncIterator[bytes]:
        yield data[:1000]
        raise StorageUnavailable("away")

    storage._pieces = failing  # type: ignore[method-assign]
    response = await rest.app.state.attachments.downloads.answer(
        AttachmentState.model_validate(rest.store.answers["attachment"]),
        UserId("alice"),
        {},
        thumbnail=False,
        body=True,
    )
    messages = await sent(response)
    assert (b"content-length", b"5000") in messages[0]["headers"]
    assert [message["body"] for message in messages[1:]] == [b"x" * 1000]  # and no end, so that the server cuts it off


async def test_a_reader_who_takes_nothing_is_given_up() -> None:
    ended: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    response = FileResponse(body(), 200, {}, idle_timeout_s=0.05, finished=lambda: ended.append(True))
    assert len(await sent(response, stuck=True)) == 2
    assert ended == [True]


async def sent(response: Response, *, stuck: bool = False) -> list[Message]:
    """What a server is told; a `stuck` one takes no byte."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)
        if stuck and message.get("body"):
            await asyncio.Event().wait()

    async def connected() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(5):
        await response({"type": "http", "asgi": {}}, connected, send)
    return messages


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"gateway_storage": "s3"}, "GATEWAY_S3_BUCKET"),
        ({"gateway_storage": "s3", "gateway_s3_bucket": "b", "gateway_s3_access_key": "k"}, "go together"),
    ],
)
def test_a_storage_that_is_half_described_does_not_load(settings: dict[str, str], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Rest(**settings)


async def test_settings_choose_the_storage() -> None:
    chosen = Rest(
        gateway_storage="s3",
        gateway_s3_bucket="b",
        gateway_s3_endpoint="http://127.0.0.1:1",
        gateway_s3_region="eu",
        gateway_s3_access_key="k",
        gateway_s3_secret_key="s",
    ).settings
    assert s3_place(chosen) == S3Place("b", "http://127.0.0.1:1", "eu", "k", "s")
    assert isinstance(await open_storage(chosen), S3ObjectStorage)
