"""The fair share: everybody acts for himself, and it comes out even."""

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_persister.ownership import fair_share

Holders = dict[int, frozenset[int]]
ROUNDS = 4  # release, take, and twice where a tie was broken anew in between


@st.composite
def situations(draw: st.DrawFn) -> tuple[Holders, int]:
    """Live instances, each partition held by one of them or by nobody."""
    instances = draw(st.lists(st.integers(1, 99_999), min_size=1, max_size=6, unique=True))
    owners = draw(st.lists(st.sampled_from([None, *instances]), min_size=1, max_size=16))
    return {
        each: frozenset(partition for partition, owner in enumerate(owners) if owner == each) for each in instances
    }, len(owners)


def act(me: int, holders: Holders, partitions: int) -> Holders:
    """The situation after `me` has followed his plan; a lock that another holds is not given."""
    plan = fair_share(me, holders, partitions)
    others = frozenset[int]().union(*(held for instance, held in holders.items() if instance != me))
    assert not others & set(plan.take), "takes what another still holds"
    return {**holders, me: holders[me] - set(plan.release) | set(plan.take)}


@given(situations(), st.randoms(use_true_random=False))
def test_after_a_few_rounds_each_partition_has_one_owner_and_shares_differ_by_one_at_most(
    situation: tuple[Holders, int], random: st.DataObject
) -> None:
    holders, partitions = situation
    for _ in range(ROUNDS):
        order = list(holders)
        random.shuffle(order)  # type: ignore[attr-defined]
        for me in order:
            holders = act(me, holders, partitions)
    owned = sorted(partition for held in holders.values() for partition in held)
    assert owned == list(range(partitions))
    counts = [len(held) for held in holders.values()]
    assert max(counts) - min(counts) <= 1


@given(situations())
def test_an_even_situation_is_left_alone(situation: tuple[Holders, int]) -> None:
    holders, partitions = situation
    for _ in range(ROUNDS):
        for me in holders:
            holders = act(me, holders, partitions)
    assert {me: act(me, holders, partitions) for me in holders} == dict.fromkeys(holders, holders)


@given(situations())
def test_nobody_releases_more_than_his_surplus(situation: tuple[Holders, int]) -> None:
    holders, partitions = situation
    for me, held in holders.items():
        kept = len(held) - len(fair_share(me, holders, partitions).release)
        assert kept >= min(len(held), partitions // len(holders))


def test_a_lone_instance_takes_everything() -> None:
    assert fair_share(7, {7: frozenset()}, 4).take == (0, 1, 2, 3)


def test_two_instances_split_four_partitions_in_halves() -> None:
    holders = {1: frozenset({0, 1, 2, 3}), 2: frozenset[int]()}
    assert fair_share(2, holders, 4).take == ()
    assert fair_share(1, holders, 4).release == (2, 3)
    assert fair_share(2, {1: frozenset({0, 1}), 2: frozenset()}, 4).take == (2, 3)


def test_more_instances_than_partitions_leave_some_without() -> None:
    holders = {instance: frozenset({instance} if instance < 2 else ()) for instance in range(5)}
    assert [fair_share(me, holders, 2).take for me in holders] == [()] * 5


@given(situations())
def test_plans_made_from_the_same_situation_never_take_the_same_partition(situation: tuple[Holders, int]) -> None:
    """Two persisters that started together both reached for the first two partitions, and nobody read the last two."""
    holders, partitions = situation
    taken = [partition for me in holders for partition in fair_share(me, holders, partitions).take]
    assert len(taken) == len(set(taken))


def test_instances_that_start_together_take_everything_in_one_round() -> None:
    nobody: Holders = {7: frozenset(), 9: frozenset()}
    assert {*fair_share(7, nobody, 4).take, *fair_share(9, nobody, 4).take} == {0, 1, 2, 3}
