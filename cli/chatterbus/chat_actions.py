"""What the chat does when a command is typed.

Promises: a command ends within the client's deadlines, and one that cannot be carried out raises NotDone with the
reason, for people. Nothing of it is kept for later, save what is said: that goes through the outbox.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from chatterbus import chat_commands, chat_lines
from chatterbus.chat_commands import COMMANDS, Command
from chatterbus.chat_lines import Said
from chatterbus.chat_terminal import Terminal
from chatterbus_client import Client, MessageState, Quote, Refused, Thread, Unreachable

FOUND_SHOWN: Final = 10
SEEN_AS: Final = {
    "online": "you are seen as online again",
    "away": "here you are away, until /presence online",
    "dnd": "you are seen as busy, on all devices, until /presence online",
    "invisible": "nobody sees that you are here, on all devices, until /presence online",
}

Post = Callable[..., Awaitable[None]]  # (said, **options of Thread.post)


class NotDone(Exception):
    """The command was not carried out; the text says why."""


class Actions:
    """The commands of one chat. `post` sends a message and shows it when it is stored."""

    def __init__(self, client: Client, thread: Thread, terminal: Terminal, me: str, post: Post) -> None:
        self._client = client
        self._thread = thread
        self._terminal = terminal
        self._me = me
        self._post = post

    async def run(self, command: Command) -> None:
        """Carry it out, or raise NotDone."""
        try:
            await HANDLERS[type(command)](self, command)
        except Refused as refused:
            raise NotDone(refused.message) from refused
        except Unreachable as unreachable:
            raise NotDone(unreachable.reason) from unreachable

    async def _say(self, command: chat_commands.Say) -> None:
        if command.reply_to is None:
            await self._post(Said(command.content))
            return
        target = await self._message(command.reply_to)
        quote = Quote(id=target.id, sender_id=target.sender_id, content=target.content, deleted=target.deleted)
        await self._post(Said(command.content, quote), reply_to=target)

    async def _edit(self, command: chat_commands.Edit) -> None:
        await self._thread.edit(command.seq, command.content)

    async def _delete(self, command: chat_commands.Delete) -> None:
        await self._thread.delete(command.seq)

    async def _react(self, command: chat_commands.React) -> None:
        change = self._thread.react if command.on else self._thread.unreact
        await change(command.seq, command.emoji)

    async def _send_file(self, command: chat_commands.SendFile) -> None:
        try:
            path, size_bytes = await asyncio.to_thread(_found_file, command.path)
            self._terminal.show(chat_lines.state_line(f"sending {path.name}, {chat_lines.size_text(size_bytes)}"))
            attachment = await self._thread.upload(path)
        except (OSError, RuntimeError) as error:  # RuntimeError: ~name of nobody
            reason = error.strerror if isinstance(error, OSError) else None
            raise NotDone(f"{command.path}: {reason or error}") from error
        await self._post(Said("", files=(attachment,)), attachments=[attachment], message_type="file")

    async def _search(self, command: chat_commands.Search) -> None:
        shown = 0
        finds = self._client.search(command.words, thread_id=self._thread.id, page_size=FOUND_SHOWN)
        async with aclosing(finds):
            async for found in finds:
                if shown == FOUND_SHOWN:
                    self._terminal.show(chat_lines.state_line("and more; say more words to find less"))
                    break
                shown += 1
                self._terminal.show(chat_lines.found_line(found.message, found.snippet))
        if not shown:
            self._terminal.show(chat_lines.state_line(f"nothing was found for “{command.words}”"))

    async def _who(self, _: chat_commands.Who) -> None:
        members = sorted(self._thread.members.values(), key=lambda member: member.user_id)
        self._terminal.show(
            *(chat_lines.member_line(member, self._me, self._client.presence.get(member.user_id)) for member in members)
        )

    async def _be_seen(self, command: chat_commands.BeSeen) -> None:
        await self._client.set_presence(command.status)
        self._terminal.show(chat_lines.state_line(SEEN_AS[command.status]))

    async def _help(self, _: chat_commands.Help) -> None:
        rows = [(row.usage, row.does) for row in COMMANDS.values()]
        self._terminal.show(
            *chat_lines.help_lines([*rows, ("//text", "say something that begins with a stroke")]),
            chat_lines.state_line("N is the number beside a message"),
        )

    async def _quit(self, _: chat_commands.Quit) -> None:
        """The chat itself ends."""

    async def _message(self, seq: int) -> MessageState:
        return self._thread.message(seq) or await self._client.message(self._thread.message_id(seq))


def _found_file(text: str) -> tuple[Path, int]:
    path = Path(text).expanduser()
    return path, path.stat().st_size


HANDLERS: Final[dict[type[Command], Callable[[Actions, Any], Awaitable[None]]]] = {
    chat_commands.Say: Actions._say,
    chat_commands.Edit: Actions._edit,
    chat_commands.Delete: Actions._delete,
    chat_commands.React: Actions._react,
    chat_commands.SendFile: Actions._send_file,
    chat_commands.Search: Actions._search,
    chat_commands.Who: Actions._who,
    chat_commands.BeSeen: Actions._be_seen,
    chat_commands.Help: Actions._help,
    chat_commands.Quit: Actions._quit,
}
