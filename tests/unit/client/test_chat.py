"""The terminal chat, on a terminal made of lists and against the scripted server."""

import asyncio
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from chatterbus import chat_commands, chat_lines
from chatterbus.chat_actions import HANDLERS
from chatterbus.chat_commands import COMMANDS, BadCommand, Command, Delete, Edit, React, Say, Search, SendFile, parse
from chatterbus.chat_ticks import Tick, tick_of
from chatterbus.errors import CommandError
from chatterbus_client import AttachmentState
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import EditMessage, SendMessage
from chatterbus_contracts.ids import AttachmentId, ThreadId
from tests.kit.waiting import until
from tests.unit.client.keyboard import Keyboard, talk
from tests.unit.client.peer import Peer, Session
from tests.unit.client.thread_model import ThreadModel

FILE = AttachmentId("demo~f" + "0" * 32)


def without_times(lines: list[str]) -> list[str]:
    return [" ".join(word for word in line.split() if ":" not in word[:-1]) for line in lines]


async def test_a_pipe_ends_the_chat_after_all_of_it_is_stored_and_marked() -> None:
    async with Peer() as peer:
        await peer.say("demo", "bob", "before")
        keyboard = Keyboard()
        keyboard.type("one", "", "two", None)
        await talk(peer.client(), keyboard)
        assert without_times(keyboard.shown) == [
            "— alice in demo, alone so far",
            "1 bob: before",
            "✓ 2 alice: one",
            "✓ 3 alice: two",
        ]


async def test_messages_typing_and_connection_changes_are_shown_as_they_come() -> None:
    async with Peer() as peer:
        keyboard = Keyboard()
        chat = asyncio.create_task(talk(peer.client(), keyboard))
        shown: Callable[[str], bool] = lambda text: any(text in line for line in keyboard.shown)  # noqa: E731
        await until(lambda: shown("alice in demo"), 5, "the chat has begun")
        async with peer.client("bob") as bob:
            await bob.thread("demo")
            await bob.typing("demo")
            await until(lambda: shown("bob is typing…"), 5, "typing is shown")
            await bob.send("demo", "hello")
            await until(lambda: shown("bob: hello"), 5, "the message is shown")
        peer.accepting = False
        for session in peer.sessions:
            session.cut()
        await until(lambda: shown("— offline: "), 5, "offline is shown")
        keyboard.type("kept")
        peer.accepting = True
        await until(lambda: shown("✓") and shown("online again"), 5, "sent after the return")
        keyboard.type("/quit")
        await chat
        assert peer.thread("demo").messages[2].content == "kept"
        assert sum("kept" in line for line in keyboard.shown if line.startswith("✓")) == 1
        assert sum("— offline" in line for line in keyboard.shown) == 1


async def test_a_refused_line_is_shown_with_its_reason_and_ends_in_an_error() -> None:
    async with Peer() as peer:

        async def refuse(session: Session, frame: SendMessage) -> bool:
            await session.send(peer.queued(frame))
            await session.send(peer.refusal(ErrorCode.FORBIDDEN, client_message_id=frame.client_message_id))
            return True

        peer.hooks[SendMessage] = refuse
        keyboard = Keyboard()
        keyboard.type("no", "x" * 16_001, None)
        with pytest.raises(CommandError, match="2 of your lines were refused"):
            await talk(peer.client(), keyboard)
        marks = [line[0] for line in keyboard.shown[1:]]
        assert sorted(marks) == ["!", "!", "…"]


def test_what_others_write_has_no_power_over_the_terminal() -> None:
    hostile = "a\x1b[2Jb\r\nc\x07\u202ed\u2028e\x9bf\tg"
    assert chat_lines.safe(hostile) == "a[2Jb ⏎ cdef g"
    assert chat_lines.safe("grüße 👩‍👩‍👧 नमस्ते") == "grüße 👩‍👩‍👧 नमस्ते"


def lines_of(model: ThreadModel, seq: int, **options: Any) -> list[str]:
    return [line.plain for line in chat_lines.message_lines(model.quoted(seq), zone=UTC, **options)]


def test_a_message_shows_number_time_sender_and_what_became_of_it() -> None:
    model = ThreadModel(ThreadId("demo"))
    model.send("bob", "b1", "hello [bold]")
    assert lines_of(model, 1) == ["     1 12:00 bob: hello [bold]"]
    model.edit(1, "better")
    model.react("alice", 1, "👍")
    model.react("bob", 1, "👍")
    model.react("bob", 1, "🎉")
    assert lines_of(model, 1, tick=Tick.SENT) == ["✓    1 12:00 bob: better (edited)", "       👍 2  🎉 1"]
    assert lines_of(model, 1, tick=Tick.READ)[0] == "✓✓   1 12:00 bob: better (edited)"
    model.send("alice", "a1", "because", reply_to=1)
    assert lines_of(model, 2) == ["       ┌ 1 bob: better", "     2 12:00 alice: because"]
    model.delete(1)
    assert lines_of(model, 1, mark="~") == ["~    1 12:00 bob: deleted"]
    assert lines_of(model, 2)[0] == "       ┌ 1 bob: deleted"


def test_a_file_shows_its_name_its_size_and_where_it_is() -> None:
    state = AttachmentState(
        id=FILE, name="a\nb.txt", content_type="text/plain", size_bytes=2_500, width=None, height=None,
        url="/api/x", thumbnail_url=None,
    )  # fmt: skip
    assert chat_lines.file_line(state, "http://host").plain == "       📎 a ⏎ b.txt, 2.4 KiB http://host/api/x"


def test_what_was_found_stands_out_and_markers_of_others_do_no_harm() -> None:
    model = ThreadModel(ThreadId("demo"))
    state, _ = model.send("bob", "b1", "x")
    line = chat_lines.found_line(state, "a \x01needle\x02 in \x01hay\x02\x02\x1b[2J")
    assert line.plain.endswith("bob: a needle in hay[2J")
    assert [line.plain[span.start : span.end] for span in line.spans if span.style == "bold reverse"] == [
        "needle",
        "hay",
    ]


@pytest.mark.parametrize(
    ("cursors", "tick"),
    [
        ({}, Tick.SENT),
        ({"bob": (4, 4)}, Tick.SENT),
        ({"bob": (5, 4)}, Tick.DELIVERED),
        ({"bob": (5, 5), "carol": (5, 4)}, Tick.DELIVERED),
        ({"bob": (5, 5), "carol": (6, 6)}, Tick.READ),
        ({"bob": (5, 5), "carol": (4, 4)}, Tick.SENT),
    ],
)
def test_a_tick_says_what_is_true_of_all_others(cursors: dict[str, tuple[int, int]], tick: Tick) -> None:
    model = ThreadModel(ThreadId("demo"))
    for user in ("alice", *cursors):
        model.join(user)
    members = {
        state.user_id: state.model_copy(
            update=dict(zip(("delivered_seq", "read_seq"), cursors.get(state.user_id, (9, 9)), strict=True))
        )
        for state in model.member_states()
    }
    assert tick_of(5, "alice", members) is tick


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("hello /edit", Say("hello /edit")),
        ("//edit is a word", Say("/edit is a word")),
        ("/reply 3 so it is", Say("so it is", reply_to=3)),
        ("/edit 12 better", Edit(12, "better")),
        ("/edit #12   better  text ", Edit(12, "better  text")),
        ("/delete 7", Delete(7)),
        ("/react 7 👍", React(7, "👍")),
        ("/unreact 7 👍", React(7, "👍", on=False)),
        ("/file ~/my plan.txt", SendFile("~/my plan.txt")),
        ('/search "one phrase" -not', Search('"one phrase" -not')),
        ("/who ", chat_commands.Who()),
        ("/presence dnd", chat_commands.BeSeen("dnd")),
        ("/quit", chat_commands.Quit()),
    ],
)
def test_a_line_is_said_or_is_a_command(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/nonsense 3", "/nonsense is no command; /help lists them. To say it, type //nonsense"),
        ("/", "/ is no command"),
        ("/edit", "say which message, by the number shown beside it: /edit N text"),
        ("/edit better", "/edit N text"),
        ("/edit 0 better", "/edit N text"),
        ("/edit ² better", "/edit N text"),
        ("/edit 3", "say the new text: /edit N text"),
        ("/react 3", "say which emoji: /react N 👍"),
        ("/delete 3 4", "nothing more is needed: /delete N"),
        ("/file", "say which file: /file path"),
        ("/search ", "say what to find: /search words"),
        ("/presence", "say how others shall see you: /presence online|away|dnd|invisible"),
        ("/presence gone", "say how others shall see you"),
        ("/who is there", "nothing more is needed: /who"),
    ],
)
def test_a_bad_command_explains_itself(line: str, says: str) -> None:
    with pytest.raises(BadCommand) as caught:
        parse(line)
    assert says in str(caught.value)


def test_every_command_is_carried_out_by_somebody() -> None:
    assert set(HANDLERS) == set(Command.__args__)
    assert all(row.usage.startswith(name) for name, row in COMMANDS.items() if name != "/exit")


async def test_commands_from_a_pipe_act_on_what_was_said_before_them(tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text("12345")
    async with Peer() as peer:
        await peer.say("demo", "bob", "how?")
        keyboard = Keyboard()
        keyboard.type("helo", "/edit 2 hello", "/react 1 👍", "/reply 1 so")
        keyboard.type(f"/file {tmp_path / 'plan.txt'}", "/delete 2", "/who", None)
        await talk(peer.client(), keyboard)
        messages = peer.thread("demo").messages
        assert (messages[2].edited, messages[2].deleted) == (True, True)
        assert messages[1].reactions[0].emoji == "👍"
        assert (messages[3].content, messages[3].reply_to_id) == ("so", "demo~1")
        assert (messages[4].attachments[0].name, messages[4].message_type) == ("plan.txt", "file")
        shown = "\n".join(without_times(keyboard.shown))
        for line in (
            "✓ 2 alice: helo",
            "~ 1 👍 1",
            "┌ 1 bob: how?\n✓ 3 alice: so",
            "📎 plan.txt, 5 B",
            "~ 2 alice: deleted",
        ):
            assert line in shown
        assert "alice (you), member, has 4, read 4" in shown


async def test_commands_that_fail_say_why_and_a_script_learns_of_it() -> None:
    async with Peer() as peer:

        async def refuse(session: Session, frame: EditMessage) -> bool:
            await session.send(peer.refusal(ErrorCode.MESSAGE_NOT_FOUND, ref=frame.ref))
            return True

        peer.hooks[EditMessage] = refuse
        keyboard = Keyboard()
        keyboard.type("/edit 99 x", "/nonsense", "/file /nowhere/at/all", "/search needle", "/help", None)
        with pytest.raises(CommandError, match="3 of your lines were refused"):
            await talk(peer.client(), keyboard)
        faults = [line for line in keyboard.shown if line.startswith("!")]
        assert [fault.partition(":")[0] for fault in faults] == [
            "! no such message, or none that this user may see",
            "! /nonsense is no command; /help lists them. To say it, type //nonsense",
            "! /nowhere/at/all",
        ]
        assert "— nothing was found for “needle”" in keyboard.shown
        assert any("/react N 👍" in line for line in keyboard.shown)


async def test_on_a_terminal_a_slip_of_the_finger_is_no_failure() -> None:
    async with Peer() as peer:
        keyboard = Keyboard()
        keyboard.interactive = True
        keyboard.type("/nonsense", None)
        await talk(peer.client(), keyboard)


async def test_changes_by_others_and_ticks_are_shown_as_they_come() -> None:
    async with Peer() as peer, peer.client("bob") as bob:
        thread = await bob.thread("demo")
        keyboard = Keyboard()
        chat = asyncio.create_task(talk(peer.client(), keyboard))
        shown: Callable[[str], bool] = lambda text: any(text in line for line in without_times(keyboard.shown))  # noqa: E731
        await until(lambda: shown("alice in demo"), 5, "the chat has begun")
        keyboard.type("hello")
        await until(lambda: shown("✓✓ 1 delivered to bob"), 5, "it has arrived")
        await thread.mark_read()
        await until(lambda: shown("✓✓ 1 read by bob"), 5, "it is read")
        sent = await thread.send("helo", reply_to="demo~1")
        await until(lambda: shown("2 bob: helo"), 5, "the answer is shown")
        assert shown("┌ 1 alice: hello")
        await until(lambda: thread.members["alice"].read_seq == 2, 5, "what is shown is read")
        await thread.edit(sent.seq, "hello")
        await until(lambda: shown("~ 2 bob: hello (edited)"), 5, "the edit is shown")
        await thread.react(1, "🎉")
        await until(lambda: shown("~ 1 🎉 1"), 5, "the reaction is shown")
        await thread.unreact(1, "🎉")
        await until(lambda: shown("~ 1 no reactions"), 5, "it is gone")
        await thread.delete(sent.seq)
        await until(lambda: shown("~ 2 bob: deleted"), 5, "the delete is shown")
        await bob.update_thread("demo", title="Kitchen")
        await until(lambda: shown("this is “Kitchen”"), 5, "the title is shown")
        keyboard.type("/quit")
        await chat
