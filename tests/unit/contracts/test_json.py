"""Plain values as JSON, and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json, skim_json
from chatterbus_contracts.limits import METADATA_MAX_DEPTH

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_both_encoders_write_the_same(value: Any) -> None:
    """So that the same row gives the same bytes, whoever encoded it."""
    try:
        expected = to_json(value)
    except ValueError:  # a lone surrogate
        with pytest.raises((ValueError, TypeError)):
            encode_json(value)
    else:
        assert encode_json(value) == expected


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**40])
def test_an_integer_of_any_size_comes_back(number: int) -> None:
    assert parse_json(encode_json({"metadata": {"n": number}})) == {"metadata": {"n": number}}


def test_metadata_as_deep_as_allowed_can_be_encoded() -> None:
    value: Any = "x"
    for _ in range(METADATA_MAX_DEPTH + 8):
        value = {"a": [value]}
    assert parse_json(encode_json(value)) == value


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":NaN}', b"\xff"])
def test_what_is_no_json_is_a_decode_error(data: bytes) -> None:
    for read in (parse_json, skim_json):
        with pytest.raises(DecodeError):
            read(data)


def test_a_skim_is_right_in_all_but_the_largest_integers() -> None:
    assert skim_json(b'{"seq":7,"data":{"mentions":["ann"]},"n":%d}' % 10**30)["seq"] == 7
