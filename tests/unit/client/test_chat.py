"""The terminal chat, on a terminal made of lists and against the scripted server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC

import pytest
from rich.text import Text

from chatterbus import chat_lines
from chatterbus.chat import Chat
from chatterbus.chat_terminal import Terminal
from chatterbus.errors import CommandError
from chatterbus_client import Client
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SendMessage
from tests.kit.waiting import until
from tests.unit.client.peer import Peer, Session
from tests.unit.client.thread_model import ThreadModel


class Keyboard(Terminal):
    """Lines are typed by the test; what is shown is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.typed: asyncio.Queue[str | None] = asyncio.Queue()
        self.shown: list[str] = []

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self.typed.get()) is not None:
            yield line

    def show(self, *lines: Text) -> None:
        self.shown.extend(line.plain for line in lines)

    def type(self, *lines: str | None) -> None:
        for line in lines:
            self.typed.put_nowait(line)


async def talk(client: Client, keyboard: Keyboard) -> None:
    async with client:
        events = client.events()
        await Chat(client, await client.thread("demo", history=20), keyboard).run(events)


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
            "bob: before",
            "✓ alice: one",
            "✓ alice: two",
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
        with pytest.raises(CommandError, match="2 of your messages were refused"):
            await talk(peer.client(), keyboard)
        marks = [line[0] for line in keyboard.shown[1:]]
        assert sorted(marks) == ["!", "!", "…"]


def test_what_others_write_has_no_power_over_the_terminal() -> None:
    hostile = "a\x1b[2Jb\r\nc\x07\u202ed\u2028e\x9bf\tg"
    assert chat_lines.safe(hostile) == "a[2Jb ⏎ cdef g"
    assert chat_lines.safe("grüße 👩‍👩‍👧 नमस्ते") == "grüße 👩‍👩‍👧 नमस्ते"


def test_a_message_line_names_time_sender_and_what_became_of_it() -> None:
    model = ThreadModel("demo")  # type: ignore[arg-type]
    model.send("bob", "b1", "hello [bold]")
    assert chat_lines.message_line(model.messages[1], zone=UTC).plain == "  12:00 bob: hello [bold]"
    model.edit(1, "better")
    assert chat_lines.message_line(model.messages[1], zone=UTC).plain == "  12:00 bob: better (edited)"
    model.delete(1)
    assert chat_lines.message_line(model.messages[1], zone=UTC, mark="~").plain == "~ 12:00 bob: deleted"
