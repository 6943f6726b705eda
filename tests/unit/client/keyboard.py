"""A chat on a terminal made of lists."""

import asyncio
from collections.abc import AsyncIterator

from rich.text import Text

from chatterbus.chat import Chat
from chatterbus.chat_terminal import Terminal
from chatterbus_client import Client


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
