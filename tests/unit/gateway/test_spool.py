"""The copy of a picture that passes by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import pytest

from chatterbus_gateway.attachments import spool as module
from chatterbus_gateway.attachments.spool import Spool

CHUNKS = [b"a" * 100_000, b"b" * 100_000, b"c" * 5]


async def chunks() -> AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


async def passed(spool: Spool) -> list[bytes]:
    return [chunk async for chunk in spool.passing(chunks())]


async def test_the_copy_is_what_passed_by() -> None:
    spool = Spool(max_bytes=1_000_000)
    assert await passed(spool) == CHUNKS
    assert spool.file is not None
    spool.file.seek(0)
    assert spool.file.read() == b"".join(CHUNKS)
    await spool.close()
    assert spool.file is None


async def test_a_file_that_is_too_large_passes_by_without_a_copy() -> None:
    spool = Spool(max_bytes=150_000)
    assert await passed(spool) == CHUNKS
    assert spool.file is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
async def test_a_file_passes_by_where_there_is_no_room_for_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_a_full_disk() -> BinaryIO:
        return Path("/dev/full").open("w+b")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", on_a_full_disk)
    spool = Spool(max_bytes=1_000_000)
    assert await passed(spool) == CHUNKS
    assert spool.file is None
