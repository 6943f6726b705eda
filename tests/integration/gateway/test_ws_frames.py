"""What a hostile client may put on the wire (S13), and the shape of what uvicorn and picows give us."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_gateway.frame_reader import SPARE_MAX, FrameReader
from chatterbus_gateway.http_socket import HttpSocket
from tests.integration.gateway.conftest import WAIT_S, Client, RunningGateway, upgrade_request
from tests.kit.waiting import until

AUTH = json.dumps({"type": "auth", "userId": "anna"}).encode()
PING = json.dumps({"type": "ping", "id": "1"}).encode()


def frame(payload: bytes, first_byte: int = 0x81, *, masked: bool = True) -> bytes:
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((first_byte, bit | size))
    elif size < 65_536:
        head = bytes((first_byte, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first_byte, bit | 127)) + size.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if masked else b"") + payload  # a mask of zeros changes nothing


class Raw:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hear(self) -> tuple[int, bytes]:
        """(first byte, payload) of the next frame."""
        async with asyncio.timeout(WAIT_S):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            return first, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        while True:
            first, payload = await self.hear()
            if first == 0x88:
                return int.from_bytes(payload[:2], "big")


@pytest.fixture
async def raw(gateway: RunningGateway) -> AsyncIterator[Raw]:
    """A socket that has authenticated."""
    reader, writer = await gateway.raw()
    raw = Raw(reader, writer)
    writer.write(frame(AUTH))
    assert b"auth_success" in (await raw.hear())[1]
    yield raw
    writer.transport.abort()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"\x00\x01", 0x82), 1003),
        (frame(PING, masked=False), 1002),
        (frame(PING, 0xC1), 1002),
        (frame(PING, 0x91), 1002),
        (frame(b"", 0x83), 1002),
        (frame(PING, 0x80), 1002),
        (frame(b"x", 0x09), 1002),
        (frame(b'{"type":"\xff"}'), 1007),
        (frame(b'{"type":"\xff', 0x01) + frame(b'"}', 0x80), 1007),
        (frame(b"x" * (FRAME_MAX_BYTES + 1)), 1009),
        (frame(b"x" * 40_000, 0x01) + frame(b"x" * 40_000, 0x80), 1009),
        (frame(b"x", 0x01) + frame(b"y", 0x01), 1002),
    ],
    ids=[
        "binary",
        "unmasked",
        "reserved bit 1",
        "reserved bit 3",
        "unknown opcode",
        "continuation of nothing",
        "fragmented ping",
        "not UTF-8",
        "not UTF-8 in fragments",
        "too big",
        "too big in fragments",
        "a text inside a text",
    ],
)
async def test_what_is_not_our_websocket_ends_with_its_code(raw: Raw, data: bytes, code: int) -> None:
    raw.writer.write(data)
    assert await raw.close_code() == code
    async with asyncio.timeout(10):
        assert await raw.reader.read() == b""


async def test_fragments_with_pings_between_them_are_one_message(raw: Raw) -> None:
    raw.writer.write(frame(PING[:5], 0x01) + frame(b"are you there", 0x89) + frame(b"", 0x00) + frame(PING[5:], 0x80))
    assert await raw.hear() == (0x8A, b"are you there")
    first, payload = await raw.hear()
    assert (first, json.loads(payload)["type"]) == (0x81, "pong")


async def test_a_message_of_the_full_size_is_accepted(raw: Raw) -> None:
    payload = PING[:-1] + b" " * (FRAME_MAX_BYTES - len(PING)) + b"}"
    assert len(payload) == FRAME_MAX_BYTES
    raw.writer.write(frame(payload))
    assert json.loads((await raw.hear())[1])["type"] == "pong"


async def test_frames_that_arrive_byte_by_byte_are_understood(raw: Raw) -> None:
    for byte in frame(PING):
        raw.writer.write(bytes((byte,)))
        await raw.writer.drain()
    assert json.loads((await raw.hear())[1])["type"] == "pong"


async def test_many_frames_in_one_segment_are_answered_in_order(raw: Raw) -> None:
    raw.writer.write(b"".join(frame(json.dumps({"type": "ping", "id": str(n)}).encode()) for n in range(50)))
    assert [json.loads((await raw.hear())[1])["id"] for _ in range(50)] == [str(n) for n in range(50)]


async def test_a_goodbye_is_answered_with_its_code_and_the_socket_closed(raw: Raw, gateway: RunningGateway) -> None:
    raw.writer.write(frame((1001).to_bytes(2, "big"), 0x88))
    assert await raw.close_code() == 1001
    async with asyncio.timeout(WAIT_S):
        assert await raw.reader.read() == b""
    await until(lambda: len(gateway.parts.hub) == 0, WAIT_S, "the socket is forgotten")


async def test_compression_is_not_negotiated(gateway: RunningGateway) -> None:
    connection = await connect(gateway.url, compression="deflate")
    assert connection.response is not None
    assert "Sec-WebSocket-Extensions" not in connection.response.headers
    client = Client(connection)
    await client.say(type="auth", userId="anna")
    await client.hear("auth_success")
    await connection.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        upgrade_request(1).replace(b"Version: 13", b"Version: 12"),
        upgrade_request(1, "/ws", "Content-Length: 1").replace(b"GET", b"POST") + b"x",
    ],
)
async def test_a_handshake_that_is_none_is_refused_and_leaves_nothing(gateway: RunningGateway, request_: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request_)
    async with asyncio.timeout(WAIT_S):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert len(gateway.parts.hub) == 0


async def test_the_upgrade_of_a_browser_that_names_more_than_it_is_accepted(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(upgrade_request(gateway.port).replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"))
    async with asyncio.timeout(WAIT_S):
        answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert (
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    )  # the key and answer of RFC 6455, section 1.3
    writer.transport.abort()


async def test_sockets_that_say_nothing_hold_no_parser_and_leave_nothing_to_the_collector(
    gateway: RunningGateway,
) -> None:
    gc.collect()
    gc.disable()  # it comes seldom in a gateway
    try:
        clients = [Client(await connect(gateway.url)) for _ in range(SPARE_MAX + 12)]
        for client in clients:
            await client.say(type="auth", userId="anna")
            await client.hear("auth_success")
        kinds = [type(each) for each in gc.get_objects()]
    finally:
        gc.enable()
    assert kinds.count(HttpSocket) == 0
    assert kinds.count(FrameReader) <= SPARE_MAX
    for client in clients:
        await client.connection.close()


async def test_rates_are_limited_and_a_flood_ends_the_socket(raw: Raw) -> None:
    codes = []
    for _ in range(15):
        raw.writer.write(frame(PING) * 100)
    while True:
        first, payload = await raw.hear()
        if first == 0x88:
            break
        codes.append(json.loads(payload).get("code"))
    assert int.from_bytes(payload[:2], "big") == 4029
    assert "RATE_LIMITED" in codes
    assert codes[:100] == [None] * 100
