"""Ids that are accepted, and message ids as places."""

import pytest

from chatterbus_contracts.ids import message_id, parse_thread_id, split_message_id

ACCEPTED = [
    "a",
    "4711",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "6f1b7a52-6c0c-4a3f-9a26-7a3d9f0b8f11",
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "bob+test@example",
    "urn:user:7",
    "=41",
    "a" * 128,
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_ids_products_use_are_accepted(text: str) -> None:
    assert parse_thread_id(text) == text


@pytest.mark.parametrize("thread", ACCEPTED)
@pytest.mark.parametrize("seq", [1, 7, 10**15 - 1])
def test_a_message_id_is_its_place(thread: str, seq: int) -> None:
    assert split_message_id(message_id(parse_thread_id(thread), seq)) == (thread, seq)


def test_no_thread_id_can_be_mistaken_for_a_message_id() -> None:
    for thread in ACCEPTED:
        with pytest.raises(ValueError):
            parse_thread_id(message_id(parse_thread_id(thread), 1))
