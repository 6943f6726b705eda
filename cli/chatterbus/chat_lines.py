"""What the chat prints, as text. Pure.

Promises: one line of the terminal for one thing that happened, a message's quote above it and its files and reactions
below; what other people wrote can neither move the cursor nor colour the screen nor forge a line, for control and
formatting characters are shown as a space or taken out.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from rich.text import Text

from chatterbus.chat_ticks import Tick
from chatterbus_client import AttachmentState, MemberState, MessageState, Presence, Quote, ReactionState

LINE_BREAK: Final = " ⏎ "
QUOTE_SHOWN_CHARS: Final = 60
NUMBER_WIDTH: Final = 3
INDENT: Final = " " * (NUMBER_WIDTH + 4)  # below the time
KIB: Final = 1024
TICK_MARKS: Final[dict[Tick, tuple[str, str]]] = {
    Tick.SENT: ("✓", "green"),
    Tick.DELIVERED: ("✓✓", "green"),
    Tick.READ: ("✓✓", "bold bright_blue"),
}
STATUS_MARKS: Final = {
    "online": ("●", "green"),
    "away": ("○", "yellow"),
    "dnd": ("⊘", "red"),
    "offline": ("·", "dim"),
    "invisible": ("◌", "dim"),
}
STATUS_WORDS: Final = {"dnd": "busy"}
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # of scripts and of emoji families; harmless
_FOUND: Final = ("\x01", "\x02")  # around what was searched for


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says, whether it has its place in the thread already or not."""

    content: str
    quote: Quote | None = None
    files: Sequence[AttachmentState] = ()


def message_lines(
    state: MessageState, *, url: str = "", tick: Tick | None = None, mark: str = "", zone: tzinfo | None = None
) -> list[Text]:
    """A message as it is now. `mark`: ~ when it was shown before; `tick`: of one's own."""
    shown = TICK_MARKS[tick] if tick is not None and not mark else (mark, "green")
    head = _head(shown, str(state.seq), state.created_at, state.sender_id, zone)
    if state.deleted:
        return [head.append("deleted", style="dim italic")]
    said = Said(state.content, state.reply_to, state.attachments)
    lines = said_lines(head, said, url, note=" (edited)" if state.edited else "")
    if state.reactions:
        lines.append(Text.assemble(INDENT, reactions_text(state.reactions)))
    return lines


def sent_lines(user: str, seq: int, created_at: str, said: Said, *, url: str, tick: Tick) -> list[Text]:
    """A message of one's own that was just stored."""
    return said_lines(_head(TICK_MARKS[tick], str(seq), created_at, user, None), said, url)


def said_lines(head: Text, said: Said, url: str, *, note: str = "") -> list[Text]:
    """Quote, text and files."""
    lines = [quote_line(said.quote)] if said.quote is not None else []
    lines.append(head.append(safe(said.content)).append(note, style="dim"))
    return lines + [file_line(file, url) for file in said.files]


def quote_line(quote: Quote) -> Text:
    """What a reply answers, above it."""
    content = "deleted" if quote.deleted else shortened(safe(quote.content), QUOTE_SHOWN_CHARS)
    number = quote.id.rpartition("~")[2]
    return Text(f"{INDENT}┌ {number} {safe(quote.sender_id)}: {content}", style="dim italic")


def file_line(file: AttachmentState, url: str) -> Text:
    """A file of a message: name, size and where members download it."""
    return Text.assemble(INDENT, f"📎 {safe(file.name)}, {size_text(file.size_bytes)} ", (f"{url}{file.url}", "dim"))


def reactions_text(reactions: Iterable[ReactionState]) -> Text:
    """The emoji under a message with how many put each of them."""
    return Text("  ".join(f"{safe(state.emoji)} {state.count}" for state in reactions), style="yellow")


def reactions_line(state: MessageState) -> Text:
    """The reactions to a message that was shown before."""
    shown = reactions_text(state.reactions) if state.reactions else Text("no reactions", style="dim")
    return Text.assemble(("~  ", "green"), f"{state.seq:>{NUMBER_WIDTH}} ", shown)


def tick_line(seq: int, tick: Tick, others: Sequence[str]) -> Text:
    """One's own messages up to `seq` have come further."""
    mark, style = TICK_MARKS[tick]
    verb = "read by" if tick is Tick.READ else "delivered to"
    names = safe(others[0]) if len(others) == 1 else "all"
    return Text.assemble((f"{mark} ", style), (f"{seq:>{NUMBER_WIDTH}} {verb} {names}", "dim"))


def presence_text(presence: Presence, zone: tzinfo | None = None) -> str:
    """How somebody is seen, in words."""
    words = STATUS_WORDS.get(presence.status, presence.status)
    return f"{words}, last seen {local_time(presence.last_seen_at, zone)}" if presence.last_seen_at else words


def presence_line(user: str, presence: Presence, zone: tzinfo | None = None) -> Text:
    """Somebody came, went, or is seen differently."""
    mark, style = STATUS_MARKS[presence.status]
    return Text.assemble((f"{mark} ", style), (f"{safe(user)} is {presence_text(presence, zone)}", "dim"))


def member_line(member: MemberState, me: str, presence: Presence | None = None) -> Text:
    """A member, for /who."""
    you = " (you)" if member.user_id == me else ""
    cursors = f"has {member.delivered_seq}, read {member.read_seq}"
    mark, style = STATUS_MARKS[presence.status] if presence is not None else (" ", "")
    seen = f", {presence_text(presence)}" if presence is not None else ""
    return Text.assemble((f" {mark} ", style), (safe(member.user_id), "bold"), f"{you}, {member.role}, {cursors}{seen}")


def found_line(state: MessageState, snippet: str) -> Text:
    """A message that was searched for, with what was found in it."""
    line = _head(("", ""), str(state.seq), state.created_at, state.sender_id, None)
    begin, end = _FOUND
    for index, part in enumerate(snippet.split(begin)):
        found, _, rest = part.partition(end) if index else ("", "", part)
        line.append(safe(found), style="bold reverse").append(safe(rest))
    return line


def help_lines(rows: Iterable[tuple[str, str]]) -> list[Text]:
    """What can be typed, and what it does."""
    return [Text.assemble("   ", (f"{usage:<16}", "bold"), does) for usage, does in rows]


def own_line(mark: str, user: str, content: str, note: str) -> Text:
    """A message of one's own that has no place in the thread yet: … queued, ! failed, or waiting."""
    style = "bold red" if mark == "!" else "yellow"
    return Text.assemble((f"{mark} ", style), (safe(user), "bold"), f": {safe(content)} ", (f"({note})", style))


def fault_line(text: str) -> Text:
    """Why something was not done."""
    return Text(f"! {safe(text)}", style="bold red")


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


def shortened(text: str, maximum: int) -> str:
    """The beginning of the text."""
    return text if len(text) <= maximum else f"{text[: maximum - 1]}…"


def size_text(size_bytes: int) -> str:
    """How large a file is, for people."""
    if size_bytes < KIB:
        return f"{size_bytes} B"
    return f"{size_bytes / KIB:.1f} KiB" if size_bytes < KIB * KIB else f"{size_bytes / KIB / KIB:.1f} MiB"


def local_time(created_at: str, zone: tzinfo | None = None) -> str:
    """Hours and minutes here of a time of the server; what it sent if that is no time."""
    try:
        return datetime.fromisoformat(created_at).astimezone(zone).strftime("%H:%M")
    except ValueError:
        return safe(created_at)


def _head(mark: tuple[str, str], number: str, at: str, sender: str, zone: tzinfo | None) -> Text:
    return Text.assemble(
        (f"{mark[0]:<2} ", mark[1]),
        f"{number:>{NUMBER_WIDTH}} ",
        (local_time(at, zone), "dim"),
        " ",
        (safe(sender), "bold"),
        ": ",
    )
