from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.envelopes import Event, event_line
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_gateway.rest.parameters import CURSOR_MAX_CHARS
from chatterbus_persister.reads.search_cursor import (
    Hit,
    RankPlace,
    newest_cursor,
    parse_newest_cursor,
    parse_rank_cursor,
    rank_cursor,
)
from chatterbus_persister.reads.search_query import with_beginning
from chatterbus_persister.search.event_feed import announced_at_s
from chatterbus_persister.search.places import places_in
from chatterbus_persister.search.progress import Progress

times = st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))
hits = st.builds(
    Hit, times, st.from_regex(r"[A-Za-z0-9_\-:@+=|]{1,128}", fullmatch=True).map(ThreadId), st.integers(1, 2**53 - 1)
)
ranks = st.floats(0, 1e9, width=32)


@given(hits)
def test_a_place_by_time_comes_back_from_its_cursor(hit: Hit) -> None:
    cursor = newest_cursor(hit)
    assert parse_newest_cursor(cursor) == hit
    assert len(cursor) <= CURSOR_MAX_CHARS


@given(st.builds(RankPlace, times, ranks, hits))
def test_a_place_by_rank_comes_back_from_its_cursor(place: RankPlace) -> None:
    cursor = rank_cursor(place)
    assert parse_rank_cursor(cursor) == place
    assert len(cursor) <= CURSOR_MAX_CHARS


@given(hits, ranks)
def test_a_cursor_of_one_order_is_refused_by_the_other(hit: Hit, rank: float) -> None:
    with pytest.raises(Refusal):
        parse_rank_cursor(newest_cursor(hit))
    with pytest.raises(Refusal):
        parse_newest_cursor(rank_cursor(RankPlace(hit.created_at, rank, hit)))


@given(st.text(max_size=200))
def test_any_other_text_is_refused_as_a_bad_request(text: str) -> None:
    for parse in (parse_newest_cursor, parse_rank_cursor):
        try:
            parse(text)
        except Refusal as refusal:
            assert refusal.code is ErrorCode.BAD_REQUEST  # noqa: PT017


@pytest.mark.parametrize(
    ("query", "exact", "beginning", "result"),
    [
        ("'oak' & 'tab'", "'tab'", "'tab':*", "'oak' & 'tab':*"),
        ("'oak' <-> 'tab'", "'tab'", "'tab':*", "'oak' <-> 'tab':*"),
        ("'oak' | 'tab'", "'tab'", "'tab':*", "'oak' | 'tab':*"),
        ("'oak' & !'tab'", "'tab'", "'tab':*", "'oak' & !'tab'"),
        ("!( 'oak' <-> 'tab' )", "'tab'", "'tab':*", "!( 'oak' <-> 'tab' )"),
        ("'cat'", "", "", "'cat'"),
        ("'cat'", "'i'", "'i':*", "'cat'"),
        ("", "", "", ""),
        ("'e-mai' <-> 'e'", "'e-mai' <-> 'e'", "'e-mai':* <-> 'e':*", "'e-mai':* <-> 'e':*"),
    ],
)
def test_only_the_word_that_was_being_typed_is_a_beginning(query: str, exact: str, beginning: str, result: str) -> None:
    assert with_beginning(query, exact, beginning) == result


def test_an_envelope_s_places_are_those_of_its_messages() -> None:
    def line(kind: str, seq: int) -> bytes:
        return event_line(Event(kind, seq, b'{"type":"%s","data":{"threadId":"t","seq":%d}}' % (kind.encode(), seq)))

    envelope = b"\n".join(
        [line("message", 1), line("message_updated", 2), line("read_receipt", 3), line("message_deleted", 4)]
    )
    assert places_in(envelope) == [("t", 1), ("t", 2), ("t", 4)]


@pytest.mark.parametrize("data", [b"", b"x", b"message 1 ", b"message 1 []", b"message 1 {}", b'message 1 {"data":7}'])
def test_what_is_no_envelope_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        places_in(data)


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.EVENTS.search.1.37.4.1795417690912133098.18",
        "$JS.ACK.domain.hash.EVENTS.search.1.37.4.1795417690912133098.18.random",
    ],
)
def test_the_time_of_an_event_is_read_from_its_reply_subject(reply: str) -> None:
    assert announced_at_s(reply) == pytest.approx(1795417690.912133)


def test_progress_is_said_every_few_seconds_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = Progress("rebuilding", "asked for", lambda: now[0])
    progress.begun(100)
    for second in range(12):
        now[0] = second
        progress.add(10)
    progress.finished()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    assert "messages=120" in said[-1]
