"""Subjects as they are on the wire, and the partition of a thread: both are fixed for the life of a queue."""

import pytest

from chatterbus_contracts import subjects
from chatterbus_contracts.topology import command_streams, events_stream

# thread id -> CRC-32 modulo 4 and modulo 7. A change here means that queues in use are read wrongly.
PARTITIONS = {
    "a": (3, 4),
    "4711": (3, 4),
    "order-4711": (3, 0),
    "general": (2, 4),
    "01ARZ3NDEKTSV4RRFFQ69G5FAV": (1, 5),
    "6f1b7a52-6c0c-4a3f-9a26-7a3d9f0b8f11": (0, 5),
    "auth0|5f7c8ec7c33c6c004bbafe82": (3, 0),
    "bob+test@example:7": (1, 5),
    "=" + "x" * 127: (3, 4),
}


def test_the_subjects_are_what_an_operator_grants_rights_on() -> None:
    assert subjects.command_subject(3, "gw-1") == "chat.cmd.3.gw-1"
    assert subjects.command_subjects(3) == "chat.cmd.3.*"
    assert subjects.command_stream(3) == "CMD_3"
    assert subjects.event_subject("order-4711") == "chat.evt.order-4711"
    assert subjects.typing_subject("order-4711") == "chat.typ.order-4711"
    assert subjects.gateway_subject("gw-1") == "chat.gw.gw-1"
    assert subjects.user_subject("auth0|7") == "chat.user.auth0=7C7"
    assert subjects.store_subject("sync") == "chat.store.sync"


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("a", "a"),
        ("a=41", "a=3D41"),
        ("a:b", "a=3Ab"),
        ("b@c", "b=40c"),
        ("+", "=2B"),
        ("a.b", "a=2Eb"),
        ("ü", "=C3=BC"),
    ],
)
def test_the_wire_form_of_a_token_is_fixed(text: str, token: str) -> None:
    assert subjects.token(text) == token
    assert subjects.untoken(token) == text


def test_an_empty_text_is_no_token() -> None:
    with pytest.raises(ValueError):
        subjects.token("")


@pytest.mark.parametrize(
    "subject", ["chat.evt.", "chat.evt.=41", "chat.evt.=4", "chat.evt.=ZZ", "chat.evt.=ff", "chat.evt"]
)
def test_a_parser_refuses_what_its_builder_never_builds(subject: str) -> None:
    with pytest.raises(ValueError):
        subjects.parse_event_subject(subject)


def test_a_parser_refuses_the_subjects_of_another_kind() -> None:
    with pytest.raises(ValueError):
        subjects.parse_event_subject(subjects.typing_subject("t"))


@pytest.mark.parametrize("thread", PARTITIONS)
def test_the_partition_of_a_thread_never_changes(thread: str) -> None:
    assert (subjects.partition_of(thread, 4), subjects.partition_of(thread, 7)) == PARTITIONS[thread]


def test_one_partition_takes_all_threads() -> None:
    assert {subjects.partition_of(f"t{number}", 1) for number in range(50)} == {0}


@pytest.mark.parametrize("partitions", [2, 3, 4, 7, 16, 64])
@pytest.mark.parametrize("shape", ["{}", "order-{}", "{:08x}-0000-4000-8000-000000000000", "thread:{:012d}"])
def test_threads_spread_evenly_over_the_partitions(shape: str, partitions: int) -> None:
    threads = 200 * partitions
    counts = [0] * partitions
    for number in range(threads):
        counts[subjects.partition_of(shape.format(number), partitions)] += 1
    assert min(counts) > 120
    assert max(counts) < 280


def test_each_partition_has_a_stream_of_its_own_that_refuses_when_full() -> None:
    streams = command_streams(4)
    assert [stream.name for stream in streams] == ["CMD_0", "CMD_1", "CMD_2", "CMD_3"]
    assert {stream.discard for stream in streams} == {"new"}
    assert {stream.max_age_s for stream in streams} == {0}
    assert len({stream.subjects for stream in streams}) == 4


def test_announced_events_are_kept_for_a_day_and_then_forgotten() -> None:
    assert events_stream().max_age_s == 86_400
    assert events_stream().discard == "old"
