"""What is particular to objects in S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatterbus_storage.errors import StorageUnavailable
from chatterbus_storage.s3_storage import S3ObjectStorage, S3Place
from tests.integration.storage.conftest import BUCKET
from tests.integration.storage.test_object_storage import BIG, of
from tests.kit.nats_server import free_port


@pytest.mark.parametrize("way", ["fails", "is cancelled"])
async def test_a_put_that_ends_early_aborts_its_upload(s3_storage: S3ObjectStorage, s3_client: Any, way: str) -> None:
    reached = asyncio.Event()

    async def ending() -> AsyncIterator[bytes]:
        yield BIG
        reached.set()
        if way == "fails":
            raise ValueError
        await asyncio.Event().wait()

    putting = asyncio.create_task(s3_storage.put("k", ending(), content_type="a/b"))
    async with asyncio.timeout(20):
        await reached.wait()
        if way != "fails":
            putting.cancel()
        with pytest.raises((ValueError, asyncio.CancelledError)):
            await putting
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=BUCKET)


async def test_a_storage_that_is_not_there_is_said_in_time() -> None:
    place = S3Place(BUCKET, f"http://127.0.0.1:{free_port()}", "us-east-1", "k", "s")
    storage = S3ObjectStorage(place, chunk_timeout_s=1)
    async with asyncio.timeout(10):
        with pytest.raises(StorageUnavailable):
            await storage.stat("k")
        with pytest.raises(StorageUnavailable):
            await storage.put("k", of(BIG), content_type="a/b")


def test_keys_do_not_show_in_a_place() -> None:
    assert "secret" not in repr(S3Place("b", None, None, "secret-id", "secret-key"))
