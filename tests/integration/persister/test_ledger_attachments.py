"""Files: who may attach them, to what, how often and how long. On dictionaries and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chatterbus_contracts.commands import Command
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.message_commands import ATTACHABLE_FOR
from chatterbus_persister.ledger.rows import AttachmentRow
from tests.kit.ledger_commands import add, create, file_id, register, remove, send
from tests.kit.ledger_worker import Ledger, codes

ONE, TWO = file_id("t", 1), file_id("t", 2)


def with_files(user: str, client_message_id: str, *files: str, thread: str = "t", **fields: Any) -> Command:
    return send(thread, user, client_message_id, "", attachment_ids=list(files), **fields)


async def file(ledger: Ledger, number: int = 1, thread: str = "t") -> AttachmentRow:
    return (await ledger.store.read_tables()).attachments[(ThreadId(thread), file_id(thread, number))]


async def test_a_message_brings_its_files_in_their_order(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann"), register("t", "ann", 1, thumbnail=True, width=4, height=3))
    plain = register("t", "ann", 2, name='é "x".pdf', content_type="application/pdf")
    said = await ledger.apply(plain, with_files("ann", "c1", TWO, ONE))
    (frame,) = said.frames
    assert frame["data"]["attachments"] == [
        {
            "id": TWO,
            "name": 'é "x".pdf',
            "contentType": "application/pdf",
            "sizeBytes": 12,
            "width": None,
            "height": None,
            "url": f"/api/chat/attachments/{TWO}",
            "thumbnailUrl": None,
        },
        {
            "id": ONE,
            "name": "file 1.png",
            "contentType": "image/png",
            "sizeBytes": 11,
            "width": 4,
            "height": 3,
            "url": f"/api/chat/attachments/{ONE}",
            "thumbnailUrl": f"/api/chat/attachments/{ONE}?thumbnail=true",
        },
    ]
    assert frame["rev"] == 3  # a file by itself is no event
    assert [(await file(ledger, number)).seq for number in (1, 2)] == [1, 1]
    (row,) = (await ledger.store.read_tables()).messages.values()
    assert [each["id"] for each in row.attachments or ()] == [TWO, ONE]


async def test_registering_again_is_acked_and_changes_nothing(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), register("t", "ann", 1))
    before = await file(ledger)
    again, by_another = register("t", "ann", 1, name="other"), register("t", "bob", 1, name="other")
    assert codes(await ledger.apply(again, by_another), [again, by_another]) == ["ack", "ack"]
    assert await file(ledger) == before


async def test_only_its_uploader_attaches_a_file_and_only_in_its_thread(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), create("u", "ann"), register("t", "ann", 1), register("u", "ann", 2))
    refused = [
        with_files("bob", "c1", ONE),
        with_files("ann", "c2", file_id("u", 2)),
        with_files("ann", "c3", file_id("t", 9)),
        with_files("ann", "c4", ONE, ONE),
        with_files("ann", "c5", ONE, file_id("t", 9)),
    ]
    said = await ledger.apply(*refused)
    assert codes(said, refused) == ["ATTACHMENT_NOT_FOUND"] * 5
    assert {said.answer(each)["fate"] for each in refused} == {"rejected"}
    assert said.events == []
    assert (await file(ledger)).seq is None
    good = with_files("ann", "c6", ONE)
    assert codes(await ledger.apply(good), [good]) == ["message_ack"]


@pytest.mark.parametrize("together", [True, False])
async def test_a_file_is_attached_once(ledger: Ledger, together: bool) -> None:
    await ledger.apply(create("t", "ann"), register("t", "ann", 1))
    first, second = with_files("ann", "c1", ONE), with_files("ann", "c2", ONE)
    if together:
        assert codes(await ledger.apply(first, second), [first, second]) == ["message_ack", "ATTACHMENT_NOT_FOUND"]
    else:
        await ledger.apply(first)
        assert codes(await ledger.apply(second), [second]) == ["ATTACHMENT_NOT_FOUND"]
    assert (await file(ledger)).seq == 1


@pytest.mark.parametrize("together", [True, False])
async def test_a_retry_of_a_message_with_files_is_the_same_message(ledger: Ledger, together: bool) -> None:
    await ledger.apply(create("t", "ann"), register("t", "ann", 1))
    first, again = with_files("ann", "c1", ONE), with_files("ann", "c1", ONE)
    if together:
        said = await ledger.apply(first, again)
        assert said.answer(again) == said.answer(first)
        return
    answer = await ledger.answer(first)
    await ledger.restart()
    said = await ledger.apply(again, with_files("ann", "c2", ONE))
    assert said.answer(again) == answer
    assert said.events == []


@pytest.mark.parametrize(("after", "code"), [(-10, "message_ack"), (10, "ATTACHMENT_NOT_FOUND")])
async def test_a_file_waits_a_day_for_its_message_less_an_hour(ledger: Ledger, after: int, code: str) -> None:
    await ledger.apply(create("t", "ann"), register("t", "ann", 1))
    ledger.clock.pass_by(ATTACHABLE_FOR + timedelta(seconds=after))
    late = with_files("ann", "c1", ONE)
    assert codes(await ledger.apply(late), [late]) == [code]


async def test_a_file_registered_in_the_batch_of_its_message_is_attached(ledger: Ledger) -> None:
    upload, sent = register("t", "ann", 1), with_files("ann", "c1", ONE)
    said = await ledger.apply(create("t", "ann"), upload, sent)
    assert codes(said, [upload, sent]) == ["ack", "message_ack"]
    assert (await file(ledger)).seq == 1


async def test_a_refused_message_leaves_its_files_to_be_attached(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), register("t", "bob", 1), add("t", "ann", "bob", Role.READER))
    refused = with_files("bob", "c1", ONE)
    assert codes(await ledger.apply(refused), [refused]) == ["FORBIDDEN"]
    await ledger.apply(add("t", "ann", "bob"))
    late = with_files("bob", "c1", ONE)
    assert codes(await ledger.apply(late), [late]) == ["message_ack"]


async def test_strangers_and_former_members_register_nothing(ledger: Ledger) -> None:
    await ledger.apply(create("t", "ann", "bob"), remove("t", "bob", "bob"))
    commands = [register("t", "eve", 1), register("t", "bob", 2), register("nowhere", "ann", 3)]
    assert codes(await ledger.apply(*commands), commands) == ["THREAD_NOT_FOUND", "NOT_A_MEMBER", "THREAD_NOT_FOUND"]
    assert (await ledger.store.read_tables()).attachments == {}
