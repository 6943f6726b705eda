"""Fragments into messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_gateway.fragments import BINARY, CONTINUATION, TEXT, Fragments, Malformed


@given(st.lists(st.binary(max_size=10), min_size=1, max_size=6))
def test_any_cut_of_a_message_comes_out_whole(parts: list[bytes]) -> None:
    fragments = Fragments(max_bytes=100)
    out = [fragments.add(CONTINUATION if n else TEXT, part, n == len(parts) - 1) for n, part in enumerate(parts)]
    assert out[:-1] == [None] * (len(parts) - 1)
    assert out[-1] == b"".join(parts)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(BINARY, b"x", True)], 1003),
        ([(CONTINUATION, b"x", True)], 1002),
        ([(TEXT, b"x", False), (TEXT, b"x", True)], 1002),
        ([(TEXT, b"x" * 60, False), (CONTINUATION, b"x" * 60, True)], 1009),
        ([(TEXT, b"", False), *[(CONTINUATION, b"", False)] * 100], 1009),
    ],
)
def test_what_does_not_fit_is_refused_with_its_close_code(frames: list[tuple[int, bytes, bool]], code: int) -> None:
    fragments = Fragments(max_bytes=100)
    with pytest.raises(Malformed) as caught:
        _ = [fragments.add(*frame) for frame in frames]
    assert caught.value.code == code
