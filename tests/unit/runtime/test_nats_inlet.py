"""What is read from NATS is handled in order, in the callback that read it as long as nothing has to be awaited."""

from __future__ import annotations

import asyncio

import pytest
from nats.errors import ProtocolError, UnexpectedEOF

from chatterbus_runtime.nats_inlet import HELD_BYTES, Inlet
from chatterbus_runtime.nats_parser import Untaken, WireParser


class Before(asyncio.Protocol):
    """The stream reader's protocol."""

    def __init__(self) -> None:
        self.lost = False

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True


class Socket(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol = Before()
        self.paused = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Stand:
    """Messages of sid 1 are taken by a listener, of other sids by the library; PONG needs no await, other lines do."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.socket = Socket()
        self.before = self.socket.protocol
        parser = WireParser(self._deliver)
        self.inlet = Inlet(self.socket, parser.feed, self._settle)

    def _deliver(self, sid: int, _subject: bytes, _reply: bytes, data: bytes, _headers: bytes) -> bool:
        if sid == 1:
            self.told.append(data)
        return sid == 1

    def _settle(self, rest: Untaken) -> bool:
        if rest == b"PONG":
            self.told.append(b"PONG")
        return rest == b"PONG"

    def come(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.inlet.data_received(piece)


def msg(sid: int, data: bytes) -> bytes:
    return b"MSG a.b %d %d\r\n%b\r\n" % (sid, len(data), data)


@pytest.fixture
async def stand() -> Stand:
    return Stand()


async def test_what_needs_no_await_is_handled_in_the_callback(stand: Stand) -> None:
    stand.come(msg(1, b"one") + b"PONG\r\n" + msg(1, b"two")[:9], msg(1, b"two")[9:])
    assert stand.told == [b"one", b"PONG", b"two"]


async def test_nothing_overtakes_what_has_to_be_awaited(stand: Stand) -> None:
    stand.come(msg(1, b"one") + msg(2, b"slow") + msg(1, b"two"), b"INFO {}\r\n" + msg(1, b"three"))
    assert stand.told == [b"one"]
    assert (await stand.inlet.next())[3] == b"slow"
    assert stand.told == [b"one"]
    assert await stand.inlet.next() == b"INFO {}"
    assert stand.told == [b"one", b"two"]
    waiting = asyncio.create_task(stand.inlet.next())
    await asyncio.sleep(0)
    assert stand.told == [b"one", b"two", b"three"]
    stand.come(msg(1, b"four"), msg(2, b"five"))
    assert stand.told[-1] == b"four"
    assert (await waiting)[3] == b"five"


async def test_reading_stops_while_much_is_held_and_goes_on_then(stand: Stand) -> None:
    piece = msg(1, b"x" * 1_000)
    stand.come(msg(2, b"slow"), *[piece] * (HELD_BYTES // len(piece)))
    assert not stand.socket.paused
    stand.come(piece)
    assert stand.socket.paused
    await stand.inlet.next()
    waiting = asyncio.create_task(stand.inlet.next())
    await asyncio.sleep(0)
    assert not stand.socket.paused
    assert len(stand.told) == HELD_BYTES // len(piece) + 1
    waiting.cancel()


async def test_the_end_comes_behind_everything_that_came_before_it(stand: Stand) -> None:
    stand.come(msg(2, b"slow"), msg(1, b"one") + b"INFO {}\r\n")
    stand.inlet.eof_received()
    stand.inlet.connection_lost(None)
    assert (await stand.inlet.next())[3] == b"slow"
    assert await stand.inlet.next() == b"INFO {}"
    with pytest.raises(UnexpectedEOF):
        await stand.inlet.next()
    assert stand.told == [b"one"]
    assert isinstance(stand.before, Before)
    assert stand.before.lost


async def test_what_the_parser_raises_ends_the_reading(stand: Stand) -> None:
    waiting = asyncio.create_task(stand.inlet.next())
    await asyncio.sleep(0)
    stand.come(msg(1, b"one") + b"NONSENSE\r\n")
    with pytest.raises(ProtocolError):
        await waiting
    assert stand.told == [b"one"]


async def test_what_a_connection_brings_that_was_given_up_is_dropped(stand: Stand) -> None:
    stand.inlet.is_given_up = True
    stand.come(msg(1, b"one"))
    assert stand.told == []
