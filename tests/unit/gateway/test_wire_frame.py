"""WebSocket frames as bytes, read back by another implementation."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Close, Opcode
from websockets.protocol import Protocol, Side

from chatterbus_gateway.wire_frame import PING, close_frame, pong_frame, ws_frame


def read(data: bytes) -> list[tuple[Opcode, bytes]]:
    protocol = Protocol(Side.CLIENT, max_size=None)
    protocol.receive_data(data)
    return [(frame.opcode, bytes(frame.data)) for frame in protocol.events_received()]  # type: ignore[union-attr]


@given(st.lists(st.binary(max_size=300), max_size=4))
@example([b"x" * 125, b"x" * 126, b"x" * 65_535, b"x" * 65_536])
def test_joined_frames_are_read_as_the_payloads_they_hold(payloads: list[bytes]) -> None:
    assert read(b"".join(map(ws_frame, payloads))) == [(Opcode.TEXT, payload) for payload in payloads]


def test_control_frames_are_what_they_say() -> None:
    assert read(PING + pong_frame(b"abc")) == [(Opcode.PING, b""), (Opcode.PONG, b"abc")]


@given(st.integers(3000, 4999), st.text(max_size=200))
def test_a_close_frame_fits_and_its_reason_is_text(code: int, reason: str) -> None:
    frame = close_frame(code, reason.encode(errors="ignore").decode())
    assert len(frame) <= 127
    assert reason.startswith(Close.parse(frame[2:]).reason) or not reason.isprintable()
    assert Close.parse(frame[2:]).code == code
