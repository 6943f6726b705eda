"""Commands that wait for their answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_gateway.pending import PendingCommands


def test_a_command_is_said_to_be_queued_only_once_when_the_queue_has_it_and_it_has_waited() -> None:
    pending = PendingCommands(notice_after_s=0.25)
    pending.add("a", print, 0.0)
    assert pending.due_notices(1.0) == []
    pending.queued(["a"])
    assert [command.command_id for command in pending.due_notices(1.0)] == ["a"]
    assert pending.due_notices(2.0) == []


def test_an_answered_command_is_not_said_to_be_queued() -> None:
    pending = PendingCommands(notice_after_s=0.25)
    pending.add("a", print, 0.0)
    pending.queued(["a"])
    assert pending.settle("a") is print
    assert pending.settle("a") is None
    assert pending.due_notices(1.0) == []


def test_a_full_table_says_so() -> None:
    pending = PendingCommands(pending_max=1)
    assert not pending.full
    pending.add("a", print, 0.0)
    assert pending.full


@given(st.lists(st.sampled_from(["add", "settle", "sweep"]), max_size=60), st.data())
def test_every_command_leaves_exactly_once_and_none_stays_beyond_its_time(
    steps: list[str], data: st.DataObject
) -> None:
    pending = PendingCommands(answer_timeout_s=3.0)
    now_s = 0.0
    since: dict[str, float] = {}
    left: list[str] = []
    for number, step in enumerate(steps):
        now_s += 0.5
        if step == "add":
            name = f"c{number}"
            since[name] = now_s
            pending.add(name, lambda _outcome, name=name: left.append(name), now_s)  # type: ignore[misc]
        elif step == "settle" and since:
            sink = pending.settle(data.draw(st.sampled_from(sorted(since))))
            if sink is not None:
                sink("answer")
        else:
            for sink in pending.expired(now_s):
                sink("late")
            assert all(name in left for name, at_s in since.items() if at_s + 3.0 <= now_s)
    assert len(left) == len(set(left))
    assert len(pending) == len(since) - len(left)


def test_after_the_link_was_away_nobody_waits_out_the_whole_deadline_for_an_answer_that_may_be_lost() -> None:
    """NATS restarts under load left senders waiting 30 s for acks that had been lost with the connection."""
    pending = PendingCommands(answer_timeout_s=30)
    first, second, later = [].append, {}.get, set().add
    pending.add("a", first, 0.0)
    pending.add("b", second, 29.0)
    pending.hasten(34.0)
    pending.add("c", later, 30.0)
    assert pending.expired(30.0) == [first]
    assert pending.expired(34.0) == [second]
    assert pending.expired(60.0) == [later]
