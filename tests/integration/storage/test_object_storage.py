"""What every storage of objects promises, held against each of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatterbus_storage.errors import ObjectNotFound
from chatterbus_storage.object_storage import ObjectFacts, ObjectStorage

MIB = 1024 * 1024
BIG = random.Random(7).randbytes(6 * MIB + 12_345)  # more than a part of S3, and many chunks of NATS


async def of(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(storage: ObjectStorage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in await storage.get(key, start=start, end=end)])


@pytest.mark.parametrize("data", [b"", b"x", b"hello" * 1000, BIG[: 128 * 1024], BIG], ids=len)
async def test_what_was_put_is_what_is_got(storage: ObjectStorage, data: bytes) -> None:
    assert await storage.put("a/b-1", of(data), content_type="image/png") == len(data)
    assert await storage.stat("a/b-1") == ObjectFacts(len(data), "image/png")
    assert await read(storage, "a/b-1") == data


async def test_an_object_that_is_not_there_is_told_apart(storage: ObjectStorage) -> None:
    assert await storage.stat("none") is None
    with pytest.raises(ObjectNotFound):
        await storage.get("none")


async def test_deleting_can_be_said_again(storage: ObjectStorage) -> None:
    await storage.delete("k")
    await storage.put("k", of(b"bytes"), content_type="text/plain")
    for _ in range(2):
        await storage.delete("k")
        assert await storage.stat("k") is None
    with pytest.raises(ObjectNotFound):
        await storage.get("k")


async def test_a_second_put_takes_the_place_of_the_first(storage: ObjectStorage) -> None:
    await storage.put("k", of(BIG[:300_000]), content_type="text/plain")
    await storage.put("k", of(b"short"), content_type="image/gif")
    assert await storage.stat("k") == ObjectFacts(5, "image/gif")
    assert await read(storage, "k") == b"short"


@pytest.mark.parametrize("after", [0, 1, 6 * MIB], ids=["at once", "in the middle", "after a part"])
async def test_a_put_whose_source_fails_raises_its_error_and_leaves_nothing(storage: ObjectStorage, after: int) -> None:
    class Gone(Exception):
        pass

    async def breaking() -> AsyncIterator[bytes]:
        async for chunk in of(BIG[:after]):
            yield chunk
        raise Gone

    with pytest.raises(Gone):
        await storage.put("k", breaking(), content_type="text/plain")
    assert await storage.stat("k") is None


@pytest.mark.parametrize("after", [1, 6 * MIB], ids=["early", "after a part"])
async def test_a_cancelled_put_leaves_nothing(storage: ObjectStorage, after: int) -> None:
    reached = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for chunk in of(BIG[:after]):
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(storage.put("k", stuck(), content_type="text/plain"))
    async with asyncio.timeout(20):
        await reached.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
    assert await storage.stat("k") is None


async def test_an_object_that_is_being_written_can_not_be_read(storage: ObjectStorage) -> None:
    go_on = asyncio.Event()
    reached = asyncio.Event()

    async def halting() -> AsyncIterator[bytes]:
        yield BIG[: 6 * MIB]
        reached.set()
        await go_on.wait()
        yield b"end"

    putting = asyncio.create_task(storage.put("k", halting(), content_type="text/plain"))
    async with asyncio.timeout(20):
        await reached.wait()
        assert await storage.stat("k") is None
        go_on.set()
        assert await putting == 6 * MIB + 3
    assert await storage.stat("k") is not None


async def test_puts_at_the_same_time_do_not_mix(storage: ObjectStorage) -> None:
    bodies = [bytes([number]) * 700_000 for number in range(4)]
    await asyncio.gather(
        *(storage.put(f"k/{number}", of(body), content_type="a/b") for number, body in enumerate(bodies))
    )
    for number, body in enumerate(bodies):
        assert await read(storage, f"k/{number}") == body
        assert await read(storage, f"k/{number}", 300_000, 500_000) == body[300_000:500_000]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.tuples(st.integers(0, len(BIG) + 10), st.none() | st.integers(0, len(BIG) + 10)))
async def test_any_range_is_that_part_of_the_object(big_storage: ObjectStorage, places: tuple[int, int | None]) -> None:
    start, end = places
    assert await read(big_storage, "big", start, end) == BIG[start:end]


@pytest.fixture
async def big_storage(storage: ObjectStorage) -> ObjectStorage:
    await storage.put("big", of(BIG), content_type="a/b")
    return storage
