"""Reading a stream: numbers are checked, and any doubt ends the reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_reader import StreamReader, sequences


class Link:
    """Takes consumers and publishes; delivers what the test says."""

    def __init__(self) -> None:
        self.deliver: Callable[[Message], None] = lambda _: None
        self.published: list[str] = []
        self.consumers: list[Any] = []
        self.jetstream = self

    def inbox(self) -> str:
        return "inbox"

    def listen(self, _subject: str, callback: Callable[[Message], None]) -> Link:
        self.deliver = callback
        return self

    def close(self) -> None:
        self.deliver = lambda _: None

    def publish(self, subject: str, _payload: bytes) -> None:
        self.published.append(subject)

    async def add_consumer(self, _stream: str, config: Any) -> None:
        self.consumers.append(config)


class Reading:
    """A started reader and what its owner saw."""

    def __init__(self) -> None:
        self.link = Link()
        self.arrived: list[tuple[int, bytes]] = []
        self.broken = 0
        self.room = True
        self.reader = StreamReader(self.link, "CMD_2", self._arrived, lambda: self.room, self._broke)  # type: ignore[arg-type]

    def _arrived(self, stream_seq: int, message: Message) -> None:
        self.arrived.append((stream_seq, message.data))

    def _broke(self) -> None:
        self.broken += 1

    def message(self, stream_seq: int, consumer_seq: int) -> None:
        reply = f"$JS.ACK.CMD_2.c.1.{stream_seq}.{consumer_seq}.1700000000.0"
        self.link.deliver(Message("chat.cmd.2.g", reply, b"[]"))

    def status(self, line: str, *headers: str, reply: str = "") -> None:
        raw = "\r\n".join((f"NATS/1.0 {line}", *headers, "", "")).encode()
        self.link.deliver(Message("inbox", reply, b"", raw))


@pytest.fixture
def reading() -> Reading:
    reading = Reading()
    asyncio.run(reading.reader.start(41))
    return reading


def test_both_forms_of_a_reply_subject_tell_the_sequences() -> None:
    assert sequences("$JS.ACK.CMD_0.abc.1.41.7.1700000000.0") == (41, 7)
    assert sequences("$JS.ACK.hub.ACCHASH.CMD_0.abc.1.41.7.1700000000.0.token") == (41, 7)
    assert sequences("$JS.ACK._.ACCHASH.CMD_0.abc.1.41.7.1700000000.0") == (41, 7)


def test_reading_starts_at_the_asked_message_without_acknowledgements(reading: Reading) -> None:
    (config,) = reading.link.consumers
    assert (config.opt_start_seq, config.ack_policy.value, config.flow_control) == (41, "none", True)


def test_messages_arrive_in_order_with_their_place(reading: Reading) -> None:
    reading.message(41, 1)
    reading.message(43, 2)  # 42 was removed from the stream: that is no hole
    assert [seq for seq, _ in reading.arrived] == [41, 43]
    assert reading.reader.check()


def test_a_hole_ends_the_reader_and_nothing_more_arrives(reading: Reading) -> None:
    reading.message(41, 1)
    reading.message(43, 3)
    reading.message(44, 4)
    assert len(reading.arrived) == 1
    assert reading.broken == 1
    assert not reading.reader.check()


def test_a_heartbeat_that_knows_of_more_messages_ends_the_reader(reading: Reading) -> None:
    reading.message(41, 1)
    reading.status("100 Idle Heartbeat", "Nats-Last-Consumer: 1")
    assert reading.reader.check()
    reading.status("100 Idle Heartbeat", "Nats-Last-Consumer: 2")
    assert not reading.reader.check()


@pytest.mark.parametrize("line", ["409 Consumer Deleted", "404 No Messages", "503"])
def test_any_other_status_ends_the_reader(reading: Reading, line: str) -> None:
    reading.status(line)
    assert reading.broken == 1
    assert not reading.reader.check()


def test_flow_control_is_answered_only_while_there_is_room(reading: Reading) -> None:
    reading.status("100 FlowControl Request", reply="fc.1")
    assert reading.link.published == ["fc.1"]
    reading.room = False
    reading.status("100 FlowControl Request", reply="fc.2")
    reading.status("100 Idle Heartbeat", "Nats-Last-Consumer: 0", "Nats-Consumer-Stalled: fc.2")
    assert reading.link.published == ["fc.1"]
    reading.room = True
    reading.reader.go_on()
    reading.reader.go_on()
    assert reading.link.published == ["fc.1", "fc.2"]


def test_silence_ends_the_reader(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading.reader.check()
    monkeypatch.setattr("chatterbus_runtime.stream_reader.SILENCE_S", -1.0)
    assert not reading.reader.check()


def test_a_stopped_reader_delivers_nothing(reading: Reading) -> None:
    reading.reader.stop()
    reading.message(41, 1)
    assert reading.arrived == []
