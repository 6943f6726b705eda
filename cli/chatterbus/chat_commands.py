"""What a line typed into the chat asks for. Pure.

Promises: every line is either something to say or one command, or it raises BadCommand with what to type instead. A
line that begins with `//` is said with one stroke less. `N` is the number shown beside a message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args


class BadCommand(Exception):
    """The line is no command that can be carried out; the text says what would be one."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message, perhaps as an answer to another."""

    content: str
    reply_to: int | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Say it differently."""

    seq: int
    content: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Take it back."""

    seq: int


@dataclass(frozen=True, slots=True)
class React:
    """Put an emoji under it, or take it away."""

    seq: int
    emoji: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class SendFile:
    """Send a file."""

    path: str


@dataclass(frozen=True, slots=True)
class Search:
    """Find messages of this thread."""

    words: str


@dataclass(frozen=True, slots=True)
class Who:
    """Who is in the thread, and how far they have read."""


@dataclass(frozen=True, slots=True)
class BeSeen:
    """How others see one."""

    status: Literal["online", "away", "dnd", "invisible"]


@dataclass(frozen=True, slots=True)
class Help:
    """What can be typed."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End the chat."""


Command = Say | Edit | Delete | React | SendFile | Search | Who | BeSeen | Help | Quit


@dataclass(frozen=True, slots=True)
class Row:
    """One command: how it is typed, what it does, and how its words become it."""

    usage: str
    does: str
    read: Callable[[str], Command]


def parse(line: str) -> Command:
    """The command in a line, or BadCommand."""
    if not line.startswith("/"):
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    name, _, words = line.rstrip().partition(" ")
    row = COMMANDS.get(name)
    if row is None:
        raise BadCommand(f"{name} is no command; /help lists them. To say it, type /{name}")
    try:
        return row.read(words.strip())
    except ValueError as error:
        raise BadCommand(f"{error}: {row.usage}") from None


def _numbered(words: str, what: str) -> tuple[int, str]:
    number, _, rest = words.partition(" ")
    digits = number.removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or int(digits) == 0:
        raise ValueError("say which message, by the number shown beside it")
    if what and not rest.strip():
        raise ValueError(f"say {what}")
    return int(digits), rest.strip()


def _one(words: str, what: str) -> str:
    if not words:
        raise ValueError(f"say {what}")
    return words


def _nothing(words: str, command: Command) -> Command:
    if words:
        raise ValueError("nothing more is needed")
    return command


def _reply(words: str) -> Command:
    seq, content = _numbered(words, "what to answer")
    return Say(content, reply_to=seq)


def _delete(words: str) -> Command:
    seq, rest = _numbered(words, "")
    _nothing(rest, Delete(seq))
    return Delete(seq)


def _be_seen(words: str) -> Command:
    for status in get_args(BeSeen.__annotations__["status"]):
        if words == status:
            return BeSeen(status)
    raise ValueError("say how others shall see you")


COMMANDS: Final[dict[str, Row]] = {
    "/reply": Row("/reply N text", "answer message N", _reply),
    "/edit": Row("/edit N text", "say message N differently", lambda words: Edit(*_numbered(words, "the new text"))),
    "/delete": Row("/delete N", "take message N away", _delete),
    "/react": Row("/react N 👍", "put an emoji under message N", lambda words: React(*_numbered(words, "which emoji"))),
    "/unreact": Row(
        "/unreact N 👍", "take it away again", lambda words: React(*_numbered(words, "which emoji"), on=False)
    ),
    "/file": Row("/file path", "send a file", lambda words: SendFile(_one(words, "which file"))),
    "/search": Row("/search words", "find messages of this thread", lambda words: Search(_one(words, "what to find"))),
    "/who": Row("/who", "who is here, and how far they have read", lambda words: _nothing(words, Who())),
    "/presence": Row("/presence online|away|dnd|invisible", "how others see you", _be_seen),
    "/help": Row("/help", "this list", lambda words: _nothing(words, Help())),
    "/quit": Row("/quit", "end the chat (so does the end of input)", lambda words: _nothing(words, Quit())),
    "/exit": Row("/exit", "the same", lambda words: _nothing(words, Quit())),
}
