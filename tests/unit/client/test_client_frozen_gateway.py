"""A gateway that is there and silent, against a scripted server."""

import asyncio
from dataclasses import replace

from chatterbus_client.questions import Questions
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import EditMessage, Ping, SendMessage, SendRead, Subscribe
from chatterbus_contracts.frames.server import Ack
from chatterbus_contracts.ids import ClientMessageId, MessageId, ThreadId
from tests.kit.waiting import until
from tests.unit.client.peer import FAST, Peer, Session

WATCHFUL = replace(FAST, doubt_s=0.1, patience_s=0.3)


async def test_a_client_with_an_unacked_message_leaves_a_frozen_gateway_long_before_the_heartbeat() -> None:
    async with Peer() as peer:

        async def frozen(session: Session, _: SendMessage | Ping) -> bool:
            return session.number == 0

        async with peer.client(settings=WATCHFUL) as client:
            await client.wait_online()
            peer.hooks[SendMessage] = peer.hooks[Ping] = frozen
            began = asyncio.get_running_loop().time()
            assert (await client.send("demo", "hello", timeout_s=5)).seq == 1
            assert asyncio.get_running_loop().time() - began >= 0.4
            assert [len(session.of(SendMessage)) for session in peer.sessions] == [1, 1]


async def test_a_gateway_that_answers_pings_is_kept_however_late_its_acks_are() -> None:
    async with Peer() as peer:

        async def only_queued(session: Session, frame: SendMessage) -> bool:
            await session.send(peer.queued(frame))
            return True

        peer.hooks[SendMessage] = only_queued
        async with peer.client(settings=WATCHFUL) as client:
            pending = client.post("demo", "hello")
            await until(
                lambda: bool(peer.sessions) and len(peer.sessions[0].of(Ping)) >= 8, 5, "it is asked and answers"
            )
            assert len(peer.sessions) == 1
            frame = peer.sessions[0].of(SendMessage)[0]
            await peer.sessions[0].send(peer.ack(await peer.store("alice", frame)))
            assert (await pending).seq == 1
            asked = len(peer.sessions[0].of(Ping))
            await asyncio.sleep(3 * WATCHFUL.doubt_s)  # the claim is about a span of time: nothing is to happen
            assert len(peer.sessions[0].of(Ping)) <= asked + 1, "nothing is awaited any more"


def test_a_question_is_open_until_its_answer_names_it() -> None:
    questions, peer = Questions(), Peer()
    message = SendMessage(thread_id=ThreadId("t"), content="hello", client_message_id=ClientMessageId("c1"))
    questions.asked(SendRead(thread_id=ThreadId("t"), seq=1))
    assert not questions
    questions.asked(message)
    questions.asked(message)
    questions.answered(peer.queued(message))
    assert questions
    questions.answered(peer.refusal(ErrorCode.QUEUE_FULL, client_message_id="c1"))
    assert not questions
    questions.asked(EditMessage(thread_id=ThreadId("t"), message_id=MessageId("t~1"), content="x", ref="request-1"))
    questions.asked(Subscribe(thread_id=ThreadId("t"), ref="subscribe-1"))
    questions.answered(Ack(ref="request-1"))
    questions.answered(Ack(ref="request-2"))
    assert questions
    questions.answered(peer.refusal(ErrorCode.NOT_A_MEMBER, ref="subscribe-1"))
    assert not questions
