"""Quotes and details in a thread's view: true whenever they are looked at."""

from tests.unit.client.test_timeline import new_model, started


def test_a_quote_follows_the_message_it_quotes() -> None:
    model = new_model(10)
    model.send("bob", "b1", "because", reply_to=2)
    timeline = started(model, history=1)
    [reply] = timeline.messages
    assert reply.reply_to is not None
    assert (reply.reply_to.sender_id, reply.reply_to.content) == ("alice", "text 1")
    before_the_delete = model.history(limit=1).items
    [deleted] = model.delete(2)
    timeline.receive(deleted)
    timeline.receive_history(before_the_delete)
    [reply] = timeline.messages
    assert reply.reply_to is not None
    assert (reply.reply_to.content, reply.reply_to.deleted) == ("", True)


def test_a_reply_that_comes_live_quotes_what_is_loaded() -> None:
    model = new_model(3)
    timeline = started(model)
    _, [event] = model.send("bob", "b1", "because", reply_to=2)
    timeline.receive(event)
    assert timeline.messages[-1] == model.quoted(4)


def test_details_that_were_read_before_a_change_of_the_title_do_not_bring_the_old_one_back() -> None:
    model = new_model()
    timeline = started(model)
    before = model.details()
    for event in model.retitle("newer"):
        timeline.receive(event)
    timeline.receive_details(before)
    assert timeline.details is not None
    assert timeline.details.title == "newer"
