"""A large thread, of whose members a frame names the first: whatever happens meanwhile, all are there in the end."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_client.timeline import Timeline
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import Change, Receipts
from tests.unit.client.peer import Peer
from tests.unit.client.thread_model import ThreadModel

USERS = [f"user-{n}" for n in range(8)]
PAGE = 2


def new_model() -> ThreadModel:
    model = ThreadModel(ThreadId("demo"), members_max=PAGE)
    for user in USERS:
        model.join(user)
    model.send(USERS[0], "first", "hello")
    return model


HAPPENINGS: dict[str, Callable[[ThreadModel, str], list[Change]]] = {
    "leaves": lambda model, user: model.remove(user),
    "joins": lambda model, user: model.join(user),
    "reads": lambda model, user: model.read(user, model.last_seq),
    "sends": lambda model, user: model.send(user, f"m{model.last_seq}", "more")[1],
}


def is_member(model: ThreadModel, user: str) -> bool:
    return any(member.user_id == user for member in model.member_states())


@given(st.lists(st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.sampled_from(USERS), st.booleans()), max_size=30))
def test_pages_and_events_in_any_order_give_all_members(steps: list[tuple[str, str, bool]]) -> None:
    model, timeline = new_model(), Timeline("demo")
    timeline.subscribed(model.sync(None)[0])
    assert timeline.needs == "members"
    assert len(timeline.members) == PAGE
    under_way: Receipts | None = None
    for kind, user, fetches in steps:
        if fetches and timeline.needs == "members" and under_way is None:
            under_way = model.members_behind(timeline.members_cursor)  # read now, and applied after what happens next
        if is_member(model, user) or kind == "joins":
            for event in HAPPENINGS[kind](model, user):
                timeline.receive(event)  # type: ignore[arg-type]
        if not fetches and under_way is not None:
            timeline.receive_members(under_way)
            under_way = None
    if under_way is not None:
        timeline.receive_members(under_way)
    while timeline.needs == "members":
        timeline.receive_members(model.members_behind(timeline.members_cursor))
    assert timeline.needs == "nothing"
    assert {name: (one.read_seq, one.role) for name, one in timeline.members.items()} == {
        one.user_id: (one.read_seq, one.role) for one in model.member_states()
    }


async def test_the_client_reads_the_further_pages_itself_before_it_shows_the_thread() -> None:
    async with Peer() as peer:
        peer.threads["demo"] = new_model()
        async with peer.client() as client:
            await client.wait_online()
            thread = await client.thread("demo")
            assert set(thread.members) == {*USERS, "alice"}
            assert [each.user_id for each in (await client.receipts("demo")).items] == sorted(thread.members)
