"""A reaction is exactly one emoji."""

import pytest
from emoji import EMOJI_DATA, STATUS
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import EMOJI_MAX_CHARS
from chatterbus_gateway.emoji_rule import one_emoji

WHOLE = [emoji for emoji, data in EMOJI_DATA.items() if data["status"] != STATUS["component"]]


@pytest.mark.parametrize(
    "emoji",
    ["👍", "👍🏽", "👨‍👩‍👧", "👩🏽‍🤝‍👨🏿", "🏳️‍🌈", "🇩🇪", "1️⃣", "#️⃣", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
    ids=[
        "plain",
        "skin tone",
        "family",
        "two skin tones",
        "joined flag",
        "country",
        "keycap",
        "hash",
        "heart",
        "England",
    ],
)
def test_one_emoji_of_any_make_is_accepted_as_it_is(emoji: str) -> None:
    assert one_emoji(emoji) == emoji


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a", "ok", "1", "#", ":thumbs_up:", "<b>", "\ufe0f", "\u200d", "\ud800", "🏽", "🦰", "🇩", "🇽🇽"),
        *("👍👍", " 👍", "👍 ", "👍a", "👍\u200d", "👍\x00", "❤\ufe0e", "\u200d".join("👨👨👨👨👨")),
    ],
)
def test_what_is_not_exactly_one_emoji_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        one_emoji(text)
    assert refused.value.code is ErrorCode.BAD_EMOJI
    assert len(text) < 3 or text not in refused.value.message


@pytest.mark.parametrize(("written", "stored"), [("❤", "❤️"), ("1⃣", "1️⃣"), ("🏳‍🌈", "🏳️‍🌈"), ("☺", "☺️")])
def test_two_ways_of_writing_an_emoji_are_one_reaction(written: str, stored: str) -> None:
    assert one_emoji(written) == one_emoji(stored) == stored


def test_every_emoji_of_unicode_is_accepted_and_within_the_limit() -> None:
    assert all(len(one_emoji(emoji)) <= EMOJI_MAX_CHARS for emoji in WHOLE)


@settings(max_examples=100, deadline=None)
@given(first=st.sampled_from(WHOLE), second=st.sampled_from(WHOLE))
def test_two_emoji_are_never_one(first: str, second: str) -> None:
    if first + second in EMOJI_DATA:  # U+0023 U+20E3 and the like; letters for flags are no emoji by themselves
        return
    with pytest.raises(Refusal):
        one_emoji(first + second)
