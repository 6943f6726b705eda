"""Everything a conversation needs, through the Python SDK and the chat, against a whole running Chatterbus."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from chatterbus_client import (
    Client,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    NewMember,
    NotConnected,
    Refused,
    Role,
    Thread,
)
from chatterbus_contracts.errors import ErrorCode
from tests.e2e.deployment import Deployment
from tests.e2e.test_client_sdk import QUICK, chat_of, line_of, run, start
from tests.kit.waiting import until

MIB = 1_048_576
SLOW_FILES = replace(QUICK, request_timeout_s=20.0)


@pytest.fixture
def thread_id() -> str:
    return f"t-{uuid4().hex[:12]}"


@asynccontextmanager
async def kitchen(stack: Deployment, thread_id: str) -> AsyncIterator[tuple[Thread, Thread, Client, Client]]:
    """carol's thread with dan in it; each at a gateway of their own."""
    async with (
        Client(stack.gateways[0], token=stack.token("carol"), settings=SLOW_FILES) as carol,
        Client(stack.gateways[-1], token=stack.token("dan"), settings=SLOW_FILES) as dan,
    ):
        await carol.create_thread(thread_id, title="Kitchen", members=["dan"])
        yield await carol.thread(thread_id), await dan.thread(thread_id), carol, dan


async def test_edits_reactions_and_deletes_are_seen_by_the_other(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, theirs, carol, dan):
        sent = await mine.send("helo")
        await until(lambda: theirs.last_seq == 1, 10, "dan sees it")
        rev = await mine.edit(1, "hello")
        await until(lambda: theirs.rev >= (rev or 0) and theirs.messages[0].content == "hello", 10, "the edit")
        assert theirs.messages[0].edited
        await theirs.react(1, "👍🏽")
        await mine.react(1, "👍🏽")
        await until(lambda: [state.count for state in mine.messages[0].reactions] == [2], 10, "both reactions")
        await theirs.unreact(1, "👍🏽")
        await until(lambda: [state.user_ids for state in mine.messages[0].reactions] == [["carol"]], 10, "one is gone")
        assert [revision.content for revision in await dan.revisions(sent.message_id)] == ["helo"]
        await mine.delete(1)
        await mine.delete(1)
        await until(lambda: theirs.messages[0].deleted, 10, "the delete")
        assert (theirs.messages[0].content, theirs.messages[0].reactions) == ("", [])
        assert await dan.revisions(sent.message_id) == []
        assert await carol.message(sent.message_id) == mine.messages[0]


async def test_refusals_carry_the_servers_codes(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, theirs, _, dan):
        await mine.send("hello")
        await mine.send("gone")
        await mine.delete(2)
        refused = {
            ErrorCode.FORBIDDEN: lambda: theirs.edit(1, "mine now"),
            ErrorCode.MESSAGE_NOT_FOUND: lambda: theirs.react(99, "👍"),
            ErrorCode.MESSAGE_DELETED: lambda: theirs.react(2, "👍"),
            ErrorCode.BAD_EMOJI: lambda: theirs.react(1, "no"),
            ErrorCode.LAST_OWNER: lambda: mine.leave(),
            ErrorCode.REPLY_TARGET_NOT_FOUND: lambda: theirs.send("so", reply_to=f"{thread_id}~99"),
            ErrorCode.ATTACHMENT_NOT_FOUND: lambda: theirs.send("so", attachments=[f"{thread_id}~f{'0' * 32}"]),
            ErrorCode.THREAD_NOT_FOUND: lambda: dan.details("no-such-thread"),
        }
        for code, call in refused.items():
            with pytest.raises(Refused) as caught:
                await call()
            assert caught.value.code is code


async def test_receipts_come_by_themselves_and_reading_is_told(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, theirs, carol, dan):
        sent = await mine.send("hello")
        await until(lambda: mine.members["dan"].delivered_seq == 1, 10, "delivered by itself")
        assert mine.members["dan"].read_seq == 0
        [receipt] = await carol.message_receipts(sent.message_id)
        assert (receipt.user_id, receipt.delivered_at is None, receipt.read_at) == ("dan", False, None)
        assert (await theirs.details()).own.unread == 1
        await theirs.mark_read()
        await until(lambda: mine.members["dan"].read_seq == 1, 10, "read")
        await theirs.mark_unread(1)
        own = (await theirs.details()).own
        assert (own.unread, own.marked_unread_seq) == (1, 1)
        cursors = {state.user_id: state.read_seq for state in (await carol.receipts(thread_id)).items}
        assert cursors == {"carol": 1, "dan": 1}
        await dan.show_receipts(thread_id, False)
        await mine.send("again")
        await until(lambda: theirs.last_seq == 2, 10, "dan sees it")
        await theirs.mark_read()
        await until(lambda: _unread(theirs, 0), 10, "dan has read it")
        assert mine.members["dan"].read_seq == 1


async def _unread(thread: Thread, count: int) -> bool:
    return (await thread.details()).own.unread == count


async def test_threads_are_archived_muted_renamed_and_left(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, theirs, carol, dan):
        await carol.archive(thread_id)
        assert thread_id in [summary.id async for summary in carol.threads(archived=True)]
        assert thread_id not in [summary.id async for summary in carol.threads(page_size=2)]
        await theirs.send("news")
        await until(lambda: mine.last_seq == 1, 10, "carol sees it")
        assert thread_id in [summary.id async for summary in carol.threads(page_size=2)]
        await carol.mute(thread_id)
        assert (await mine.details()).own.muted
        await carol.update_thread(thread_id, title="Bathroom", metadata={"order": 1})
        await until(lambda: (theirs.title, theirs.metadata) == ("Bathroom", {"order": 1}), 10, "the new title")
        await carol.update_thread(thread_id, title=None)
        await until(lambda: theirs.title is None, 10, "no title")
        assert theirs.metadata == {"order": 1}
        await carol.add_members(thread_id, [NewMember.model_validate({"user_id": "erin", "role": Role.READER})])
        await until(lambda: theirs.members.get("erin") is not None, 10, "erin is there")
        await carol.remove_member(thread_id, "erin")
        await until(lambda: "erin" not in theirs.members, 10, "erin is gone")
        await theirs.leave()
        await until(lambda: "dan" not in mine.members, 10, "dan is gone")
        with pytest.raises(Refused):
            await dan.history(thread_id)


async def test_a_reply_a_mention_and_a_card_arrive_whole(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, theirs, *_):
        await mine.send("how?")
        await until(lambda: theirs.last_seq == 1, 10, "dan sees it")
        await theirs.send("so", reply_to=theirs.messages[0], mentions=["carol"], metadata={"card": {"price": 1}})
        await until(lambda: mine.last_seq == 2, 10, "carol sees it")
        state = mine.messages[-1]
        assert (state.mentions, state.metadata) == (["carol"], {"card": {"price": 1}})
        assert state.reply_to is not None
        assert (state.reply_to.content, state.reply_to.sender_id) == ("how?", "carol")
        await mine.edit(1, "how come?")
        await until(lambda: _quote_of(theirs) == "how come?", 10, "the quote follows")
        page = await mine.history(before_seq=3)
        assert page.items == mine.messages


def _quote_of(thread: Thread) -> str | None:
    quote = thread.messages[-1].reply_to
    return quote.content if quote is not None else None


async def test_a_file_goes_up_with_a_message_and_comes_down_in_ranges(
    stack: Deployment, thread_id: str, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 8_192  # 2 MiB
    source = tmp_path / "plan.bin"
    source.write_bytes(data)
    async with kitchen(stack, thread_id) as (mine, theirs, _, dan):
        told: list[int] = []
        attachment = await mine.upload(source, progress=lambda done, _: told.append(done))
        assert (attachment.name, attachment.size_bytes, told[-1]) == ("plan.bin", len(data), len(data))
        with pytest.raises(Refused):
            await dan.download(attachment, tmp_path / "too-early")
        await mine.send("", attachments=[attachment])
        await until(lambda: theirs.last_seq == 1, 10, "dan sees it")
        [arrived] = theirs.messages[0].attachments
        copy = await dan.download(arrived, tmp_path / "copy.bin")
        assert copy.read_bytes() == data
        half = b"".join([piece async for piece in dan.chunks(arrived, start=len(data) // 2)])
        assert half == data[len(data) // 2 :]
        assert [piece async for piece in dan.chunks(arrived, start=len(data))] == []
        part = tmp_path / f"rest.bin.{arrived.id[-32:]}.part"
        part.write_bytes(data[:MIB])
        assert (await dan.download(arrived, tmp_path / "rest.bin")).read_bytes() == data


async def test_a_file_that_is_too_large_is_refused_while_it_is_sent(stack: Deployment, thread_id: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(MIB)

    async with kitchen(stack, thread_id) as (mine, *_):
        with pytest.raises(Refused) as caught:
            await mine.upload(endless(), name="zeros")
        assert caught.value.code is ErrorCode.ATTACHMENT_TOO_LARGE


async def test_what_was_said_is_found_page_by_page(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, _, carol, dan):
        for number in range(5):
            await mine.send(f"the oak table number {number}")
        await mine.send("a chair")

        async def seqs(client: Client, text: str) -> list[int]:
            return [found.message.seq async for found in client.search(text, thread_id=thread_id, page_size=2)]

        await until(lambda: _found(seqs(dan, "oak table"), [5, 4, 3, 2, 1]), 15, "all of them are found")
        [first] = (await carol.search_page("oak", thread_id=thread_id, limit=1)).items
        assert "\x01oak\x02" in first.snippet
        await mine.delete(5)
        await until(lambda: _found(seqs(dan, "oak table"), [4, 3, 2, 1]), 15, "what is gone is not found")
        assert await seqs(dan, "nowhere") == []


async def _found(asking: object, expected: list[int]) -> bool:
    return await asking == expected  # type: ignore[misc]


async def test_what_happened_while_away_comes_back_as_it_is_now(stack: Deployment, thread_id: str) -> None:
    async with kitchen(stack, thread_id) as (mine, theirs, _, dan):
        for number in range(5):
            await mine.send(str(number))
        await until(lambda: theirs.last_seq == 5, 10, "dan sees it")
        await dan.close()
        await mine.edit(1, "edited")
        await mine.delete(2)
        await mine.react(3, "🎉")
        await mine.send("new", reply_to=mine.message_id(1))
        await mine.edit(6, "newer")
        async with Client(stack.url, token=stack.token("dan")) as again:
            fresh = await again.thread(thread_id)
            page = await again.changes(thread_id, theirs.rev)
            assert page.complete
            changed = [
                change for change in page.items if isinstance(change, MessageCreated | MessageUpdated | MessageDeleted)
            ]
            assert {change.data.seq: change.type for change in changed} == {
                1: "message_updated",
                2: "message_deleted",
                3: "message_updated",
                6: "message",
            }
            assert fresh.messages == (await mine.history(before_seq=7)).items


async def test_without_a_socket_an_edit_is_refused_in_time(stack: Deployment, thread_id: str) -> None:
    client = Client(stack.url, token=stack.token("carol"), settings=replace(QUICK, request_timeout_s=0.3))
    client._addresses = replace(client._addresses, socket="ws://127.0.0.1:1/ws")
    async with client:
        with pytest.raises(NotConnected):
            await client.edit(f"{thread_id}~1", "hello")


@pytest.mark.dev_mode
async def test_a_piped_chat_edits_answers_reacts_sends_a_file_and_finds(
    stack: Deployment, thread_id: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("12345")
    bob = await start(*chat_of("bob", stack.url, thread_id))
    assert bob.stdin is not None
    assert bob.stdout is not None
    try:
        assert b"bob in" in await line_of(bob.stdout)
        typed = f"helo\n/edit 1 hello\n/react 1 👍\n/reply 1 so\n/file {tmp_path / 'plan.txt'}\n/who\n/delete 2\n"
        code, output = await run(*chat_of("alice", stack.url, thread_id), stdin=typed.encode())
        assert code == 0, output
        assert re.search(r"✓ +1 .* alice: helo", output)
        assert re.search(r"📎 plan\.txt, 5 B http://\S+/api/chat/attachments/\S+~f[0-9a-f]{32}", output)
        assert re.search(r"bob, \w+, has \d, read \d", output)
        wanted = ["alice joined", "alice: helo", "alice: hello (edited)", "👍 1", "┌ 1 alice: hello", "alice: so"]
        wanted += ["📎 plan.txt", "alice: deleted"]
        while wanted:
            line = (await line_of(bob.stdout)).decode()
            assert line, f"bob never saw {wanted}"
            if wanted[0] in line:
                wanted.pop(0)
        bob.stdin.close()
    finally:
        if bob.returncode is None:
            bob.kill()
            await bob.wait()


@pytest.mark.dev_mode
async def test_a_piped_chat_with_a_bad_command_explains_it_and_fails(stack: Deployment, thread_id: str) -> None:
    code, output = await run(*chat_of("alice", stack.url, thread_id), stdin=b"/edit\n/nonsense\n/edit 9 x\n")
    assert code == 1
    assert "/edit N text" in output
    assert "/help lists them" in output
    assert "3 of your lines were refused" in output
