"""The limits agree with each other and with the models that hold them."""

import pytest

from chatterbus_contracts import ids, limits
from chatterbus_contracts.commands import PARCEL_MAX_BYTES
from chatterbus_contracts.envelopes import ENVELOPE_MAX_BYTES
from chatterbus_contracts.frames.client import TOKEN_MAX_CHARS, SendMessage
from chatterbus_contracts.limits import LIMITS
from chatterbus_contracts.queries import QUERIES

NATS_MAX_PAYLOAD = 1_048_576
JSON_PARSERS_DEPTH = 200


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_has_a_value_a_unit_and_a_reason(name: str) -> None:
    limit = LIMITS[name]
    assert limit.value > 0
    assert limit.unit
    assert limit.why


def test_every_constant_is_a_row_of_the_table() -> None:
    constants = {value for name, value in vars(limits).items() if name.isupper() and name != "LIMITS"}
    assert constants <= {limit.value for limit in LIMITS.values()}


def test_the_id_limit_is_the_one_the_pattern_has() -> None:
    assert LIMITS["id"].value == ids.ID_MAX_CHARS


def test_all_that_is_packed_fits_into_a_nats_message() -> None:
    for packed in (LIMITS["frame"].value, LIMITS["page_bytes"].value, PARCEL_MAX_BYTES, ENVELOPE_MAX_BYTES):
        assert packed * 2 <= NATS_MAX_PAYLOAD


def test_a_token_fits_into_a_frame() -> None:
    assert LIMITS["frame"].value > TOKEN_MAX_CHARS


def test_the_longest_content_fits_into_a_frame_in_any_script() -> None:
    assert LIMITS["content"].value * 4 < LIMITS["frame"].value


def test_the_deepest_metadata_leaves_room_for_what_it_is_wrapped_in() -> None:
    assert LIMITS["metadata_depth"].value * 2 < JSON_PARSERS_DEPTH


@pytest.mark.parametrize(("field", "limit"), [("attachmentIds", "attachments"), ("mentions", "mentions")])
def test_a_message_holds_as_many_as_its_limit_says(field: str, limit: str) -> None:
    assert SendMessage.model_json_schema()["properties"][field]["maxItems"] == LIMITS[limit].value


@pytest.mark.parametrize(
    ("query", "limit"),
    [("history", "history_page"), ("changes", "changes_page"), ("sync", "changes_page"), ("threads", "threads_page")],
)
def test_a_page_is_never_asked_for_beyond_its_limit(query: str, limit: str) -> None:
    asked = QUERIES[query].ask.model_json_schema()["properties"]["limit"]
    assert asked["maximum"] == LIMITS[limit].value
    assert asked["minimum"] == 1
