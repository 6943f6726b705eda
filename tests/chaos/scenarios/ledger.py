"""The persister against its ledger: kills at exact points, zombies, thieves, cuts at COMMIT, poison."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from tests.chaos.crowd import POISON, Crowd
from tests.chaos.figures import Figures
from tests.chaos.rig import DONE_SINCE, Persister, Rig, Thief, open_rig
from tests.chaos.sizes import Size, seed
from tests.chaos.verdict import verdict
from tests.kit.checkers import Violation
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.waiting import until

POINTS: Final = ("fetched", "applied", "committed", "announced")
HIT_WITHIN_S: Final = 20.0
# The two ways in which a batch commits: the one statement of an ordinary batch is bound, or the session's first
# transaction of several statements parses its COMMIT (the search indexer's COMMIT comes as a simple query: not ours).
COMMITS: Final = {
    "one statement": re.compile(rb"B.{4}\x00apply_batch\x00", re.DOTALL),
    "several statements": re.compile(rb"P.{4}[^\x00]*\x00COMMIT\x00", re.DOTALL),
}
CutAt = Literal["before", "after", "answer"]
CUTS: Final[tuple[CutAt, ...]] = ("before", "after", "answer")

# What PostgreSQL refuses for ever.
POISONOUS: Final = """
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.content LIKE '%%poison' THEN
        RAISE EXCEPTION 'refused' USING ERRCODE = '22023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trap BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION trap();
"""
# What it refuses in two of three transactions: the 23rd, 46th ... of a thread, when its predecessor came in the same
# batch. That is counted, and sequences do not roll back.
INTERRUPTED: Final = """
CREATE SEQUENCE trips;
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq %% 23 = 0 AND hashint8(pg_current_xact_id()::text::bigint) %% 3 <> 0 AND EXISTS (
        SELECT FROM messages m
        WHERE m.thread_id = NEW.thread_id AND m.seq = NEW.seq - 1 AND m.xmin = pg_current_xact_id()::xid
    ) THEN
        PERFORM nextval('trips');
        RAISE EXCEPTION 'not now' USING ERRCODE = '53100';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trap BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION trap();
"""


async def killed_at_exact_points(home: Path, size: Size) -> Figures:
    """T1, with the standby taking over each time."""
    number = begin("T1 at exact points")
    rounds = size.pick(quick=1, full=8)
    async with open_rig(home, persisters=2) as rig:
        crowd = await working(rig, number)
        for turn in range(rounds * len(POINTS)):
            victim = rig.persisters[turn % 2]
            victim.arm(POINTS[turn // rounds])
            assert await victim.ended(HIT_WITHIN_S) == -signal.SIGKILL
            await crowd.until_acked(10)
            victim.start()
            await until_holding(victim)
        notes = f"{rounds} kills at each of {', '.join(POINTS)}, of two persisters in turn"
        return await verdict(
            crowd, size, "T1 at exact points", "kill -9 a persister at each failpoint", number, notes=notes
        )


async def zombies(home: Path, size: Size) -> Figures:
    """T6: frozen inside a batch, its session ended, its partitions taken over; then it goes on."""
    number = begin("T6 zombies")
    rounds = size.pick(quick=1, full=4)
    found: list[Violation] = []
    frozen = meanwhile = 0
    async with open_rig(home, persisters=2) as rig:
        crowd = await working(rig, number)
        for turn, point in enumerate(("applied", "fetched", "committed")[: size.pick(quick=2, full=3)] * rounds):
            zombie, other = rig.persisters[turn % 2], rig.persisters[(turn + 1) % 2]
            zombie.arm(point, freeze=True)
            await until(lambda one=zombie: one.frozen, HIT_WITHIN_S, "it is frozen")
            if turn % 2:
                await end_session(rig, zombie)  # else the server's idle timeout ends it
            await until(lambda one=other: len(one.believes) == 4, HIT_WITHIN_S, "the other has all partitions")
            believed, lost, acked = zombie.believes, zombie.sessions_lost, crowd.acked
            if not believed & other.believes:
                found.append(Violation("T6", "the zombie was none", f"{turn}"))
            await crowd.until_acked(20)
            meanwhile += crowd.acked - acked
            frozen += 1
            zombie.signal(signal.SIGCONT)
            await until(lambda one=zombie, n=lost: one.sessions_lost > n, HIT_WITHIN_S, "it noticed")
            await until_holding(zombie)
            await crowd.until_acked(20)
        notes = (
            f"{frozen} times frozen with a batch in hand, {meanwhile} messages acked by the other before it went on;"
            " its session ended by the idle timeout of 5 s, and by pg_terminate_backend, in turn"
        )
        fault = "SIGSTOP inside a batch until another owns its partitions, then SIGCONT"
        return await verdict(crowd, size, "T6 zombies", fault, number, notes=notes, found=found)


async def thieves(home: Path, size: Size) -> Figures:
    """T34: two who do not look at the locks, and one who does. In turn one is frozen right before it commits, with a
    session that lives on, until another has stored those messages: then it commits."""
    number = begin("T34")
    rounds = size.pick(quick=1, full=10)
    async with open_rig(home, PERSISTER_IDLE_SESSION_TIMEOUT_S="120") as rig:
        crowd = await working(rig, number)
        for _ in range(2):
            await rig.add_persister(Thief, PERSISTER_IDLE_SESSION_TIMEOUT_S="120")
        everybody = rig.persisters
        for one in everybody:
            await until(lambda one=one: len(one.believes) == PARTITIONS, HIT_WITHIN_S, "it believes to own all")
        for late in everybody * rounds:
            before = late.refused
            late.arm("applied", freeze=True)
            await until(lambda one=late: one.frozen, HIT_WITHIN_S, "it is frozen")
            await crowd.until_acked(size.pick(quick=50, full=200))
            late.signal(signal.SIGCONT)
            await until(lambda one=late, n=before: one.refused > n, HIT_WITHIN_S, "its commit is refused")
        applied = [await one.applied() for one in everybody]
        refused = [one.refused for one in everybody]
        for thief in everybody[1:]:
            thief.close()
        await crowd.until_acked(20)
        notes = (
            f"{rounds * len(everybody)} commits came when another had stored the batch, the session alive: all refused;"
            f" batches refused to each: {_each(refused)}, commands applied by each: {_each(applied)};"
            " the first looks at the locks, the others do not"
        )
        fault = "three persisters believe they own every partition, for the whole run"
        return await verdict(crowd, size, "T34", fault, number, notes=notes)


async def cut_at_commit(home: Path, size: Size) -> Figures:
    """T8: the connection to PostgreSQL is cut at the bytes that commit."""
    number = begin("T8 cut at COMMIT")
    cuts = size.pick(quick=15, full=200)
    made: Counter[str] = Counter()
    async with open_rig(home) as rig:
        crowd = await working(rig, number, pause_s=0.02)
        persister = rig.persisters[0]
        mute = Mute()
        persister.to_postgres.sieve = mute
        for turn in range(cuts):
            # Its first session is older than the sieve, and has parsed its COMMIT. After a cut there is a new one, and
            # the next cut waits for it already.
            how = crowd.random.choice(CUTS) if turn else "before"
            what = crowd.random.choice(list(COMMITS)) if turn else "one statement"
            await cut(rig, persister, how, COMMITS[what], mute)
            made.update((how, what))
        await crowd.until_acked(3)
        await until(lambda: persister.sessions_lost >= cuts, HIT_WITHIN_S, "every cut has cost a ledger session")
        lost, found = persister.sessions_lost, []
        if persister.returncode is not None:
            found.append(Violation("T8", "the process ended", f"{persister.returncode}"))
        if lost > 2 * cuts:
            found.append(Violation("T8", "a crash loop", f"{lost} sessions lost by {cuts} cuts"))
        notes = f"{_counted(made)}; {lost} ledger sessions lost, no process ended"
        fault = f"{cuts} cuts at COMMIT: before it, after it, and after it is done but not answered"
        return await verdict(crowd, size, "T8 cut at COMMIT", fault, number, notes=notes, found=found)


async def poisoned(home: Path, size: Size) -> Figures:
    """T31: values that PostgreSQL refuses for ever."""
    number = begin("T31")
    async with open_rig(home) as rig:
        await rig.sql(POISONOUS)
        crowd = Crowd(rig, number, pause_s=0.02)
        crowd.poison_share = 0.01
        await crowd.open()
        crowd.start()
        await crowd.until_acked(size.pick(quick=700, full=8_000), 300)
        await until(lambda: crowd.poison >= 3, HIT_WITHIN_S, "some were poison")
        await crowd.stop()
        letters = await rig.sql("SELECT reason, payload FROM dead_letters")
        found = [Violation("T31", "without a reason", "") for reason, _ in letters if not reason]
        if len(letters) != crowd.poison:
            found.append(Violation("T31", "dead letters differ", f"{len(letters)} of {crowd.poison}"))
        found += [
            Violation("T31", "answered wrongly", name)
            for name, value in crowd.values.items()
            for answer in crowd.answers(value)
            if (answer["type"] == "error") != (POISON in name)
        ]
        notes = (
            f"{crowd.poison} messages were poison, {len(letters)} dead letters with a reason;"
            f" each of their senders was told {crowd.codes_of(POISON)}, nobody else"
        )
        fault = "1 % of the messages are refused by PostgreSQL whenever they come"
        return await verdict(crowd, size, "T31", fault, number, notes=notes, found=found)


async def interrupted(home: Path, size: Size) -> Figures:
    """T32: batches that fail behind their first row, again and again, and go through in the end."""
    number = begin("T32")
    async with open_rig(home) as rig:
        await rig.sql(INTERRUPTED)
        crowd = await working(rig, number, pause_s=0.01)
        await crowd.until_acked(size.pick(quick=400, full=8_000), 400)
        await crowd.stop()
        ((trips, tripped),) = await rig.sql("SELECT last_value, is_called FROM trips")
        letters = await rig.sql("SELECT reason FROM dead_letters")
        found = [Violation("T32", "given up", reason) for (reason,) in letters]
        if not tripped:
            found.append(Violation("T32", "no batch failed in its middle", ""))
        notes = f"{trips} transactions failed with messages of the same thread before them in the batch"
        fault = "batches refused in the middle, two times of three, until they go through"
        return await verdict(crowd, size, "T32", fault, number, notes=notes, found=found)


# --- parts -------------------------------------------------------------------------------------------------------


def begin(scenario: str) -> int:
    """The seed, said."""
    number = seed()
    print(f"{scenario}; CHATTERBUS_CHAOS_SEED={number}", flush=True)
    return number


async def working(rig: Rig, number: int, **how: float) -> Crowd:
    """A crowd that is being answered."""
    crowd = Crowd(rig, number, **how)  # type: ignore[arg-type]
    await crowd.open()
    crowd.start()
    await crowd.until_acked(10)
    return crowd


async def until_holding(persister: Persister) -> None:
    """It has partitions again, and nobody else claims them: its log lives longer than a process."""

    async def holding() -> bool:
        lines = persister.log
        joined = [n for n, line in enumerate(lines) if line.get("event") in ("probes listen", "ledger session lost")]
        return any(line.get("event") == "partition taken" for line in lines[joined[-1] if joined else 0 :])

    await until(holding, HIT_WITHIN_S, "it has its share again")


async def end_session(rig: Rig, persister: Persister) -> None:
    """As an administrator would: pg_terminate_backend of the session that holds its partitions."""
    owners = await rig.owners()
    (pid,) = {owners[partition] for partition in persister.believes if partition in owners}
    await rig.sql("SELECT pg_terminate_backend(%s)", (pid,))


class Mute:
    """A sieve that, while it is on, lets nothing of what the server says pass."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self) -> Callable[[bytes], bytes]:
        return lambda data: b"" if self.on else data


async def cut(rig: Rig, persister: Persister, how: CutAt, commits: re.Pattern[bytes], mute: Mute) -> None:
    """Once: the statement never arrives, arrives and its fate is unknown, or is committed and the answer is lost."""
    proxy = persister.to_postgres
    hit = asyncio.Event()
    hit_at = 0.0

    def matches(data: bytes) -> bool:
        nonlocal hit_at
        if hit.is_set() or commits.search(data) is None:
            return False
        hit_at = time.time()
        hit.set()
        mute.on = how == "answer"
        return how != "answer"

    proxy.cut_when(matches, forward=how == "after")
    async with asyncio.timeout(HIT_WITHIN_S):
        await hit.wait()
    if how == "answer":

        async def done() -> bool:
            return bool(await rig.sql(DONE_SINCE, (hit_at,)))

        await until(done, HIT_WITHIN_S, "PostgreSQL has done it")
        proxy.cut()
        mute.on = False
    proxy.trigger = None


def _each(numbers: list[int]) -> str:
    return " / ".join(f"{number:,}" for number in numbers)


def _counted(made: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(made.items()))
