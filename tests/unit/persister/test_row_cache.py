"""Rows remembered between batches."""

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.row_cache import RowCache
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.ledger.working_set import Keys, WorkingSet, keys_of
from tests.kit.ledger_commands import edit, register, remove
from tests.kit.ledger_worker import START


def rows(*names: str) -> WorkingSet:
    """A thread of each name with one member."""
    found = WorkingSet()
    for name in names:
        thread, user = ThreadId(name), UserId("ann")
        found.threads[thread] = ThreadRow(thread, None, None, False, user, START)
        found.members[(thread, user)] = MemberRow(thread, user, "user", Role.OWNER, START)
    return found


def keys(*names: str) -> Keys:
    found = rows(*names)
    return Keys(dict.fromkeys(found.threads), dict.fromkeys(found.members))


def test_what_was_committed_is_not_loaded_again() -> None:
    cache = RowCache(10)
    kept = rows("t", "u")
    cache.keep(kept)
    missing = cache.missing(keys("t", "v"))
    assert (list(missing.threads), list(missing.members)) == (["v"], [("v", "ann")])
    together = cache.working_set(keys("t", "v"), rows("v"))
    assert together.threads.keys() == {"t", "v"}
    assert together.threads[ThreadId("t")] is kept.threads[ThreadId("t")]


def test_it_holds_no_more_than_its_bound_and_forgets_the_least_used() -> None:
    cache = RowCache(4)
    cache.keep(rows("t", "u"))
    cache.keep(rows("t"))
    cache.keep(rows("v"))
    assert len(cache) == 4
    assert list(cache.missing(keys("t", "u", "v")).threads) == ["u"]


def test_without_room_nothing_is_remembered() -> None:
    cache = RowCache(0)
    cache.keep(rows("t"))
    assert len(cache) == 0


def test_after_forgetting_everything_is_loaded() -> None:
    cache = RowCache(10)
    cache.keep(rows("t"))
    cache.forget()
    assert list(cache.missing(keys("t")).threads) == ["t"]


def test_messages_files_and_owners_are_always_asked_for() -> None:
    cache = RowCache(10)
    cache.keep(rows("t"))
    asked = keys_of([remove("t", "ann", "bob"), edit("t", "ann", 1, "x"), register("t", "ann", 1)])
    missing = cache.missing(asked)
    assert (missing.owners, missing.messages, missing.attachments) == (asked.owners, asked.messages, asked.attachments)
    assert list(missing.threads) == []


def test_an_owner_who_was_loaded_though_remembered_is_the_remembered_one() -> None:
    cache = RowCache(10)
    kept = rows("t")
    cache.keep(kept)
    together = cache.working_set(keys_of([remove("t", "bob", "bob")]), rows("t"))
    key = (ThreadId("t"), UserId("ann"))
    assert together.members[key] is kept.members[key]
