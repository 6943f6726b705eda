"""Order, resending and bounds of what is not stored yet."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_client.errors import OutboxFull
from chatterbus_client.outbox import Outbox
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.ids import ClientMessageId, ThreadId

SETTINGS = ClientSettings(ack_timeout_s=10, queued_timeout_s=30, retry_initial_s=1, retry_maximum_s=4)


def message(name: str, thread: str = "demo") -> SendMessage:
    return SendMessage(thread_id=ThreadId(thread), content=name, client_message_id=ClientMessageId(name))


def outbox(*names: str, **changes: object) -> Outbox:
    subject = Outbox(replace(SETTINGS, **changes), lambda: 1.0)  # type: ignore[arg-type]
    for name in names:
        subject.add(message(name))
    return subject


def due(subject: Outbox, now: float = 0.0) -> list[str]:
    return [frame.content for frame in subject.due(now)]


def test_by_default_the_next_message_of_a_thread_waits_for_the_answer_to_the_one_before() -> None:
    subject = outbox("a", "b")
    assert due(subject) == ["a"]
    assert due(subject) == []
    subject.remove("a")
    assert due(subject) == ["b"]


def test_threads_do_not_wait_for_each_other() -> None:
    subject = outbox("a", "b")
    subject.add(message("x", "other"))
    assert due(subject) == ["a", "x"]


def test_a_wider_window_sends_ahead() -> None:
    assert due(outbox("a", "b", "c", in_flight_per_thread=2)) == ["a", "b"]


def test_a_new_channel_starts_again_from_the_first_unanswered_message() -> None:
    subject = outbox("a", "b", "c", in_flight_per_thread=3)
    due(subject)
    subject.remove("b")
    subject.begin()
    assert due(subject) == ["a", "c"]


def test_a_queued_message_lets_the_next_one_go_and_is_asked_for_again_later() -> None:
    subject = outbox("a", "b")
    due(subject)
    assert subject.queued("a", ask_again_at=30)
    assert due(subject, 1) == ["b"]
    subject.remove("b")
    assert subject.next_at() == 30
    assert due(subject, 30) == ["a"]


def test_a_queued_message_is_resent_first_on_a_new_channel() -> None:
    subject = outbox("a", "b")
    due(subject)
    subject.queued("a", ask_again_at=30)
    subject.begin()
    assert due(subject) == ["a"]


def test_a_message_without_an_answer_is_sent_again() -> None:
    subject = outbox("a")
    due(subject)
    assert subject.next_at() == 10
    assert due(subject, 9.9) == []
    assert due(subject, 10) == ["a"]


def test_a_refusal_that_may_pass_is_repeated_with_growing_delay_and_holds_the_thread_back() -> None:
    subject = outbox("a", "b")
    now = 0.0
    for delay in (1, 2, 4, 4):
        assert due(subject, now) == ["a"]
        assert not subject.refused("a", may_pass=True, retry_after_s=None, now=now)
        assert subject.next_at() == now + delay
        assert due(subject, now + delay - 0.01) == []
        now += delay


def test_the_servers_waiting_time_is_honoured_across_channels() -> None:
    subject = outbox("a")
    due(subject)
    subject.refused("a", may_pass=True, retry_after_s=7, now=0)
    subject.begin()
    assert due(subject, 6.9) == []
    assert due(subject, 7) == ["a"]


def test_a_final_refusal_removes_the_message_and_the_next_one_goes() -> None:
    subject = outbox("a", "b")
    due(subject)
    assert subject.refused("a", may_pass=False, retry_after_s=None, now=0)
    assert due(subject) == ["b"]


def test_with_a_number_of_retries_the_refusal_after_the_last_one_is_final() -> None:
    subject = outbox("a", retries=1)
    assert not subject.refused("a", may_pass=True, retry_after_s=0, now=0)
    assert subject.refused("a", may_pass=True, retry_after_s=0, now=0)
    assert len(subject) == 0


def test_a_full_outbox_refuses_and_what_a_file_restores_is_never_refused() -> None:
    subject = outbox("a", "b", outbox_max=2)
    with pytest.raises(OutboxFull):
        subject.add(message("c"))
    subject.restore(message("c"))
    assert len(subject) == 3


def test_what_is_under_way_over_all_threads_is_bounded_without_a_busy_wait() -> None:
    subject = outbox(in_flight_max=3)
    for number in range(6):
        subject.add(message(f"m{number}", f"t{number}"))
    assert due(subject) == ["m0", "m1", "m2"]
    assert subject.next_at() == 10
    subject.remove("m1")
    assert due(subject) == ["m3"]


def test_answers_to_unknown_messages_are_nothing() -> None:
    subject = outbox("a")
    assert not subject.remove("x")
    assert not subject.queued("x", ask_again_at=1)
    assert not subject.refused("x", may_pass=False, retry_after_s=None, now=0)
    assert len(subject) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "due", "ack", "queue", "refuse", "drop", "begin", "wait"]),
        st.integers(0, 9),
    ),
    max_size=80,
)


class Server:
    """Stores what arrives unless it refuses; answers may be lost; channels may change."""

    def __init__(self) -> None:
        self.outbox = outbox()
        self.now = 0.0
        self.posted: list[SendMessage] = []
        self.stored: list[SendMessage] = []
        self.dropped: list[SendMessage] = []
        self.on_the_way: list[SendMessage] = []

    def add(self, number: int) -> None:
        self.posted.append(message(f"m{len(self.posted)}", "xy"[number % 2]))
        self.outbox.add(self.posted[-1])

    def due(self, _: int) -> None:
        self.on_the_way.extend(self.outbox.due(self.now))

    def begin(self, _: int) -> None:
        self.on_the_way.clear()
        self.outbox.begin()

    def wait(self, number: int) -> None:
        self.now += number * 3

    def drop(self, _: int) -> str:
        """Stored, and the answer is lost."""
        if not self.on_the_way:
            return ""
        frame = self.on_the_way.pop(0)
        # What was given up by its sender is known to be refused here as well.
        if frame not in self.stored and frame not in self.dropped:
            self.stored.append(frame)
        return frame.content

    def ack(self, number: int) -> None:
        self.outbox.remove(self.drop(number))

    def queue(self, number: int) -> None:
        self.outbox.queued(self.drop(number), ask_again_at=self.now + 30)

    def refuse(self, number: int) -> None:
        if self.on_the_way:
            frame = self.on_the_way.pop(0)
            final = number >= 8
            self.outbox.refused(frame.content, may_pass=not final, retry_after_s=None, now=self.now)
            if final and frame not in self.stored:
                self.dropped.append(frame)

    def finish(self) -> None:
        while len(self.outbox):
            self.now = max(self.now, self.outbox.next_at() or self.now)
            self.due(0)
            assert self.on_the_way, "nothing is due and something is left"
            while self.on_the_way:
                self.ack(0)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_with_a_window_of_one_a_thread_is_stored_in_the_order_posted_whatever_happens(
    steps: list[tuple[str, int]],
) -> None:
    server = Server()
    for what, number in steps:
        getattr(server, what)(number)
    server.finish()
    for thread in "xy":
        stored = [frame.content for frame in server.stored if frame.thread_id == thread]
        posted = [frame.content for frame in server.posted if frame.thread_id == thread]
        assert stored == [name for name in posted if name not in {frame.content for frame in server.dropped}]
    assert server.outbox.next_at() is None
