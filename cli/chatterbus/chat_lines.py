"""What the chat prints, as text. Pure.

Promises: one line of the terminal for one thing that happened; what other people wrote can neither move the cursor nor
colour the screen nor forge a line, for control and formatting characters are shown as a space or taken out.
"""

import unicodedata
from datetime import datetime, tzinfo
from typing import Final

from rich.text import Text

from chatterbus_client import MessageState

LINE_BREAK: Final = " ⏎ "
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # of scripts and of emoji families; harmless


def message_line(state: MessageState, *, zone: tzinfo | None = None, mark: str = "") -> Text:
    """A message: mark, local time, who, what."""
    content = Text("deleted", style="dim italic") if state.deleted else Text(safe(state.content))
    line = Text.assemble(
        (f"{mark or ' '} ", "green"),
        (local_time(state.created_at, zone), "dim"),
        " ",
        (safe(state.sender_id), "bold"),
        ": ",
        content,
    )
    return line.append(" (edited)", style="dim") if state.edited and not state.deleted else line


def own_line(mark: str, user: str, content: str, note: str) -> Text:
    """A message of one's own that has no place in the thread yet: … queued, ! failed, or waiting."""
    style = "bold red" if mark == "!" else "yellow"
    return Text.assemble((f"{mark} ", style), (safe(user), "bold"), f": {safe(content)} ", (f"({note})", style))


def sent_line(user: str, created_at: str, content: str, *, zone: tzinfo | None = None) -> Text:
    """A message of one's own that is stored."""
    return Text.assemble(
        ("✓ ", "green"), (local_time(created_at, zone), "dim"), " ", (safe(user), "bold"), f": {safe(content)}"
    )


def state_line(text: str) -> Text:
    """Something about the connection or the thread."""
    return Text(f"— {safe(text)}", style="dim")


def typing_line(user: str) -> Text:
    """Somebody writes."""
    return Text(f"  {safe(user)} is typing…", style="dim italic")


def safe(text: str) -> str:
    """The text on one line and without power over the terminal."""
    text = text.replace("\r\n", "\n").replace("\n", LINE_BREAK).replace("\t", " ")
    return "".join(
        character for character in text if character in _JOINERS or unicodedata.category(character) not in _UNSAFE
    )


def local_time(created_at: str, zone: tzinfo | None = None) -> str:
    """Hours and minutes here of a time of the server; what it sent if that is no time."""
    try:
        return datetime.fromisoformat(created_at).astimezone(zone).strftime("%H:%M")
    except ValueError:
        return safe(created_at)
