"""`chatterbus chat`: talk in a thread from the terminal.

Promises: the last messages first, then everything as it comes, in order; a line written is sent, kept and sent again
until it is stored (✓) or refused (!), across lost connections. ✓✓ says that it has arrived everywhere, and in blue that
all have read it. A line that begins with / is a command (chat_commands; /help lists them). What is shown is marked as
read. From a pipe the end of input ends the chat after all of it is stored, and commands wait for what was said before
them. Exit code 0, or 1 with what to do next when something was not sent or nobody answers.
"""

import asyncio
import os
from contextlib import suppress
from typing import Annotated, Any, Final

import typer

from chatterbus import chat_lines
from chatterbus.chat_actions import Actions, NotDone
from chatterbus.chat_commands import BadCommand, Quit, Say, parse
from chatterbus.chat_lines import Said
from chatterbus.chat_terminal import Terminal
from chatterbus.chat_view import View
from chatterbus.errors import CommandError, reported
from chatterbus_client import (
    Client,
    ClientClosed,
    ClientEvent,
    ConnectionChanged,
    EventStream,
    Lagged,
    OutboxFull,
    Pending,
    Refused,
    SendChanged,
    State,
    Thread,
    ThreadLost,
    Unreachable,
)
from chatterbus_contracts.errors import ErrorCode

LAST_MESSAGES: Final = 20
TOKEN_ENV: Final = "CHATTERBUS_TOKEN"  # noqa: S105 - where a secret is found, not a secret
CONNECT_TIMEOUT_S: Final = 10.0
END_TIMEOUT_S: Final = 30.0
NAMES_SHOWN: Final = 5
TYPING_EVERY_S: Final = 2.0
COMMAND_WAIT_S: Final = 10.0  # for what was said before a command

_NEXT_STEPS: Final = {
    ErrorCode.AUTH_REQUIRED: "This server wants a token: chatterbus token --user NAME, then --token or --token-env.",
    ErrorCode.AUTH_FAILED: "Get a token that is signed for this server: chatterbus token --user NAME.",
    ErrorCode.TOKEN_EXPIRED: "Get a new token: chatterbus token --user NAME.",
    ErrorCode.TOKEN_REVOKED: "Get a new token: chatterbus token --user NAME.",
    ErrorCode.THREAD_NOT_FOUND: "Check the thread's id, or have one of its members add you.",
    ErrorCode.NOT_A_MEMBER: "Have one of its members add you.",
}


def chat(
    user: Annotated[str | None, typer.Option(help="Who you are (development mode; a token says it itself).")] = None,
    thread: Annotated[str, typer.Option(help="Which thread to talk in.")] = "demo",
    url: Annotated[str, typer.Option(envvar="CHATTERBUS_URL", help="The server.")] = "http://127.0.0.1:8080",
    token: Annotated[str | None, typer.Option(help="A token; others on this machine can see options.")] = None,
    token_env: Annotated[str, typer.Option(help="Environment variable that holds the token.")] = TOKEN_ENV,
    user_type: Annotated[str, typer.Option("--type", help="Kind of user (development mode).")] = "user",
) -> None:
    """Talk in the terminal: chatterbus chat --user alice --thread demo"""
    with reported():
        token = token or os.environ.get(token_env) or None
        if token is None and user is None:
            raise CommandError("Who are you?", "Say --user NAME, or give a token: --token or --token-env.")
        terminal = Terminal()
        with terminal.restored(), suppress(KeyboardInterrupt):
            try:
                client = Client(url, token=token, user_id=user, user_type=user_type)
            except ValueError as error:
                raise CommandError(f"{url!r} is no server's address.", f"Note: {error}.") from error
            asyncio.run(_chat(client, thread, terminal))


async def _chat(client: Client, thread_id: str, terminal: Terminal) -> None:
    try:
        async with client:
            events = client.events()
            await client.wait_online(CONNECT_TIMEOUT_S, fail_fast=True)
            thread = await client.thread(thread_id, history=LAST_MESSAGES)
            await Chat(client, thread, terminal).run(events)
    except Unreachable as error:
        next_step = "Start a server with `chatterbus up`, or name yours with --url."
        raise CommandError(f"{error}.", next_step) from error
    except Refused as error:
        next_step = _NEXT_STEPS.get(error.code, f"{error.code} is explained in docs/codes.md.")
        raise CommandError(f"{error.message}.", next_step) from error
    except ClientClosed as error:
        raise CommandError(f"{error.reason}.", "Try again later.") from error


class Chat:
    """One conversation on one terminal."""

    def __init__(self, client: Client, thread: Thread, terminal: Terminal) -> None:
        self._client = client
        self._thread = thread
        self._terminal = terminal
        self._me = client.user_id or ""
        self._view = View(client, thread, terminal, self._me)
        self._actions = Actions(client, thread, terminal, self._me, self._post)
        self._posted: dict[str, Said] = {}  # what was written, until its mark is shown
        self._all_marked = asyncio.Event()
        self._all_marked.set()
        self._was_offline = False
        self._failed = 0

    async def run(self, events: EventStream) -> None:
        """Until the input ends and everything is stored, or the server ends it."""
        self._terminal.show(chat_lines.state_line(f"{self._me} in {self._thread.id}, {self._company()}"))
        await self._view.begin(LAST_MESSAGES)
        watching = asyncio.create_task(self._watch(events))
        telling = asyncio.create_task(self._tell_typing())
        writing = asyncio.create_task(self._write())
        try:
            await asyncio.wait({watching, writing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (writing, watching):
                if task.done():
                    task.result()
        finally:
            for task in (writing, telling, watching):
                task.cancel()
        if self._failed:
            raise CommandError(f"{self._failed} of your lines were refused.", "The reasons are above.")

    async def _write(self) -> None:
        async for line in self._terminal.lines():
            if line.strip() and not await self._obey(line):
                break
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._all_marked.wait()
        except TimeoutError:
            left = len(self._client.pending)
            raise CommandError(
                f"{left} of your messages are not stored: {self._client.state}.", "Send them again later."
            ) from None

    async def _obey(self, line: str) -> bool:
        """Say or do what the line says. False: it says to end."""
        try:
            command = parse(line)
            if isinstance(command, Quit):
                return False
            if not isinstance(command, Say):
                await self._wait_for_marks()
            await self._actions.run(command)
        except (BadCommand, NotDone) as error:
            # A person sees it and types again; a script has to learn of it from the exit code.
            self._failed += not self._terminal.interactive
            self._terminal.show(chat_lines.fault_line(str(error)))
        return True

    async def _wait_for_marks(self) -> None:
        """A command may be about what was said just before it."""
        try:
            async with asyncio.timeout(COMMAND_WAIT_S):
                await self._all_marked.wait()
        except TimeoutError:
            raise NotDone(f"what you said before it is not stored yet: {self._client.state}") from None

    def _company(self) -> str:
        others = sorted(self._thread.members.keys() - {self._me})
        if not others:
            return "alone so far"
        more = f" and {len(others) - NAMES_SHOWN} more" if len(others) > NAMES_SHOWN else ""
        return f"with {', '.join(others[:NAMES_SHOWN])}{more}"

    async def _post(self, said: Said, **options: Any) -> None:
        while True:
            try:
                pending = self._thread.post(said.content, **options)
            except OutboxFull:
                await _settled(self._client.pending[0])
                continue
            except Refused as refused:
                self._failed += 1
                self._terminal.show(chat_lines.own_line("!", self._me, said.content, refused.message))
                return
            self._posted[pending.client_message_id] = said
            self._view.posted(pending.client_message_id)
            self._all_marked.clear()
            if self._client.state is State.OFFLINE:
                self._terminal.show(chat_lines.own_line("…", self._me, said.content, "waiting for the connection"))
            return

    async def _tell_typing(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(TYPING_EVERY_S)
            written = self._terminal.being_written
            if written and written != told and not written.startswith("/"):
                await self._thread.typing()
            told = written

    async def _watch(self, events: EventStream) -> None:
        async for event in events:
            await self._happened(event)
        raise ClientClosed("the server ended the connection for good")

    async def _happened(self, event: ClientEvent) -> None:
        if isinstance(event, SendChanged):
            self._show_own(event)
        elif isinstance(event, ConnectionChanged):
            self._show_connection(event)
        elif isinstance(event, ThreadLost):
            raise event.refused
        elif isinstance(event, Lagged):
            self._terminal.show(chat_lines.state_line(f"{event.dropped} lines were left out"))
        else:
            await self._view.happened(event)

    def _show_own(self, event: SendChanged) -> None:
        said = self._posted.get(event.client_message_id)
        if said is None:
            return
        if event.status == "queued":
            self._terminal.show(chat_lines.own_line("…", self._me, said.content, "queued"))
            return
        if event.sent is not None:
            self._view.sent(event.sent, said)
        elif event.refused is not None:
            self._failed += 1
            self._view.refused(event.client_message_id)
            self._terminal.show(chat_lines.own_line("!", self._me, said.content, event.refused.message))
        del self._posted[event.client_message_id]
        if not self._posted:
            self._all_marked.set()

    def _show_connection(self, change: ConnectionChanged) -> None:
        if change.state is State.OFFLINE and not self._was_offline:
            self._was_offline = True
            self._terminal.show(chat_lines.state_line(f"offline: {change.reason}; trying again"))
        elif change.state is State.ONLINE and self._was_offline:
            self._was_offline = False
            self._terminal.show(chat_lines.state_line("online again"))


async def _settled(pending: Pending) -> None:
    with suppress(Refused):
        await pending
