"""A bucket on a real NATS: compare-and-set, deadlines, and a server that forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatterbus_runtime.bucket import Bucket, BucketSpec, BucketUnavailable
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

SPEC = BucketSpec("things", "for tests", max_bytes=1 << 20, in_memory=True)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def link(server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=server.url), "bucket")
    yield link
    await link.close(0.5)


async def test_what_is_put_is_got_with_its_revision(link: NatsLink) -> None:
    bucket = Bucket(link, SPEC, 2.0)
    revision = await bucket.put("a", b"1")
    found = await bucket.get("a")
    assert found is not None
    assert (found.value, found.revision) == (b"1", revision)
    assert await bucket.get("b") is None
    assert await bucket.keys() == ["a"]


async def test_an_empty_bucket_has_no_keys(link: NatsLink) -> None:
    assert await Bucket(link, SPEC, 2.0).keys() == []


async def test_of_those_who_create_at_the_same_time_one_wins_also_after_a_delete(link: NatsLink) -> None:
    bucket = Bucket(link, SPEC, 2.0)
    for _ in range(2):
        revisions = await asyncio.gather(*(bucket.create("a", b"%d" % number) for number in range(8)))
        assert sum(revision is not None for revision in revisions) == 1
        await bucket.delete("a")


async def test_a_replace_and_a_delete_need_the_revision_that_is_there(link: NatsLink) -> None:
    bucket = Bucket(link, SPEC, 2.0)
    first = await bucket.put("a", b"1")
    second = await bucket.replace("a", b"2", first)
    assert second is not None
    assert await bucket.replace("a", b"3", first) is None
    assert not await bucket.delete_at("a", first)
    assert await bucket.delete_at("a", second)
    assert await bucket.get("a") is None


async def test_a_bucket_in_memory_is_made_again_after_a_restart(server: NatsServer, link: NatsLink) -> None:
    bucket = Bucket(link, SPEC, 2.0)
    await bucket.put("a", b"1")
    server.stop()
    await until(lambda: not link.is_connected, 10, "the loss is seen")
    server.start()
    await until(lambda: link.is_connected, 10, "connected again")
    assert await bucket.get("a") is None
    assert await bucket.put("a", b"2") == 1


async def test_without_nats_every_call_fails_in_time(server: NatsServer, link: NatsLink) -> None:
    bucket = Bucket(link, SPEC, 0.3)
    await bucket.put("a", b"1")
    server.stop()
    for work in (bucket.get("a"), bucket.put("a", b""), bucket.create("b", b""), bucket.keys(), bucket.delete("a")):
        with pytest.raises(BucketUnavailable):
            await asyncio.wait_for(work, 2)


async def test_limits_that_an_operator_gave_are_kept(link: NatsLink) -> None:
    await link.jetstream.create_key_value(bucket=SPEC.name, max_bytes=5 << 20)
    bucket = Bucket(link, SPEC, 2.0)
    await bucket.put("a", b"1")
    info = await link.jetstream.stream_info("KV_things")
    assert info.config.max_bytes == 5 << 20
