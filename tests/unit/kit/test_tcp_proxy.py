"""The proxy itself, in front of an echo server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.kit.tcp_proxy import TcpProxy, open_proxy
from tests.kit.waiting import until


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_proxy(lambda: ("127.0.0.1", port)) as proxy:
        yield proxy
    server.close()


async def connected(proxy: TcpProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 5)


async def test_bytes_pass_both_ways(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    data = bytes(range(256)) * 4_000
    assert await echoed(reader, writer, data) == data
    writer.close()
    await until(lambda: proxy.connections == 0, 5, "given back")


async def test_a_black_hole_keeps_what_came_until_it_is_healed(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    assert await echoed(reader, writer, b"a") == b"a"
    proxy.blackhole()
    writer.write(b"b")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readexactly(1), 0.2)
    proxy.pass_all()
    assert await asyncio.wait_for(reader.readexactly(1), 5) == b"b"


async def test_a_cut_ends_what_is_open_and_new_connections_pass(proxy: TcpProxy) -> None:
    reader, writer = await connected(proxy)
    assert await echoed(reader, writer, b"a") == b"a"
    proxy.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    reader, writer = await connected(proxy)
    assert await echoed(reader, writer, b"b") == b"b"


async def test_a_refusing_proxy_takes_nobody_until_it_is_healed(proxy: TcpProxy) -> None:
    proxy.refuse()
    reader, _ = await connected(proxy)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    proxy.pass_all()
    reader, writer = await connected(proxy)
    assert await echoed(reader, writer, b"b") == b"b"


@pytest.mark.parametrize("forward", [True, False])
async def test_a_trigger_cuts_at_the_bytes_it_waits_for(proxy: TcpProxy, forward: bool) -> None:
    trigger = proxy.cut_when(lambda data: b"COMMIT" in data, forward=forward)
    reader, writer = await connected(proxy)
    assert await echoed(reader, writer, b"BEGIN") == b"BEGIN"
    writer.write(b"COMMIT")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(7), 5)
    assert trigger.fired == 1
