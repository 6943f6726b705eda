import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chatterbus.log_merge import LineSplitter, for_machines, for_people, is_shown, parse

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)


def people(source: str, line: str) -> str:
    return for_people(source, parse(line), AT, colour=False)


def test_json_line_of_a_service_becomes_one_compact_line() -> None:
    line = '{"timestamp": "x", "level": "info", "event": "connection opened", "user": "alice", "n": 3, "why": "a b"}'
    assert people("gateway-1", line) == '03:04:05.678 gateway-1   info    connection opened user=alice n=3 why="a b"'


def test_levels_of_postgres_and_nats_are_understood() -> None:
    postgres = parse("2025-11-23 05:56:16.037 UTC [3704] FATAL:  the database system is starting up")
    assert (postgres.level, postgres.event) == ("error", "the database system is starting up")
    assert parse("2025-11-23 05:56:16.037 UTC [3704] DEBUG2:  x").level == "debug"
    nats = parse("[12] 2025/11/23 05:45:00.000000 [WRN] slow")
    assert (nats.level, nats.event) == ("warning", "slow")


def test_traceback_and_broken_json_are_shown_as_they_are_at_any_level() -> None:
    for line in ("Traceback (most recent call last):", '{"half', "[1, 2]", "{}x"):
        assert parse(line).event == line
        assert is_shown("gateway-1", parse(line), "error")


def test_exception_of_a_json_line_follows_it_indented() -> None:
    shown = people(
        "notifier", json.dumps({"level": "error", "event": "failed", "exception": "Traceback\nValueError: x"})
    )
    assert shown.splitlines()[1:] == ["    Traceback", "    ValueError: x"]


def test_chatter_of_infrastructure_is_shown_at_debug_only() -> None:
    chatter = parse("[12] 2025/11/23 05:45:00.000000 [INF] Server is ready")
    assert not is_shown("nats", chatter, "info")
    assert is_shown("nats", chatter, "debug")
    assert is_shown("gateway-1", parse('{"event": "x"}'), "info")
    assert not is_shown("gateway-1", parse('{"event": "x", "level": "info"}'), "warning")


def test_log_line_cannot_drive_the_terminal() -> None:
    shown = people("gateway-1", json.dumps({"event": "hi\x1b[2J\n", "user\r": "\x07\u202e"}))
    assert not {"\x1b", "\n", "\r", "\x07", "\u202e"} & set(shown)


def test_machine_line_says_who_wrote_it() -> None:
    line = json.loads(for_machines("persister-1", parse('{"event": "applied", "level": "warning", "batch": 3}'), AT))
    assert line == {
        "batch": 3,
        "time": "2026-01-02T03:04:05.678+00:00",
        "source": "persister-1",
        "level": "warning",
        "event": "applied",
    }


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=20)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_bytes_arrive(lines: list[str], size: int) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    splitter = LineSplitter(limit=1_000)
    got = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    assert got + splitter.end() == lines


def test_endless_line_is_cut_once_in_bounded_memory_and_the_next_line_is_whole() -> None:
    splitter = LineSplitter(limit=10)
    got = [line for _ in range(100) for line in splitter.feed(b"x" * 7)]
    got += splitter.feed(b"tail\nnext\n")
    assert got == ["x" * 10 + " … (line cut)", "next"]
