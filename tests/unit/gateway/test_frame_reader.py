"""picows' parser, borrowed: frames come out as they went in, however they were cut, and nothing is kept for nobody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picows.picows import WSFrame

from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_gateway.frame_reader import BUFFER_BYTES, SPARE_MAX, FrameReaders


class Heard:
    """A socket that remembers what it was handed."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []

    def on_frame(self, frame: WSFrame) -> None:
        if frame.get_payload_as_bytes() == b"fail":
            raise RuntimeError("a callback fails")
        self.frames.append((frame.msg_type.value, frame.get_payload_as_bytes()))


def masked(payload: bytes, opcode: int = 1) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    mask = b"\x12\x34\x56\x78"
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


PAYLOADS = st.lists(st.one_of(st.binary(max_size=200), st.binary(min_size=900, max_size=5_000)), max_size=8)


@given(payloads=PAYLOADS, cuts=st.lists(st.integers(1, 3_000), max_size=20))
@settings(deadline=None)
async def test_frames_come_out_whole_and_in_order_however_the_bytes_are_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    readers, owner = FrameReaders(), Heard()
    data = b"".join(map(masked, payloads))
    reader = readers.lend(owner)
    for size in [*cuts, len(data)]:
        piece, data = data[:size], data[size:]
        if piece:
            reader.feed(piece)
    assert owner.frames == [(1, payload) for payload in payloads]
    assert reader.fault is None
    assert reader.is_empty


async def test_a_reader_is_not_empty_while_a_frame_is_half_read() -> None:
    reader = FrameReaders().lend(Heard())
    whole = masked(b"x" * 300)
    reader.feed(whole + whole[:1])
    assert not reader.is_empty
    for byte in whole[1:-1]:
        reader.feed(bytes((byte,)))
        assert not reader.is_empty
    reader.feed(whole[-1:])
    assert reader.is_empty


async def test_a_reader_that_comes_back_serves_the_next_owner_and_knows_nothing_of_the_last() -> None:
    readers, first, second = FrameReaders(), Heard(), Heard()
    reader = readers.lend(first)
    reader.feed(masked(b"one"))
    readers.take_back(reader)
    again = readers.lend(second)
    assert again is reader
    again.feed(masked(b"two"))
    assert (first.frames, second.frames) == ([(1, b"one")], [(1, b"two")])


async def test_many_small_frames_at_once_do_not_make_a_reader_grow_and_a_large_one_is_not_lent_again() -> None:
    readers, owner = FrameReaders(), Heard()
    reader = readers.lend(owner)
    reader.feed(masked(b"x" * 100) * 5_000)
    assert len(owner.frames) == 5_000
    assert not reader.has_grown
    reader.feed(masked(b"x" * FRAME_MAX_BYTES))
    assert reader.is_empty
    assert reader.has_grown
    readers.take_back(reader)
    assert readers.lend(owner) is not reader


async def test_a_frame_of_the_full_size_takes_a_few_times_its_size_at_most() -> None:
    reader = FrameReaders().lend(Heard())
    reader.feed(masked(b"x" * FRAME_MAX_BYTES)[:-1])
    held_bytes = FRAME_MAX_BYTES + len(reader._parser.get_buffer(0))
    assert held_bytes <= 4 * FRAME_MAX_BYTES + BUFFER_BYTES


async def test_only_a_few_are_kept_for_later() -> None:
    readers = FrameReaders()
    lent = [readers.lend(Heard()) for _ in range(SPARE_MAX + 3)]
    for reader in lent:
        readers.take_back(reader)
    kept = {id(readers.lend(Heard())) for _ in range(SPARE_MAX)}
    assert kept <= {id(reader) for reader in lent}
    assert id(readers.lend(Heard())) not in kept


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"\x81\x01x", 1002),
        (masked(b"", 3), 1002),
        (masked(b"x" * (FRAME_MAX_BYTES + 1)), 1009),
        (masked(b"fail"), 1011),
    ],
    ids=["unmasked", "unknown opcode", "too big", "our own failure"],
)
async def test_after_a_fault_nothing_more_is_handed_over(bad: bytes, code: int) -> None:
    owner = Heard()
    reader = FrameReaders().lend(owner)
    reader.feed(masked(b"good") + bad + masked(b"late") * 100)
    assert owner.frames == [(1, b"good")]
    assert reader.fault is not None
    assert reader.fault.code == code
