"""Files up and down, against a scripted server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from chatterbus_client import AttachmentState, Refused, Unreachable
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import AttachmentId
from tests.kit.waiting import until
from tests.unit.client.peer import FAST, Peer
from tests.unit.client.peer_http import keep, problem

DATA = bytes(range(256)) * 1_000
FILE = AttachmentId("demo~f" + "0" * 31 + "9")
SMALL_CHUNKS = replace(FAST, chunk_bytes=10_000, download_retries=2)


async def pieces(data: bytes, size: int = 7_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_file_goes_up_in_pieces_and_comes_with_the_message(tmp_path: Path) -> None:
    source = tmp_path / "plan.txt"
    source.write_bytes(DATA)
    told: list[tuple[int, int | None]] = []
    async with Peer() as peer, peer.client(settings=SMALL_CHUNKS) as client:
        thread = await client.thread("demo")
        attachment = await thread.upload(source, progress=lambda done, total: told.append((done, total)))
        assert (attachment.name, attachment.size_bytes) == ("plan.txt", len(DATA))
        assert peer.stored[attachment.id] == DATA
        assert told[-1] == (len(DATA), len(DATA))
        assert len(told) == 26
        await thread.send("", attachments=[attachment])
        await until(lambda: thread.last_seq == 1, 5, "seen")
        assert thread.messages[0].attachments == [attachment]


async def test_chunks_go_up_without_a_known_end() -> None:
    async with Peer() as peer, peer.client() as client:
        told: list[tuple[int, int | None]] = []
        attachment = await client.upload(
            pieces(DATA), thread_id="demo", name="a b.txt", progress=lambda *now: told.append(now)
        )
        assert (attachment.name, peer.stored[attachment.id]) == ("a b.txt", DATA)
        assert told[-1] == (len(DATA), None)


async def test_an_upload_with_an_expired_token_is_repeated_from_a_path_and_not_from_chunks(tmp_path: Path) -> None:
    source = tmp_path / "plan.txt"
    source.write_bytes(DATA)
    tokens = (f"alice-{number}" for number in range(1, 9))

    async def token() -> str:
        return next(tokens)

    async with Peer() as peer:
        used: list[str] = []

        def each_token_once(request: httpx.Request) -> httpx.Response | None:
            used.append(request.headers["authorization"])
            return problem(ErrorCode.TOKEN_EXPIRED) if len(used) != 2 else None

        peer.http_hook = each_token_once
        async with peer.client(None, token=token) as client:
            attachment = await client.upload(source, thread_id="demo")
            assert peer.stored[attachment.id] == DATA
            with pytest.raises(Refused):
                await client.upload(pieces(DATA), thread_id="demo", name="x")
        assert used == ["Bearer alice-1", "Bearer alice-2", "Bearer alice-2"]


async def test_a_refused_upload_raises_the_servers_code(tmp_path: Path) -> None:
    source = tmp_path / "plan.txt"
    source.write_bytes(DATA)
    async with Peer() as peer, peer.client() as client:
        peer.http_hook = lambda _: problem(ErrorCode.ATTACHMENT_TOO_LARGE)
        with pytest.raises(Refused) as caught:
            await client.upload(source, thread_id="demo")
        assert caught.value.code is ErrorCode.ATTACHMENT_TOO_LARGE
        with pytest.raises(OSError, match="nowhere"):
            await client.upload(tmp_path / "nowhere", thread_id="demo")


def stored(peer: Peer) -> AttachmentState:
    return keep(peer, FILE, "plan.txt", DATA)


async def test_a_file_comes_down_under_its_own_name_and_leaves_nothing_else(tmp_path: Path) -> None:
    async with Peer() as peer, peer.client(settings=SMALL_CHUNKS) as client:
        told: list[tuple[int, int | None]] = []
        path = await client.download(stored(peer), tmp_path, progress=lambda *now: told.append(now))
        assert path == tmp_path / "plan.txt"
        assert path.read_bytes() == DATA
        assert told[-1] == (len(DATA), len(DATA))
        assert names_in(tmp_path) == [path.name]


async def test_a_download_that_breaks_goes_on_from_where_it_broke(tmp_path: Path) -> None:
    async with Peer() as peer, peer.client(settings=SMALL_CHUNKS) as client:
        peer.breaks_after = [100_000, 50_000]
        path = await client.download(stored(peer), tmp_path / "here.txt")
        assert path.read_bytes() == DATA
        assert [request.headers.get("range") for request in peer.requests] == [None, "bytes=100000-", "bytes=150000-"]


async def test_a_download_that_was_given_up_is_gone_on_with_by_the_next_attempt(tmp_path: Path) -> None:
    async with Peer() as peer, peer.client(settings=SMALL_CHUNKS) as client:
        attachment = stored(peer)
        peer.breaks_after = [100_000, 0, 0, 0]
        with pytest.raises(Unreachable):
            await client.download(attachment, tmp_path / "here.txt")
        assert not (tmp_path / "here.txt").exists()
        path = await client.download(attachment, tmp_path / "here.txt")
        assert path.read_bytes() == DATA
        assert peer.requests[-1].headers["range"] == "bytes=100000-"
        assert names_in(tmp_path) == [path.name]


async def test_a_server_that_passes_the_range_over_is_understood() -> None:
    async with Peer() as peer, peer.client(settings=SMALL_CHUNKS) as client:
        stored(peer)
        peer.http_hook = lambda _: httpx.Response(200, content=DATA)
        assert b"".join([data async for data in client.chunks(FILE, start=1_234)]) == DATA[1_234:]


async def test_there_is_nothing_after_the_end() -> None:
    async with Peer() as peer, peer.client() as client:
        stored(peer)
        assert [data async for data in client.chunks(FILE, start=len(DATA))] == []


async def test_a_file_that_is_not_there_is_refused_and_not_written(tmp_path: Path) -> None:
    async with Peer() as peer, peer.client() as client:
        with pytest.raises(Refused) as caught:
            await client.download(FILE, tmp_path / "x")
        assert caught.value.code is ErrorCode.ATTACHMENT_NOT_FOUND
        assert names_in(tmp_path) == []


async def test_a_name_from_others_cannot_leave_the_directory(tmp_path: Path) -> None:
    async with Peer() as peer, peer.client() as client:
        attachment = keep(peer, FILE, "../../evil", DATA)
        assert await client.download(attachment, tmp_path) == tmp_path / "evil"
