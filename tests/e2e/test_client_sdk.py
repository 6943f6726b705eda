"""The Python SDK, the example and the chat against a whole running Chatterbus."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from chatterbus_client import (
    Client,
    ClientSettings,
    FileOutbox,
    MessageCreated,
    NotYetSent,
    ReadReceipt,
    Refused,
    State,
    Thread,
    TypingNotice,
)
from chatterbus_contracts.errors import ErrorCode
from tests.e2e.deployment import Deployment
from tests.kit.waiting import until

ROOT = Path(__file__).parents[2]
QUICK = ClientSettings(reconnect_initial_s=0.2, reconnect_maximum_s=1.0, ack_timeout_s=5.0)


@pytest.fixture
def thread_id() -> str:
    return f"t-{uuid4().hex[:12]}"


@asynccontextmanager
async def pair(
    stack: Deployment, thread_id: str, settings: ClientSettings = QUICK
) -> AsyncIterator[tuple[Client, Thread]]:
    """alice, who writes, at the first gateway; bob's view, who reads, at the second."""
    async with (
        Client(stack.gateways[0], user_id="alice", settings=settings) as alice,
        Client(stack.gateways[-1], user_id="bob", settings=settings) as bob,
    ):
        await alice.thread(thread_id)
        yield alice, await bob.thread(thread_id)


def contents(thread: Thread) -> list[str]:
    return [message.content for message in thread.messages]


@pytest.mark.dev_mode
async def test_the_example_of_the_readme_runs(stack: Deployment) -> None:
    code, output = await run("examples/hello.py", stack.url)
    assert code == 0, output
    assert "bob reads: Hello Bob!" in output


async def first_message(events: AsyncIterator[object]) -> MessageCreated:
    """Unread counts and presence may come before it."""
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, MessageCreated):
                return event
    raise AssertionError("no message came")


@pytest.mark.dev_mode
async def test_what_one_sends_at_one_gateway_another_sees_at_the_other(stack: Deployment, thread_id: str) -> None:
    async with pair(stack, thread_id) as (alice, seen):
        events = seen.events()
        sent = await alice.send(thread_id, "hello")
        await until(lambda: seen.last_seq == 1, 10, "bob sees it")
        assert (sent.seq, contents(seen)) == (1, ["hello"])
        assert (await first_message(events)).data.content == "hello"


@pytest.mark.dev_mode
async def test_a_burst_beyond_the_rate_limit_is_stored_in_the_order_posted(stack: Deployment, thread_id: str) -> None:
    async with pair(stack, thread_id, replace(QUICK, in_flight_per_thread=32, retries=0)) as (alice, seen):
        pendings = [alice.post(thread_id, str(number)) for number in range(260)]
        assert [(await pending).seq for pending in pendings] == list(range(1, 261))
        await until(lambda: seen.last_seq == 260, 10, "bob sees all of it")
        assert contents(seen) == [str(number) for number in range(260)]


@pytest.mark.dev_mode
async def test_typing_and_receipts_reach_the_others(stack: Deployment, thread_id: str) -> None:
    async with pair(stack, thread_id) as (alice, seen):
        sent = await alice.send(thread_id, "hello")
        events = alice.events(thread_id)
        await until(lambda: seen.last_seq == 1, 10, "bob sees it")
        await seen.typing()
        await seen.mark_read(sent.seq)
        wanted = {TypingNotice, ReadReceipt}
        async with asyncio.timeout(10):
            async for event in events:
                wanted.discard(type(event))
                if not wanted:
                    break


async def test_a_token_says_who_speaks_and_rest_knows_it_too(stack: Deployment, thread_id: str) -> None:
    async with (
        Client(stack.url, token=stack.token("carol")) as carol,
        Client(stack.url, token=stack.token("dan")) as dan,
    ):
        await carol.create_thread(thread_id, title="Kitchen", members=["dan"])
        assert (await carol.send(thread_id, "hello dan")).seq == 1
        assert carol.user_id == "carol"
        await until(lambda: _unread(dan, thread_id, 1), 10, "dan has one unread message")
        thread = await dan.thread(thread_id)
        await thread.mark_read()
        await until(lambda: _unread(dan, thread_id, 0), 10, "and then none")
        [summary] = [item async for item in dan.threads() if item.id == thread_id]
        assert (summary.title, summary.last_seq) == ("Kitchen", 1)
        page = await dan.changes(thread_id, 0)
        assert page.complete


async def _unread(client: Client, thread_id: str, count: int) -> bool:
    found = {item.thread_id: item.unread for item in (await client.unread()).items}
    return found.get(thread_id, 0) == count


async def test_a_forged_token_is_refused_and_the_client_says_so(stack: Deployment) -> None:
    forged = stack.token("mallory")[:-6] + "AAAAAA"
    async with Client(stack.url, token=forged) as client:
        with pytest.raises(Refused) as caught:
            await client.wait_online()
        assert caught.value.code is ErrorCode.AUTH_FAILED


async def test_a_thread_of_others_is_refused_like_one_that_does_not_exist(stack: Deployment, thread_id: str) -> None:
    async with Client(stack.url, token=stack.token("carol")) as carol:
        await carol.create_thread(thread_id)
    async with Client(stack.url, token=stack.token("eve")) as eve:
        for call in (eve.thread(thread_id), eve.send(thread_id, "hello"), eve.history(thread_id)):
            with pytest.raises(Refused) as caught:
                await call
            assert caught.value.code is ErrorCode.THREAD_NOT_FOUND


async def test_a_token_is_renewed_before_it_expires_without_a_reconnect(stack: Deployment) -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return stack.token("carol", ttl_s=20 if asked == 1 else 3_600)

    async with Client(stack.url, token=token) as client:
        await client.wait_online()
        session = client.session
        assert session is not None
        first = session.token_expires_at
        await until(lambda: client.session is not None and client.session.token_expires_at != first, 30, "renewed")
        assert client.session is not None
        assert client.session.connection_id == session.connection_id
        assert asked == 2


@pytest.mark.dev_mode
async def test_with_the_socket_out_of_reach_messages_go_over_http_in_order(stack: Deployment, thread_id: str) -> None:
    client = Client(stack.url, user_id="alice", settings=replace(QUICK, fallback_after_s=0.1))
    client._addresses = replace(client._addresses, socket="ws://127.0.0.1:1/ws")
    async with client:
        pendings = [client.post(thread_id, str(number)) for number in range(5)]
        assert [(await pending).seq for pending in pendings] == [1, 2, 3, 4, 5]
        assert client.state is not State.ONLINE


@pytest.mark.embedded_only
@pytest.mark.parametrize("victim", ["gateway-1", "gateway-2", "persister-1"])
async def test_a_killed_service_loses_nothing_repeats_nothing_and_keeps_the_order(
    stack: Deployment, thread_id: str, victim: str
) -> None:
    settings = replace(QUICK, fallback_after_s=1.0)
    async with pair(stack, thread_id, settings) as (alice, seen):
        events = seen.events()
        pid = stack.pid(victim)
        for number in range(150):
            alice.post(thread_id, str(number))
            if number == 50:
                await until(lambda: seen.last_seq >= 20, 20, "the flow has begun")
                stack.kill(victim)
        await alice.drain(60)
        await until(lambda: seen.last_seq == 150 and seen.caught_up, 30, "bob sees all of it")
        expected = [str(number) for number in range(150)]
        assert contents(seen) == expected
        await until(lambda: stack.came_back(victim, pid), 30, f"{victim} is back")
        await alice.wait_online(30)
        events.end()
        assert [event.data.content async for event in events if isinstance(event, MessageCreated)] == expected


@pytest.mark.embedded_only
async def test_a_stopped_gateway_drains_and_its_clients_come_back(stack: Deployment, thread_id: str) -> None:
    async with pair(stack, thread_id) as (alice, seen):
        for number in range(60):
            alice.post(thread_id, str(number))
            if number == 20:
                await until(lambda: seen.last_seq >= 5, 20, "the flow has begun")
                stack.kill("gateway-1", signal.SIGTERM)
        await alice.drain(60)
        await until(lambda: seen.last_seq == 60, 30, "bob sees all of it")
        assert contents(seen) == [str(number) for number in range(60)]
        await alice.wait_online(30)  # gateway-1 is back for the tests to come


@pytest.mark.dev_mode
async def test_a_file_outbox_sends_once_after_its_process_was_killed(
    stack: Deployment, thread_id: str, tmp_path: Path
) -> None:
    script = """
import asyncio, os, signal, sys
from chatterbus_client import Client, FileOutbox
async def main():
    async with Client(sys.argv[1], user_id="alice", outbox=FileOutbox(sys.argv[2])) as client:
        for number in range(20):
            pending = client.post(sys.argv[3], str(number))
        while client.pending[0].client_message_id != pending.client_message_id and len(client.pending) > 10:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    path = tmp_path / "outbox"
    code, _ = await run("-c", script, stack.url, os.fspath(path), thread_id)
    assert code == -signal.SIGKILL
    async with Client(stack.url, user_id="alice", outbox=FileOutbox(path)) as client:
        await client.drain(20)
        thread = await client.thread(thread_id)
        assert contents(thread) == [str(number) for number in range(20)]


@pytest.mark.dev_mode
async def test_two_chats_talk(stack: Deployment, thread_id: str) -> None:
    bob = await start(*chat_of("bob", stack.url, thread_id))
    assert bob.stdin is not None
    assert bob.stdout is not None
    try:
        assert b"bob in" in await line_of(bob.stdout)
        code, output = await run(*chat_of("alice", stack.url, thread_id), stdin=b"hello bob\n\xc3\xbcber alles\n")
        assert code == 0, output
        assert re.findall("✓ .* alice: (.*)", output) == ["hello bob", "über alles"]
        for expected in (b"alice joined", b"alice: hello bob", "alice: über alles".encode()):
            while expected not in (line := await line_of(bob.stdout)):  # who came, and what is unread elsewhere
                assert line, "the chat has ended"
        bob.stdin.close()
        assert await asyncio.wait_for(bob.wait(), 20) == 0
    finally:
        if bob.returncode is None:
            bob.kill()


@pytest.mark.dev_mode
@pytest.mark.parametrize("ending", [b"\x04", b"/quit\n", b"\x03"], ids=["end of input", "quit", "interrupt"])
async def test_on_a_terminal_the_line_being_written_survives_what_comes_in_between(
    stack: Deployment, thread_id: str, ending: bytes
) -> None:
    terminal = Screen()
    before = termios.tcgetattr(terminal.inside)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *chat_of("alice", stack.url, thread_id),
        cwd=ROOT,
        stdin=terminal.inside,
        stdout=terminal.inside,
        stderr=terminal.inside,
        start_new_session=True,
        preexec_fn=terminal.control,
    )
    try:
        await until(lambda: "> " in terminal.text, 20, "the prompt is there")
        terminal.type(b"hel")
        await until(lambda: terminal.text.endswith("hel"), 10, "the line is written")
        async with Client(stack.url, user_id="bob") as bob:
            await bob.send(thread_id, "in between")
        await until(lambda: "bob: in between" in terminal.text, 10, "the message is shown")
        await until(lambda: terminal.text.endswith("> hel"), 10, "the line is drawn again")
        terminal.type(b"lo\n")
        await until(lambda: "alice: hello" in terminal.text, 10, "it is sent")
        terminal.type(ending)
        assert await asyncio.wait_for(process.wait(), 20) == 0, terminal.text
        assert termios.tcgetattr(terminal.inside)[:4] == before[:4], "the terminal is as it was"
        assert "Traceback" not in terminal.text
        assert "Warning" not in terminal.text
    finally:
        terminal.close()
        if process.returncode is None:
            process.kill()


class Screen:
    """A pseudo-terminal seen from outside."""

    def __init__(self) -> None:
        self._outside, self.inside = pty.openpty()
        self._bytes = b""
        os.set_blocking(self._outside, False)
        asyncio.get_running_loop().add_reader(self._outside, self._read)

    def control(self) -> None:
        """In the child: this is its controlling terminal, so that Ctrl-C reaches it."""
        fcntl.ioctl(self.inside, termios.TIOCSCTTY, 0)

    def _read(self) -> None:
        self._bytes += os.read(self._outside, 65_536)

    @property
    def text(self) -> str:
        """What was written, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._bytes.decode(errors="replace"))

    def type(self, keys: bytes) -> None:
        os.write(self._outside, keys)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._outside)
        os.close(self._outside)
        os.close(self.inside)


async def test_a_chat_without_a_server_says_what_to_do() -> None:
    code, output = await run(*chat_of("alice", "http://127.0.0.1:1", "demo"))
    assert code == 1
    assert "nobody listens there" in output
    assert "chatterbus up" in output


async def test_a_chat_takes_its_token_from_the_environment(stack: Deployment, thread_id: str) -> None:
    async with Client(stack.url, token=stack.token("carol")) as carol:
        await carol.create_thread(thread_id)
    command = chat_of(None, stack.url, thread_id)
    code, output = await run(*command, stdin=b"hi\n", env={"CHATTERBUS_TOKEN": stack.token("carol")})
    assert (code, "carol: hi" in output) == (0, True), output
    code, output = await run(*command, stdin=b"hi\n", env={"CHATTERBUS_TOKEN": "nonsense"})
    assert code == 1
    assert "chatterbus token" in output


async def test_a_send_with_a_deadline_of_its_own_leaves_the_message_in_the_outbox(thread_id: str) -> None:
    async with Client("http://127.0.0.1:1", user_id="alice", http_fallback=False) as client:
        with pytest.raises(NotYetSent):
            await client.send(thread_id, "hello", timeout_s=0.1)
        assert len(client.pending) == 1
        await client.close()


def chat_of(user: str | None, url: str, thread_id: str) -> list[str]:
    who = ["--user", user] if user else []
    return ["-c", "from chatterbus.main import app; app()", "chat", *who, "--url", url, "--thread", thread_id]


async def start(*arguments: str, env: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def run(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str]:
    process = await start(*arguments, env=env)
    try:
        output, _ = await asyncio.wait_for(process.communicate(stdin), 60)
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, output.decode()


async def line_of(stream: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(stream.readline(), 20)
