"""Which membership questions a gap causes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_gateway.doubts import Doubts, Question, Verdict
from chatterbus_gateway.feed import Feed
from tests.unit.gateway.test_feed import event, joined

GONE = Refusal(ErrorCode.NOT_A_MEMBER, "removed")


def feed_of(thread_id: str, *users: str) -> Feed:
    feed = Feed(ThreadId(thread_id))
    for user in users:
        joined(feed, user, 1)
    return feed


def taken(doubts: Doubts) -> list[Question]:
    questions = []
    while (question := doubts.take()) is not None:
        questions.append(question)
    return questions


def test_each_user_is_asked_for_once_however_many_devices_and_gaps() -> None:
    feed, doubts = feed_of("t", "anna", "bob", "anna"), Doubts()
    for _ in range(3):
        doubts.add(feed)
    questions = taken(doubts)
    assert [question.user_id for question in questions] == ["anna", "bob"]
    for question in questions:
        doubts.settle(question)
    assert (doubts.take(), len(doubts)) == (None, 0)


def test_gaps_during_a_check_cause_one_more_behind_it() -> None:
    feed, doubts = feed_of("t", "anna"), Doubts()
    doubts.add(feed)
    (question,) = taken(doubts)
    doubts.add(feed)
    doubts.add(feed)
    assert doubts.take() is None
    doubts.settle(question)
    assert len(taken(doubts)) == 1


def test_an_unanswered_question_comes_again_behind_the_others() -> None:
    doubts = Doubts()
    doubts.add(feed_of("t1", "anna", "bob"))
    doubts.add(feed_of("t2", "carl"))
    first = doubts.take()
    assert first is not None
    doubts.put_back(first)
    assert [question.user_id for question in taken(doubts)] == ["bob", "anna", "carl"]


def test_nobody_is_asked_for_who_left() -> None:
    feed, doubts = feed_of("t", "bob"), Doubts()
    anna = joined(feed, "anna", 1)
    doubts.add(feed)
    questions = taken(doubts)
    feed.leave(anna)
    for question in questions:
        doubts.put_back(question)
    assert [question.user_id for question in taken(doubts)] == ["bob"]
    doubts.add(Feed(ThreadId("empty")))
    assert doubts.take() is None


def test_only_a_refusal_as_no_member_ends_the_following() -> None:
    feed = feed_of("t", "anna")
    for code in ErrorCode:
        expected = code in (ErrorCode.NOT_A_MEMBER, ErrorCode.THREAD_NOT_FOUND)
        found = next(iter(feed.live_users))
        verdict = Question(feed, found).verdict(Refusal(code, "no"))
        assert verdict is (Verdict.IS_GONE if expected else Verdict.ASK_AGAIN)
    assert Question(feed, found).verdict(None) is Verdict.STAYS


def test_a_refusal_older_than_an_admission_is_not_believed() -> None:
    feed = feed_of("t", "anna", "bob")
    question = Question(feed, next(iter(feed.live_users)))
    feed.receive([event(2, "member_added", "anna")])
    assert question.verdict(GONE) is Verdict.ASK_AGAIN
    question = Question(feed, question.user_id)
    joined(feed, "anna", 2)
    assert question.verdict(GONE) is Verdict.ASK_AGAIN


@given(st.lists(st.tuples(st.sampled_from(("add", "take", "settle", "put back")), st.integers(0, 2)), max_size=60))
def test_whatever_comes_between_everybody_is_asked_for_after_the_last_doubt(steps: list[tuple[str, int]]) -> None:
    feeds = [feed_of(f"t{n}", "anna", "bob") for n in range(3)]
    doubts, asking = Doubts(), list[Question]()
    owed: set[tuple[Feed, str]] = set()
    for step, n in steps:
        if step == "add":
            doubts.add(feeds[n])
            owed |= {(feeds[n], user) for user in feeds[n].live_users}
        elif step == "take" and (question := doubts.take()) is not None:
            asking.append(question)
            owed.discard((question.feed, question.user_id))
        elif asking and step in ("settle", "put back"):
            question = asking.pop(n % len(asking))
            if step == "put back":
                owed.add((question.feed, question.user_id))
                doubts.put_back(question)
            else:
                doubts.settle(question)
    while asking or len(doubts):
        question = doubts.take() or asking.pop()
        if question in asking:
            continue
        owed.discard((question.feed, question.user_id))
        doubts.settle(question)
    assert not owed
