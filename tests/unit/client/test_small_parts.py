"""Event streams, cursors, addresses, drafts and identities."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_client.addresses import Addresses
from chatterbus_client.cursors import Cursors
from chatterbus_client.draft import checked_message
from chatterbus_client.errors import NoToken, Refused
from chatterbus_client.event_stream import EventStreams
from chatterbus_client.events import CaughtUp, Lagged
from chatterbus_client.identity import Identity
from chatterbus_client.inbox import HANDLERS
from chatterbus_client.pace import Pace
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.server import SERVER_FRAMES


def event(rev: int) -> CaughtUp:
    return CaughtUp("demo", rev)


def test_every_frame_of_the_server_has_a_handler() -> None:
    assert set(HANDLERS) == set(SERVER_FRAMES.values())


async def test_a_slow_reader_loses_the_oldest_events_and_is_told_how_many() -> None:
    streams = EventStreams(maximum=3)
    stream = streams.open()
    streams.put_all([event(rev) for rev in range(5)])
    assert [await anext(stream) for _ in range(4)] == [Lagged(2), event(2), event(3), event(4)]


async def test_a_stream_ends_after_what_it_held_was_read() -> None:
    streams = EventStreams(maximum=3)
    stream = streams.open()
    streams.put(event(1))
    streams.end()
    assert [got async for got in stream] == [event(1)]
    assert [got async for got in streams.open()] == []


async def test_a_stream_that_nobody_holds_is_forgotten() -> None:
    streams = EventStreams(maximum=3)
    streams.open()
    gc.collect()
    assert len(streams._streams) == 0


async def test_a_stream_shows_only_what_is_wanted() -> None:
    streams = EventStreams(maximum=3)
    stream = streams.open(lambda got: isinstance(got, CaughtUp) and got.rev == 2)
    streams.put_all([event(1), event(2)])
    streams.end()
    assert [got async for got in stream] == [event(2)]


def told(cursors: Cursors) -> list[tuple[str, str, int | None]]:
    return [(frame.type, frame.thread_id, frame.seq) for frame in cursors.untold()]


def test_marks_move_only_forward() -> None:
    cursors = Cursors()
    assert cursors.read("demo", 5)
    assert not cursors.read("demo", 3)
    assert not cursors.delivered("demo", 5)
    assert told(cursors) == [("read_receipt", "demo", 5)]


def test_a_mark_is_told_until_the_server_confirms_it() -> None:
    cursors = Cursors()
    cursors.read("demo", 5)
    cursors.delivered("demo", 7)
    assert told(cursors) == [("read_receipt", "demo", 5), ("delivered_receipt", "demo", 7)]
    assert told(cursors) == []
    cursors.confirmed("demo", read_seq=5, delivered_seq=5)
    cursors.tell_again()
    assert len(told(cursors)) == 2
    cursors.tell_again()
    cursors.confirmed("demo", read_seq=5, delivered_seq=7)
    assert told(cursors) == []


def test_marks_are_bounded_and_the_oldest_go_first() -> None:
    cursors = Cursors(maximum=2)
    for thread in ("a", "b", "a", "c"):
        cursors.read(thread, 1)
    assert sorted(thread for _, thread, _ in told(cursors)) == ["a", "c"]


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 30)), max_size=40))
def test_whatever_is_wanted_no_more_goes_out_than_the_server_allows(steps: list[tuple[float, int]]) -> None:
    pace, now, sent = Pace.of_limits({"frames_per_second": 10, "frames_burst": 20}, 0.0), 0.0, 0
    for wait, wanted in steps:
        now += wait
        for _ in range(min(wanted, pace.allowance(now))):
            pace.spend(now)
            sent += 1
        assert sent <= 20 + 10 * now


def test_who_waits_as_told_may_speak() -> None:
    pace = Pace.of_limits({"frames_per_second": 10, "frames_burst": 20}, 0.0)
    pace.exhaust(0.0)
    assert pace.allowance(0.0) == 0
    assert pace.allowance(pace.wait_s(0.0) + 1e-9) == 1


def test_without_limits_there_is_no_waiting() -> None:
    pace = Pace.of_limits({}, 0.0)
    for _ in range(1_000):
        pace.spend(0.0)
    pace.exhaust(0.0)
    assert pace.wait_s(1.0) == 0
    assert pace.allowance(1.0) > 1_000


@pytest.mark.parametrize(
    ("url", "http", "socket"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
        ("https://chat.example.com/", "https://chat.example.com", "wss://chat.example.com/ws"),
        ("wss://example.com/chat/ws", "https://example.com/chat", "wss://example.com/chat/ws"),
        ("localhost:8080", "http://localhost:8080", "ws://localhost:8080/ws"),
    ],
)
def test_one_url_gives_both_addresses(url: str, http: str, socket: str) -> None:
    addresses = Addresses.of(url)
    assert (addresses.http, addresses.socket) == (http, socket)


@pytest.mark.parametrize(("url", "loopback"), [("http://[::1]:1", True), ("http://10.0.0.1", False)])
def test_this_machine_is_reached_without_a_proxy(url: str, loopback: bool) -> None:
    assert Addresses.of(url).loopback is loopback


def test_a_url_of_another_kind_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:8080"):
        Addresses.of("ftp://example.com")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content": ""}, ErrorCode.CONTENT_EMPTY),
        ({"content": " \n "}, ErrorCode.CONTENT_EMPTY),
        ({"content": "x" * 16_001}, ErrorCode.CONTENT_TOO_LONG),
        ({"content": "a\x00b"}, ErrorCode.BAD_FRAME),
        ({"thread_id": "a b"}, ErrorCode.BAD_FRAME),
        ({"client_message_id": "*"}, ErrorCode.BAD_FRAME),
        ({"content": "\U0001f642" * 16_000, "metadata": {"a": "x" * 8_000}}, ErrorCode.FRAME_TOO_LARGE),
    ],
)
def test_what_no_server_takes_is_refused_before_the_outbox(changes: dict[str, object], code: ErrorCode) -> None:
    values = {"thread_id": "demo", "content": "hello", "client_message_id": "m1", **changes}
    with pytest.raises(Refused) as caught:
        checked_message(values)
    assert (caught.value.code, caught.value.retryable, caught.value.fate) == (code, False, "rejected")


async def test_a_callback_that_fails_is_no_token_and_its_text_is_not_repeated() -> None:
    async def callback() -> str:
        raise RuntimeError("secret")

    identity = Identity(callback, None, None, None, timeout_s=1)
    with pytest.raises(NoToken) as caught:
        await identity.token()
    assert "secret" not in str(caught.value)


def test_somebody_has_to_be_somebody() -> None:
    with pytest.raises(ValueError, match="token"):
        Identity(None, None, None, None, timeout_s=1)
