"""P5: what a blocked socket costs is bounded, and durable frames keep their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_gateway.outbox import Outbox

SIZES = st.integers(1, 30)
ADD = st.tuples(st.just("durable"), SIZES, st.just("")) | st.tuples(
    st.just("ephemeral"), SIZES, st.sampled_from("abcd")
)
TAKE = st.tuples(st.just("take"), SIZES, st.just(""))


@given(st.lists(ADD | TAKE, max_size=60))
def test_lanes_stay_within_their_bounds_and_durable_frames_leave_in_order(steps: list[tuple[str, int, str]]) -> None:
    outbox = Outbox(durable_max=100, ephemeral_max=50)
    waiting: list[bytes] = []
    latest: dict[str, bytes] = {}
    for number, (what, size, key) in enumerate(steps):
        if what == "durable":
            frame = b"D%d" % number + b"." * size
            fits = sum(map(len, waiting)) + len(frame) <= 100
            assert outbox.add_durable(frame) == fits
            if fits:
                waiting.append(frame)
        elif what == "ephemeral":
            latest[key] = b"E%s%d" % (key.encode(), number) + b"." * size
            outbox.add_ephemeral(key, latest[key])
        else:
            taken = outbox.take(size)
            durable = [frame for frame in taken if frame.startswith(b"D")]
            assert durable == waiting[: len(durable)]
            del waiting[: len(durable)]
            ephemeral = taken[len(durable) :]
            assert not (ephemeral and waiting), "ephemeral frames leave after durable ones"
            assert all(latest[chr(frame[1])] == frame for frame in ephemeral), "only the latest of a key is kept"
            assert len(taken) <= 1 or sum(map(len, taken)) <= size
        assert outbox.durable_bytes == sum(map(len, waiting)) <= 100
        assert outbox.ephemeral_bytes <= 50
    rest = outbox.take(1_000)
    assert [frame for frame in rest if frame.startswith(b"D")] == waiting
    assert not outbox
    assert outbox.durable_bytes == outbox.ephemeral_bytes == 0


def test_the_oldest_ephemeral_frames_are_dropped_first_and_counted() -> None:
    outbox = Outbox(durable_max=10, ephemeral_max=10)
    assert outbox.add_ephemeral("a", b"aaaa") == 0
    assert outbox.add_ephemeral("b", b"bbbb") == 0
    assert outbox.add_ephemeral("c", b"cccc") == 1
    assert outbox.take(100) == [b"bbbb", b"cccc"]


def test_typing_that_waits_does_not_leave_after_the_message_that_ended_it() -> None:
    outbox = Outbox(durable_max=100, ephemeral_max=100)
    outbox.add_ephemeral("typing/t1/bob", b"bob is typing")
    outbox.add_ephemeral("presence/bob", b"bob is here")
    outbox.add_durable(b"bob's message")
    outbox.add_ephemeral("typing/t1/carl", b"carl is typing")
    assert outbox.take(100) == [b"bob's message", b"bob is here", b"carl is typing"]
    assert outbox.ephemeral_bytes == 0
    outbox.add_ephemeral("typing/t1/bob", b"bob is typing")
    assert outbox.take(100) == [b"bob is typing"]
    assert outbox.add_durable(b"bob's message")
