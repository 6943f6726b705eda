"""What is particular to objects in NATS: the shared layout, and what a failed NATS leaves behind."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from nats.js.api import ObjectMeta

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_storage.errors import StorageUnavailable
from chatterbus_storage.nats_storage import NatsObjectStorage
from tests.integration.storage.conftest import BUCKET
from tests.integration.storage.test_object_storage import BIG, of, read
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

BODY = BIG[:500_000]


async def messages(link: NatsLink) -> int:
    return (await link.jetstream.stream_info(f"OBJ_{BUCKET}")).state.messages


async def test_other_clients_of_nats_read_what_was_put(link: NatsLink, nats_storage: NatsObjectStorage) -> None:
    await nats_storage.put("a/b", of(BODY), content_type="a/b")
    bucket = await link.jetstream.object_store(BUCKET)
    assert (await bucket.get("a/b")).data == BODY


async def test_what_other_clients_put_is_read_from_any_byte(link: NatsLink, nats_storage: NatsObjectStorage) -> None:
    await nats_storage.put("mine", of(BODY), content_type="a/b")
    bucket = await link.jetstream.object_store(BUCKET)
    await bucket.put("theirs", io.BytesIO(BODY), ObjectMeta(name="theirs"))
    assert await read(nats_storage, "theirs") == BODY
    assert await read(nats_storage, "theirs", 200_000, 400_001) == BODY[200_000:400_001]


async def test_deleting_and_replacing_give_the_space_back(link: NatsLink, nats_storage: NatsObjectStorage) -> None:
    await nats_storage.put("k", of(BODY), content_type="a/b")
    await nats_storage.put("k", of(b"short"), content_type="a/b")
    assert await messages(link) == 2
    await nats_storage.delete("k")
    assert await messages(link) == 0


async def test_a_failed_put_gives_the_space_back(link: NatsLink, nats_storage: NatsObjectStorage) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield BODY
        raise ValueError

    with pytest.raises(ValueError):
        await nats_storage.put("k", breaking(), content_type="a/b")
    assert await messages(link) == 0


async def test_a_range_asks_only_for_the_chunks_it_needs(nats_storage: NatsObjectStorage, link: NatsLink) -> None:
    await nats_storage.put("k", of(BIG), content_type="a/b")
    asked: list[str] = []
    request = link.request

    async def counted(subject: str, *arguments: object) -> object:
        asked.append(subject)
        return await request(subject, *arguments)  # type: ignore[arg-type]

    link.request = counted  # type: ignore[method-assign, assignment]
    assert await read(nats_storage, "k", 5_000_000, 5_000_010) == BIG[5_000_000:5_000_010]
    assert len(asked) == 2  # the description, one chunk


async def test_a_missing_chunk_is_an_error_and_not_a_short_object(
    link: NatsLink, nats_storage: NatsObjectStorage
) -> None:
    await nats_storage.put("k", of(BODY), content_type="a/b")
    await link.jetstream.delete_msg(f"OBJ_{BUCKET}", 2)
    with pytest.raises(StorageUnavailable):
        await read(nats_storage, "k")


async def test_without_nats_every_request_fails_in_time_and_afterwards_all_is_well(
    nats_server: NatsServer, link: NatsLink
) -> None:
    storage = NatsObjectStorage(link, BUCKET, chunk_timeout_s=1)
    await storage.put("k", of(BODY), content_type="a/b")
    nats_server.stop()
    async with asyncio.timeout(10):
        with pytest.raises(StorageUnavailable):
            await storage.stat("k")
        with pytest.raises(StorageUnavailable):
            await storage.put("l", of(BODY), content_type="a/b")
    nats_server.start()
    await until(lambda: link.is_connected, 10, "the link is back")
    assert await read(storage, "k") == BODY
    assert await storage.stat("l") is None


async def test_a_storage_that_is_full_refuses_and_keeps_what_it_has(
    link: NatsLink, nats_storage: NatsObjectStorage
) -> None:
    await nats_storage.put("k", of(b"small"), content_type="a/b")
    config = (await link.jetstream.stream_info(f"OBJ_{BUCKET}")).config
    config.max_bytes = 300_000
    await link.jetstream.update_stream(config)
    with pytest.raises(StorageUnavailable):
        await nats_storage.put("l", of(BODY), content_type="a/b")
    assert await nats_storage.stat("l") is None
    assert await read(nats_storage, "k") == b"small"
