"""Whether an offset still speaks of the stream that is there."""

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_persister.epochs import Position, StreamFacts, start_of

STORED = Position(epoch=3, stream_created="then", applied=100, announced=90)


def test_a_stream_that_goes_on_is_read_from_what_was_announced() -> None:
    start = start_of(STORED, StreamFacts("then", 1, 200))
    assert (start.position, start.read_from, start.reason, start.lost) == (STORED, 91, None, 0)


def test_a_purged_stream_has_lost_nothing() -> None:
    assert start_of(STORED, StreamFacts("then", 101, 100)).lost == 0


def test_commands_gone_before_they_were_applied_are_counted() -> None:
    assert start_of(STORED, StreamFacts("then", 121, 130)).lost == 20


def test_a_stream_created_anew_begins_an_epoch_at_its_first_message() -> None:
    start = start_of(STORED, StreamFacts("now", 1, 5))
    assert start.position == Position(4, "now", 0, 0)
    assert (start.read_from, start.reason) == (1, "the stream was created anew")


def test_a_stream_older_than_the_offset_begins_an_epoch() -> None:
    start = start_of(STORED, StreamFacts("then", 41, 99))
    assert start.position == Position(4, "then", 40, 40)
    assert (start.read_from, start.reason) == (41, "the stream is older than the offset")


def test_the_first_epoch_of_all_is_no_alarm() -> None:
    start = start_of(Position(0, None, 0, 0), StreamFacts("now", 0, 0))
    assert start.position == Position(1, "now", 0, 0)
    assert (start.read_from, start.reason, start.lost) == (1, None, 0)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 60), st.integers(0, 60), st.booleans())
def test_nothing_that_the_stream_still_holds_and_nobody_applied_is_skipped(
    applied: int, behind: int, first: int, held: int, same: bool
) -> None:
    stored = Position(1, "then", applied, max(applied - behind, 0))
    stream = StreamFacts("then" if same else "now", first, first + held - 1)
    start = start_of(stored, stream)
    assert start.read_from <= start.position.applied + 1
    assert start.position.applied <= max(stream.last_seq, applied if same else 0)
    if start.position.epoch == 1:
        assert start.position == stored
    else:
        assert start.read_from <= first
