"""One thread's view: whatever the network does to the events, the view ends equal to the server's thread."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_client.timeline import ThreadEvent, Timeline, applied_types
from chatterbus_contracts.frames.server import MessageCreated, Subscribed
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import Change
from chatterbus_contracts.states import Role
from tests.unit.client.thread_model import ThreadModel

USERS = ["alice", "bob", "carol"]


def new_model(messages: int = 3) -> ThreadModel:
    model = ThreadModel(ThreadId("demo"))
    for user in USERS:
        model.join(user)
    for number in range(messages):
        model.send("alice", f"a{number}", f"text {number}")
    return model


def started(model: ThreadModel, *, history: int = 50) -> Timeline:
    timeline = Timeline("demo")
    timeline.subscribed(model.sync(None)[0])
    timeline.receive_history(model.history(limit=history).items)
    return timeline


def catch_up(timeline: Timeline, model: ThreadModel, page_limit: int = 500) -> list[ThreadEvent]:
    """What the shell does when something is missing."""
    applied: list[ThreadEvent] = []
    for _ in range(1_000):
        if timeline.needs == "nothing":
            return applied
        if timeline.needs == "history":
            timeline.replace(model.history().items)
            if timeline.details is not None:
                timeline.receive_details(model.details())
        else:
            timeline.fetching()
            applied.extend(timeline.receive_page(model.changes(timeline.resume_rev, page_limit)))
    raise AssertionError(f"no end of {timeline.needs}")


def assert_equal(timeline: Timeline, model: ThreadModel) -> None:
    assert timeline.needs == "nothing"
    assert timeline.rev == model.rev
    assert timeline.last_seq == model.last_seq
    shown = [model.quoted(seq) for seq in range(timeline.oldest_seq, model.last_seq + 1)]
    assert [state.model_copy(update={"reply_to": None}) for state in timeline.messages] == [
        state.model_copy(update={"reply_to": None}) for state in shown
    ]
    for state, true in zip(timeline.messages, shown, strict=True):
        assert state.reply_to in (None, true.reply_to), "a quote that is not true any more"
        quoted = None if true.reply_to_id is None else timeline.message(int(true.reply_to_id.rpartition("~")[2]))
        assert quoted is None or state.reply_to == true.reply_to, "the quoted message is here and is not shown"
    expected = {state.user_id: (state.role, state.read_seq, state.delivered_seq) for state in model.member_states()}
    assert {user: (m.role, m.read_seq, m.delivered_seq) for user, m in timeline.members.items()} == expected
    if timeline.details is not None:
        assert (timeline.details.title, timeline.details.metadata) == (model.title, model.metadata)


def test_every_event_of_a_thread_can_be_applied() -> None:
    union = {argument.__name__ for argument in ThreadEvent.__args__}
    assert {kind.__name__ for kind in applied_types()} == union


def test_a_first_subscribe_starts_at_the_servers_position() -> None:
    model = new_model()
    timeline = Timeline("demo")
    assert timeline.needs == "replay"
    timeline.subscribed(model.sync(None)[0])
    assert (timeline.rev, timeline.last_seq, timeline.messages) == (model.rev, 3, [])
    assert timeline.needs == "nothing"


def test_a_repeated_event_is_applied_once() -> None:
    model = new_model()
    timeline = started(model)
    _, [event] = model.send("bob", "b1", "hello")
    assert timeline.receive(event) == [event]
    assert timeline.receive(event) == []
    assert_equal(timeline, model)


def test_events_out_of_order_come_out_in_order() -> None:
    model = new_model()
    timeline = started(model)
    _, [first] = model.send("bob", "b1", "one")
    _, [second] = model.send("bob", "b2", "two")
    assert timeline.receive(second) == []
    assert timeline.needs == "changes"
    assert timeline.receive(first) == [first, second]
    assert_equal(timeline, model)


def test_a_gap_is_filled_by_changes_and_held_events_are_not_told_twice() -> None:
    model = new_model()
    timeline = started(model)
    model.send("bob", "b1", "lost")
    _, [held] = model.send("bob", "b2", "held")
    timeline.receive(held)
    applied = catch_up(timeline, model)
    assert [event.data.content for event in applied if isinstance(event, MessageCreated)] == ["lost", "held"]
    assert timeline.receive(held) == []
    assert_equal(timeline, model)


def test_a_page_that_is_older_than_live_events_takes_nothing_back() -> None:
    model = new_model()
    timeline = started(model)
    timeline.resync()
    timeline.fetching()
    page = model.changes(timeline.resume_rev)
    [edit] = model.edit(1, "newer")
    timeline.receive(edit)
    timeline.receive_page(page)
    assert timeline.messages[0].content == "newer"
    assert_equal(timeline, model)


def test_a_history_page_that_was_read_before_an_edit_does_not_bring_the_old_text_back() -> None:
    model = new_model(10)
    timeline = started(model, history=2)
    page = model.history(before_seq=timeline.oldest_seq)
    [edit] = model.edit(1, "newer")
    timeline.receive(edit)
    assert timeline.oldest_seq == 9
    timeline.receive_history(page.items)
    assert timeline.oldest_seq == 1
    assert timeline.messages[0].content == "newer"


def test_an_edit_of_a_message_that_is_not_loaded_makes_no_hole_in_the_view() -> None:
    model = new_model(10)
    timeline = started(model, history=2)
    [edit] = model.edit(3, "newer")
    assert timeline.receive(edit) == [edit]
    assert [message.seq for message in timeline.messages] == [9, 10]


def test_a_doubt_raised_during_a_fetch_outlives_it() -> None:
    model = new_model()
    timeline = started(model)
    timeline.resync()
    timeline.fetching()
    page = model.changes(timeline.resume_rev)
    timeline.resync()
    timeline.receive_page(page)
    assert timeline.needs == "changes"


def test_a_resumed_subscription_replays_superseded_changes_without_seeing_gaps() -> None:
    model = new_model()
    timeline = started(model)
    timeline.disconnected()
    model.send("bob", "b1", "one")
    model.edit(4, "two")
    model.edit(4, "three")
    frame, changes = model.sync(timeline.resume_rev)
    timeline.subscribed(frame)
    assert timeline.needs == "replay"
    applied = [event for change in changes for event in timeline.receive(change)]
    [created] = [event for event in applied if isinstance(event, MessageCreated)]
    assert created.data.content == "three"
    assert_equal(timeline, model)


def test_a_replay_cut_between_two_changes_of_one_rev_loses_neither() -> None:
    model = new_model()
    timeline = started(model)
    model.send("bob", "b1", "one")
    frame, changes = model.sync(timeline.resume_rev)
    assert len({change.rev for change in changes}) < len(changes)
    for cut_after in range(len(changes) + 1):
        timeline = Timeline("demo")
        timeline.subscribed(Subscribed.model_validate(frame.model_copy(update={"rev": 6, "last_seq": 3})))
        timeline.subscribed(frame)
        before = [event for change in changes[:cut_after] for event in timeline.receive(change)]
        timeline.disconnected()
        timeline.subscribed(model.sync(timeline.resume_rev)[0])
        after = [event for change in model.sync(timeline.resume_rev)[1] for event in timeline.receive(change)]
        told = [(event.rev, event.type) for event in before + after]
        assert (7, "message") in told
        assert len(told) == len(set(told))
        timeline.disconnected()
        catch_up(timeline, model)
        assert timeline.message(4) == model.messages[4]


def test_a_page_is_followed_by_fetching_the_rest_while_live_events_wait() -> None:
    model = new_model()
    timeline = started(model)
    timeline.disconnected()
    for number in range(20):
        model.send("bob", f"b{number}", f"missed {number}")
    frame, changes = model.sync(timeline.resume_rev, limit=5)
    assert frame.result == "page"
    timeline.subscribed(frame)
    for change in changes:
        timeline.receive(change)
    assert timeline.needs == "changes"
    _, [live] = model.send("bob", "live", "live")
    assert timeline.receive(live) == []
    catch_up(timeline, model, page_limit=5)
    assert_equal(timeline, model)


def test_the_view_stays_readable_during_a_reset_and_is_exact_after_it() -> None:
    timeline = started(new_model(5))
    restored = new_model(2)
    frame, _ = restored.sync(timeline.resume_rev)
    assert frame.result == "reset"
    timeline.disconnected()
    timeline.subscribed(frame)
    assert timeline.needs == "history"
    assert [message.seq for message in timeline.messages] == [1, 2]
    _, [live] = restored.send("bob", "b1", "live")
    timeline.receive(live)
    assert [message.seq for message in timeline.messages] == [1, 2, 3]
    timeline.replace(restored.history().items)
    assert_equal(timeline, restored)


def test_a_replaced_store_makes_every_old_rev_void() -> None:
    timeline = started(new_model(5))
    other = ThreadModel(ThreadId("demo"))
    other.join("bob")
    other.send("bob", "x", "other")
    timeline.abandon()
    timeline.subscribed(other.sync(None)[0])
    catch_up(timeline, other)
    assert_equal(timeline, other)


def test_the_view_is_bounded_and_keeps_the_newest() -> None:
    model = new_model(0)
    timeline = Timeline("demo", messages_max=20)
    timeline.subscribed(model.sync(None)[0])
    for number in range(100):
        timeline.receive(model.send("alice", f"a{number}", "text")[1][0])
    assert len(timeline.messages) <= 20
    assert timeline.messages[-1].seq == 100
    seqs = [message.seq for message in timeline.messages]
    assert seqs == list(range(timeline.oldest_seq, 101))


def test_events_held_above_a_gap_are_bounded_and_nothing_is_lost_by_it() -> None:
    model = new_model(0)
    timeline = Timeline("demo", held_max=10)
    timeline.subscribed(model.sync(None)[0])
    timeline.receive_history([])
    model.send("alice", "lost", "lost")
    for number in range(50):
        timeline.receive(model.send("alice", f"a{number}", "text")[1][0])
    assert len(timeline._held) <= 10
    catch_up(timeline, model)
    assert_equal(timeline, model)


WRITES = ["send", "send", "reply", "edit", "delete", "react", "unreact"]
MOVES = ["read", "deliver", "join", "promote", "remove", "title", "untitle"]
ACTIONS = st.lists(
    st.tuples(st.sampled_from([*WRITES, *MOVES]), st.sampled_from(USERS), st.integers(1, 12)), max_size=25
)


class SlowRest:
    """Reads that the application makes by itself; an answer may come long after it was true."""

    def __init__(self, model: ThreadModel, chance: random.Random) -> None:
        self._model = model
        self._chance = chance
        self._late = model.history(limit=2).items
        self._late_details = model.details()

    def may_answer(self, timeline: Timeline) -> None:
        if self._chance.random() < 0.2:
            timeline.receive_history(self._model.history(before_seq=timeline.oldest_seq, limit=3).items)
        if self._chance.random() < 0.1:
            self._late = self._model.history(limit=self._chance.randint(1, 8)).items
            self._late_details = self._model.details()
        if self._chance.random() < 0.2:
            timeline.receive_history(self._late)
        if self._chance.random() < 0.1:
            timeline.receive_details(self._late_details)


def resume(timeline: Timeline, model: ThreadModel, page_limit: int, chance: random.Random) -> list[ThreadEvent]:
    """New connections, the first ones cut in the middle of their replay."""
    told: list[ThreadEvent] = []
    for attempt in range(3):
        timeline.disconnected()
        frame, changes = model.sync(timeline.resume_rev, limit=page_limit)
        timeline.subscribed(frame)
        arriving = len(changes) if attempt == 2 else chance.randint(0, len(changes))
        for change in changes[:arriving]:
            told.extend(timeline.receive(change))
    return told


def perform(model: ThreadModel, action: tuple[str, str, int], serial: int) -> list[Change]:
    what, user, seq = action
    if what in ("send", "reply") and model.members[user].removed:
        return []
    text = f"text {serial}"
    acts = {
        "send": lambda: model.send(user, f"{user}-{serial}", text)[1],
        "reply": lambda: model.send(user, f"{user}-{serial}", text, reply_to=min(seq, model.last_seq))[1],
        "react": lambda: model.react(user, seq, "👍"),
        "unreact": lambda: model.react(user, seq, "👍", on=False),
        "edit": lambda: model.edit(seq, f"edited {serial}"),
        "delete": lambda: model.delete(seq),
        "read": lambda: model.read(user, seq),
        "deliver": lambda: model.deliver(user, seq),
        "join": lambda: model.join(user),
        "promote": lambda: model.join(user, Role.OWNER),
        "remove": lambda: model.remove(user),
        "title": lambda: model.retitle(f"title {serial}", {"serial": serial}),
        "untitle": lambda: model.retitle(None),
    }
    return acts[what]()


@settings(max_examples=400, deadline=None)
@given(
    actions=ACTIONS,
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.2, 0.6]),
    reconnect=st.sampled_from([0.0, 0.15, 0.4]),
    page_limit=st.integers(1, 6),
)
def test_after_any_loss_repetition_reordering_and_catch_up_the_view_equals_the_servers(
    actions: list[tuple[str, str, int]], seed: int, loss: float, reconnect: float, page_limit: int
) -> None:
    chance = random.Random(seed)
    model = new_model(4)
    timeline = started(model, history=chance.randint(0, 6))
    told: list[ThreadEvent] = []
    on_the_way: list[Change] = []
    rest = SlowRest(model, chance)
    for serial, action in enumerate(actions):
        on_the_way.extend(perform(model, action, serial))
        if chance.random() < 0.3:
            chance.shuffle(on_the_way)
        while on_the_way and chance.random() < 0.7:
            event = on_the_way.pop(0)
            if chance.random() < 0.2:
                on_the_way.append(event)
            if chance.random() >= loss:
                told.extend(timeline.receive(event))
        if chance.random() < reconnect:
            on_the_way.clear()
            told.extend(resume(timeline, model, page_limit, chance))
        if chance.random() < 0.3:
            told.extend(catch_up(timeline, model, page_limit))
        rest.may_answer(timeline)
    timeline.resync()
    told.extend(catch_up(timeline, model, page_limit))
    assert_equal(timeline, model)
    facets = {"message_updated": "message", "message_deleted": "message", "member_removed": "member_added"}
    changes = {(event.rev, facets.get(event.type, event.type)) for event in told}
    assert len(changes) == len(told), "a change was told twice"
    assert [event.rev for event in told] == sorted(event.rev for event in told), "told out of order"


def test_one_change_told_live_and_then_by_a_page_under_another_name_is_told_once() -> None:
    model = new_model(3)
    timeline = started(model)
    _, [sent] = model.send("bob", "b1", "one")
    [edited] = model.edit(4, "two")
    timeline.fetching()
    page = model.changes(timeline.resume_rev)
    told = timeline.receive(sent) + timeline.receive(edited) + timeline.receive_page(page)
    assert [(event.type, event.rev) for event in told if event.type != "read_receipt"] == [
        ("message", sent.rev),
        ("message_updated", edited.rev),
    ]
    assert_equal(timeline, model)


@pytest.mark.parametrize("read_seq", [1, 3])
def test_reading_implies_delivered(read_seq: int) -> None:
    model = new_model()
    timeline = started(model)
    for event in model.read("bob", read_seq):
        timeline.receive(event)
    assert (timeline.members["bob"].read_seq, timeline.members["bob"].delivered_seq) == (read_seq, read_seq)
