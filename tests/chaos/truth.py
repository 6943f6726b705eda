"""The end of a run: wait for quiet, read what the system holds, and ask every checker.

Promises: what is stored is read twice, by REST and by SQL, and must be the same; the same messages sent once more must
get the seqs they had; counts and presence that people were told are compared with the store's and with the sockets'.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from typing import Any, Final

import httpx
import psycopg

from chatterbus_contracts.limits import PRESENCE_MEMBERS_MAX
from tests.chaos.load import Load
from tests.chaos.sizes import Size
from tests.chaos.usage import FORGOTTEN_LATER, SLACK, STEADY_CONSUMERS
from tests.kit.checkers import Violation, check_base, check_converged, violations
from tests.kit.history import Attempt, Stored
from tests.kit.waiting import until

QUIET_WITHIN_S: Final = 45.0  # a silent gap is found by the position check within 30 s
SLOW_AFTER_S: Final = 3.0
SHOWN: Final = 10
CONVERGED_WITHIN_S: Final = 30.0
GONE_WITHIN_S: Final = 60.0
DRAINED_WITHIN_S: Final = 60.0
ASKED_AGAIN: Final = 40
LEAVERS_SHARE: Final = 0.2
AT_ONCE: Final = 8

Told = dict[str, object]


async def read_stored(load: Load) -> list[Violation]:
    """Fill `history.stored`. What REST and SQL disagree about."""
    by_sql: dict[str, list[tuple[int, int, str, str]]] = defaultdict(list)
    asked = "SELECT thread_id, seq, rev, sender_id, content FROM messages WHERE thread_id = ANY(%s) ORDER BY 1, 2"
    async with await psycopg.AsyncConnection.connect(load.cluster.dsn) as connection:
        for thread, *row in await (await connection.execute(asked, [list(load.history.members)])).fetchall():
            by_sql[thread].append(tuple(row))
    found: list[Violation] = []
    load.history.stored.clear()
    for thread, members in load.history.members.items():
        by_rest = await load.cluster.stack.history(thread, min(members))
        if [(m["seq"], m["rev"], m["senderId"], m["content"]) for m in by_rest] != by_sql[thread]:
            found.append(Violation("C1", "REST and SQL differ", thread))
        ids = {m["seq"]: m["id"] for m in by_rest}
        load.history.stored += [
            Stored(content, thread, seq, rev, ids.get(seq, f"{thread}/{seq}"), sender)
            for seq, rev, sender, content in by_sql[thread]
        ]
    return found


async def ask_again(load: Load) -> None:
    """Send some of the acked messages once more, through the other door: the acks are part of the history."""
    acked = [one for one in load.history.attempts if one.outcome == "ok"]
    for one in load.random.sample(acked, min(ASKED_AGAIN, len(acked))):
        body = {"threadId": one.thread, "content": one.value, "clientMessageId": one.value}
        async with load.cluster.stack.rest(one.client) as client:
            answer = await client.post("/api/chat/messages", json=body)
        if answer.status_code == httpx.codes.CREATED:
            again = Attempt(one.value, one.client, one.thread, one.order, "ok", time.monotonic(), answer.json()["seq"])
            load.history.attempts.append(again)


async def quiet(load: Load) -> tuple[float, list[Violation]]:
    """Wait until every view shows every message. How long that took, and which did not."""
    last = {message.thread: message.seq for message in sorted(load.history.stored, key=lambda one: one.seq)}

    def behind() -> list[str]:
        return [
            f"{person.user} in {name}: at {thread.last_seq} of {last.get(name, 0)}, {person.where(name)}"
            for person in load.people.values()
            for name, thread in person.threads_seen.items()
            if thread.last_seq < last.get(name, 0) or not thread.caught_up
        ]

    began = time.monotonic()
    with contextlib.suppress(AssertionError):
        await until(lambda: not behind(), SLOW_AFTER_S, "every view is complete soon")
    if late := behind():
        print(f"behind {SLOW_AFTER_S:g} s after all was answered:", *late[:SHOWN], sep="\n  ", flush=True)
    try:
        await until(lambda: not behind(), QUIET_WITHIN_S, "every view is complete")
    except AssertionError:
        return time.monotonic() - began, [Violation("C3", "never caught up", about) for about in behind()]
    await until(lambda: load.poller.rev >= max(polled_revs(load), default=0), QUIET_WITHIN_S, "the poller has all")
    return time.monotonic() - began, []


def polled_revs(load: Load) -> list[int]:
    """The revs of the messages of the polled thread."""
    return [message.rev for message in load.history.stored if message.thread == load.hot]


def note_views(load: Load) -> None:
    """What people see at the end. A view may begin late: what it does not hold is not compared."""
    values: dict[str, dict[int, str]] = defaultdict(dict)
    for message in load.history.stored:
        values[message.thread][message.seq] = message.value
    for person in load.people.values():
        for name, thread in person.threads_seen.items():
            shown = [message.content for message in thread.messages]
            before = [values[name][seq] for seq in sorted(values[name]) if seq < thread.oldest_seq]
            load.history.views[person.user, name] = before + shown


async def unread_converges(load: Load) -> tuple[float, list[Violation]]:
    """C6: what was pushed against what the store counts. How long until they agreed."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def counted(user: str) -> object:
        async with limit, load.cluster.stack.rest(user) as client:
            answer = (await client.get("/api/chat/unread")).raise_for_status().json()
        return {i["threadId"]: i["unread"] for i in answer["items"] if i["unread"]}, answer["totalUnread"]

    users = list(load.people)
    truth = dict(zip(users, await asyncio.gather(*map(counted, users)), strict=True))

    def told() -> Told:
        return {
            user: ({name: item.unread for name, item in person.unread_threads.items()}, person.total_unread)
            for user, person in load.people.items()
        }

    return await _converge("unread", told, truth, CONVERGED_WITHIN_S)


async def presence_converges(load: Load) -> tuple[float, list[Violation]]:
    """C6: some leave; those who stay see who is here and who is not, by push and by REST."""
    count = max(1, int(len(load.people) * LEAVERS_SHARE))
    leavers = load.random.sample(sorted(load.people), count)
    gone = [load.people.pop(name) for name in leavers]
    await asyncio.gather(*(person.close() for person in gone))
    here = set(load.people)
    truth: Told = {}
    for user in here:
        circles = [load.history.members[thread] for thread in load.threads_of(user)]
        # Larger threads do not tell who comes and goes: one asks (docs/presence.md).
        known = {other for circle in circles if len(circle) <= PRESENCE_MEMBERS_MAX for other in circle} - {user}
        truth |= {f"{user} sees {other}": "online" if other in here else "offline" for other in known}

    def told() -> Told:
        found: Told = {}
        for key in truth:
            user, _, other = key.partition(" sees ")
            shown = load.people[user].presence.get(other)
            found[key] = "offline" if shown is None else shown.status
        return found

    return await _converge("presence", told, truth, GONE_WITHIN_S)


async def drained(load: Load, base: dict[str, float], size: Size) -> tuple[float, list[Violation]]:
    """C7, after everybody has left. The quick runs do not wait for NATS to forget the consumers of those killed."""
    found: list[Violation] = []
    base = {**base, "nats.consumers": STEADY_CONSUMERS}
    slack = SLACK if size.is_full else {**SLACK, **FORGOTTEN_LATER}

    async def back() -> bool:
        found[:] = check_base(base, await load.cluster.usage.now(), slack)
        return not found

    began = time.monotonic()
    with contextlib.suppress(AssertionError):
        await until(back, DRAINED_WITHIN_S, "everything is given back")
    return time.monotonic() - began, found


async def _converge(what: str, told: Any, truth: Told, within_s: float) -> tuple[float, list[Violation]]:
    began = time.monotonic()
    with contextlib.suppress(AssertionError):
        await until(lambda: told() == truth, within_s, f"{what} is told as it is")
    return time.monotonic() - began, check_converged(what, told(), truth)


def judged(load: Load) -> list[Violation]:
    """C1 to C5, and that nothing was left without an answer."""
    found = violations(load.history)
    found += [Violation("G14", "never answered", value) for value in sorted(load.unanswered)]
    found += [
        Violation("C6", "an older count was told", f"{person.user}: {about}")
        for person in load.people.values()
        for about in person.older_counts
    ]
    found += [
        Violation("G6", "a thread was lost", f"{person.user}: {name}")
        for person in load.people.values()
        for name in person.lost_threads
    ]
    return found
