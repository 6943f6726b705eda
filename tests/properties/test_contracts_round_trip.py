"""P6, P7: everything that travels comes back as it was sent, and ids become subjects without a collision."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_contracts import subjects
from chatterbus_contracts.codec import decode, encode
from chatterbus_contracts.commands import COMMANDS, decode_parcel, encode_command, encode_parcel
from chatterbus_contracts.envelopes import (
    Answer,
    Event,
    Notice,
    answer_line,
    decode_answers,
    decode_events,
    decode_notices,
    event_line,
    notice_line,
    pack_lines,
)
from chatterbus_contracts.frames.client import CLIENT_FRAMES, decode_client_frame
from chatterbus_contracts.frames.server import SERVER_FRAMES, decode_server_frame
from chatterbus_contracts.ids import message_id, split_message_id
from chatterbus_contracts.queries import QUERIES
from chatterbus_contracts.webhooks import HOOK_BODIES, HookEvent, decode_hook, encode_hook
from tests.contract.golden_files import adapter
from tests.kit.strategies import any_of, ids, model

FEW = settings(max_examples=25, deadline=None)
SOME = settings(max_examples=100, deadline=None)

frames = any_of(SERVER_FRAMES).map(encode)


@pytest.mark.parametrize("name", CLIENT_FRAMES)
@FEW
@given(data=st.data())
def test_a_client_frame_comes_back_as_it_was_sent(name: str, data: Any) -> None:
    frame = data.draw(model(CLIENT_FRAMES[name]))
    assert decode_client_frame(encode(frame)) == frame


@pytest.mark.parametrize("name", SERVER_FRAMES)
@FEW
@given(data=st.data())
def test_a_server_frame_comes_back_as_it_was_sent(name: str, data: Any) -> None:
    frame = data.draw(model(SERVER_FRAMES[name]))
    assert decode_server_frame(encode(frame)) == frame


@pytest.mark.parametrize("name", QUERIES)
@FEW
@given(data=st.data())
def test_a_question_and_its_answer_come_back_as_they_were_sent(name: str, data: Any) -> None:
    for side in (QUERIES[name].ask, QUERIES[name].answer):
        value = data.draw(model(side))
        assert decode(adapter(side), encode(value)) == value


@FEW
@given(commands=st.lists(any_of(COMMANDS), max_size=4))
def test_a_parcel_comes_back_as_it_was_sent(commands: list[Any]) -> None:
    assert decode_parcel(encode_parcel([encode_command(command) for command in commands])) == commands


@FEW
@given(frame=any_of(CLIENT_FRAMES))
def test_what_is_encoded_is_camel_case_and_holds_no_raw_line_break(frame: Any) -> None:
    data = encode(frame)
    assert b"\n" not in data
    assert b"\r" not in data
    assert not [key for key in json.loads(data) if "_" in key]


@FEW
@given(
    events=st.lists(
        st.builds(Event, st.sampled_from(sorted(SERVER_FRAMES)), st.integers(0, 2**53 - 1), frames),
        min_size=1,
        max_size=5,
    )
)
def test_events_come_back_from_their_envelope_byte_by_byte(events: list[Event]) -> None:
    assert decode_events(b"\n".join(event_line(event) for event in events)) == events


@FEW
@given(answers=st.lists(st.builds(Answer, ids(), st.booleans(), frames), min_size=1, max_size=5))
def test_answers_come_back_from_their_envelope_byte_by_byte(answers: list[Answer]) -> None:
    assert decode_answers(b"\n".join(answer_line(answer) for answer in answers)) == answers


@FEW
@given(
    notices=st.lists(st.builds(Notice, ids(), st.sampled_from(sorted(SERVER_FRAMES)), frames), min_size=1, max_size=5)
)
def test_notices_come_back_from_their_envelope_byte_by_byte(notices: list[Notice]) -> None:
    assert decode_notices(b"\n".join(notice_line(notice) for notice in notices)) == notices


@FEW
@given(event=st.builds(HookEvent, ids(), st.sampled_from(sorted(HOOK_BODIES)), ids(), st.binary(max_size=200)))
def test_a_webhook_event_comes_back_with_its_very_body(event: HookEvent) -> None:
    assert decode_hook(encode_hook(event)) == event


@SOME
@given(
    lines=st.lists(st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\n", b".")), max_size=30),
    max_bytes=st.integers(1, 100),
)
def test_packing_loses_nothing_keeps_the_order_and_the_bound(lines: list[bytes], max_bytes: int) -> None:
    envelopes = pack_lines(lines, max_bytes)
    assert [line for envelope in envelopes for line in envelope.split(b"\n")] == lines
    assert all(len(envelope) <= max_bytes or b"\n" not in envelope for envelope in envelopes)


SUBJECTS = [
    (subjects.event_subject, subjects.parse_event_subject),
    (subjects.typing_subject, subjects.parse_typing_subject),
    (subjects.gateway_subject, subjects.parse_gateway_subject),
    (subjects.user_subject, subjects.parse_user_subject),
    (subjects.presence_subject, subjects.parse_presence_subject),
]


@pytest.mark.parametrize(("build", "parse"), SUBJECTS)
@SOME
@given(text=ids())
def test_a_subject_gives_its_id_back_and_has_three_tokens(build: Any, parse: Any, text: str) -> None:
    subject = build(text)
    assert parse(subject) == text
    assert len(subject.split(".")) == 3
    assert subject.isascii()
    assert not set(subject) & set("*> \t\r\n\x00")


any_text = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


@SOME
@given(one=any_text, other=any_text)
def test_two_texts_never_share_a_token(one: str, other: str) -> None:
    assert subjects.untoken(subjects.token(one)) == one
    assert (subjects.token(one) == subjects.token(other)) == (one == other)


@SOME
@given(text=any_text)
def test_any_text_becomes_exactly_one_token(text: str) -> None:
    assert subjects.token(text)
    assert not set(subjects.token(text)) & set(".*> \t\r\n\x00")


@SOME
@given(thread=ids(), partitions=st.integers(1, 64))
def test_a_thread_has_one_partition_within_range(thread: str, partitions: int) -> None:
    assert 0 <= subjects.partition_of(thread, partitions) < partitions
    assert subjects.partition_of(thread, partitions) == subjects.partition_of(thread, partitions)


@SOME
@given(thread=ids(), seq=st.integers(1, 10**15 - 1))
def test_a_message_id_gives_its_place_back(thread: Any, seq: int) -> None:
    assert split_message_id(message_id(thread, seq)) == (thread, seq)
