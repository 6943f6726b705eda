"""Messages in a file survive a kill at any byte, and nothing else does."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_client import FileOutbox, OutboxBusy
from chatterbus_client.outbox_file import COMPACT_AFTER
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.ids import ClientMessageId, ThreadId


def message(name: str, content: str = "hello") -> SendMessage:
    return SendMessage(thread_id=ThreadId("demo"), content=content, client_message_id=ClientMessageId(name))


def names(frames: list[SendMessage]) -> list[str]:
    return [str(frame.client_message_id) for frame in frames]


def reopened(path: Path) -> list[SendMessage]:
    outbox = FileOutbox(path)
    frames = outbox.open()
    outbox.close()
    return frames


def test_what_was_put_and_not_removed_is_there_again_in_order_and_unchanged(tmp_path: Path) -> None:
    outbox = FileOutbox(tmp_path / "deep" / "outbox")
    assert outbox.open() == []
    kept = SendMessage(
        thread_id=ThreadId("demo"),
        content="line\nbreak \u2028 and \U0001f642",
        client_message_id=ClientMessageId("b"),
        metadata={"a": [1, None]},
    )
    for frame in (message("a"), kept, message("c")):
        outbox.put(frame)
    outbox.remove("a")
    outbox.close()
    assert reopened(tmp_path / "deep" / "outbox") == [kept, message("c")]


def test_a_kill_at_any_byte_loses_at_most_the_line_being_written(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    outbox = FileOutbox(path)
    outbox.open()
    states: list[tuple[int, list[str]]] = [(0, [])]
    expected: list[str] = []
    for number in range(6):
        outbox.put(message(f"m{number}", "x" * number))
        expected = [*expected, f"m{number}"]
        states.append((path.stat().st_size, expected))
        if number % 2:
            outbox.remove(f"m{number - 1}")
            expected = [name for name in expected if name != f"m{number - 1}"]
            states.append((path.stat().st_size, expected))
    outbox.close()
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        surviving = [names_ for size, names_ in states if size <= cut][-1]
        assert names(reopened(path)) == surviving


def test_after_a_torn_line_the_next_message_is_not_swallowed(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    outbox = FileOutbox(path)
    outbox.open()
    outbox.put(message("a"))
    outbox.close()
    path.write_bytes(path.read_bytes() + b'{"put":{"thr')
    outbox.open()
    outbox.put(message("b"))
    outbox.close()
    assert names(reopened(path)) == ["a", "b"]


@settings(max_examples=100, deadline=None)
@given(garbage=st.lists(st.binary(max_size=40), max_size=5))
def test_lines_that_cannot_be_read_hide_no_other_line(
    garbage: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "outbox"
    outbox = FileOutbox(path)
    outbox.open()
    outbox.put(message("a"))
    outbox.close()
    first = path.read_bytes()
    lines = b"".join(line.replace(b"\n", b"") + b"\n" for line in garbage)
    path.write_bytes(lines + first + lines)
    assert names(reopened(path)) == ["a"]


def test_the_file_is_compacted_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    outbox = FileOutbox(path)
    outbox.open()
    outbox.put(message("first"))
    for number in range(COMPACT_AFTER):
        outbox.put(message(f"m{number}"))
        outbox.remove(f"m{number}")
    assert path.read_bytes().count(b"\n") < COMPACT_AFTER + 10
    outbox.put(message("last"))
    outbox.close()
    assert names(reopened(path)) == ["first", "last"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    reopened(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_client_is_kept_out_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    outbox = FileOutbox(path)
    outbox.open()
    with pytest.raises(OutboxBusy):
        FileOutbox(path).open()
    with pytest.raises(OutboxBusy):
        outbox.open()
    outbox.close()
    assert reopened(path) == []


def test_a_put_that_does_not_fit_the_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox"
    outbox = FileOutbox(path)
    outbox.open()
    outbox.put(message("a"))
    file = outbox._file
    assert file is not None

    class Full:
        def write(self, line: bytes) -> int:
            return file.write(line[:5])

        def __getattr__(self, name: str) -> object:
            return getattr(file, name)

    outbox._file = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="wrote 5 of"):
        outbox.put(message("b"))
    outbox._file = file
    outbox.put(message("c"))
    outbox.close()
    assert names(reopened(path)) == ["a", "c"]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_killed_process_leaves_every_message_that_put_returned_for(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    script = """
import os, signal, sys
from chatterbus_client import FileOutbox
from chatterbus_contracts.frames.client import SendMessage
outbox = FileOutbox(sys.argv[1])
outbox.open()
for number in range(5):
    outbox.put(SendMessage(thread_id="demo", content="x", client_message_id=f"m{number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, os.fspath(path)], check=False, timeout=60)
    assert names(reopened(path)) == [f"m{number}" for number in range(5)]
