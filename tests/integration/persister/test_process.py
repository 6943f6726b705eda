"""The whole process with NATS and PostgreSQL: what it promises while others come and go."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest

from chatterbus_contracts.commands import encode_command
from chatterbus_contracts.ids import GatewayId, ThreadId
from chatterbus_contracts.subjects import (
    ALL_EVENTS,
    ALL_OWN_STATES,
    command_stream,
    command_subject,
    event_subject,
    partition_of,
)
from chatterbus_contracts.topology import events_stream
from chatterbus_persister.migrate import migrate
from chatterbus_runtime.streams import config_of
from tests.integration.persister.persister_process import PersisterProcess, Sender, StartPersister, messages_of
from tests.kit.ledger_commands import GATEWAY, create, mark, move, own, send
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import Database, PostgresServer
from tests.kit.waiting import until

FAILPOINTS_PROMISING_AN_ACK = ["fetched", "applied", "committed"]
THREAD_OF_EACH_PARTITION = {partition_of(f"t{n}", PARTITIONS): f"t{n}" for n in range(40)}  # type: ignore[arg-type]


async def test_commands_are_acked_once_they_are_committed(
    persister: PersisterProcess, sender: Sender, postgres: Database
) -> None:
    assert (await sender.ask(create("t", "ann", "bob")))["type"] == "ack"
    sends = [send("t", "ann", f"c{number}", str(number)) for number in range(50)]
    await sender.publish(*sends)
    last = await sender.answer(sends[-1])
    with psycopg.connect(postgres.dsn) as connection:
        stored = connection.execute("SELECT content FROM messages ORDER BY seq").fetchall()
    assert [row[0] for row in stored] == [str(number) for number in range(50)]
    assert (last["seq"], last["status"]) == (50, "sent")
    await until(lambda: len(sender.events) == 53, 5, "all events are told")
    assert [event["rev"] for event in sender.events] == list(range(1, 54))


@pytest.mark.parametrize("failpoint", ["fetched", "applied", "committed", "announced"])
async def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(
    persister: PersisterProcess, sender: Sender, failpoint: str
) -> None:
    await sender.ask(create("t", "ann"))
    await sender.ask(send("t", "ann", "c0", "before"))
    persister.arm(failpoint)
    sends = [send("t", "ann", f"c{number}", f"at {failpoint}") for number in range(1, 6)]
    await sender.publish(*sends)
    assert await persister.ended() == -signal.SIGKILL
    after = send("t", "ann", "c6", "after")
    await sender.publish(after)
    await persister.start_again()
    assert (await sender.answer(after))["seq"] == 7
    assert [row["clientMessageId"] for row in await messages_of(sender, "t")] == [f"c{number}" for number in range(7)]
    for number, command in enumerate(sends, 2):
        if failpoint in FAILPOINTS_PROMISING_AN_ACK:
            await sender.answer(command)
        assert {answer["seq"] for answer in sender.answers[command.id]} == {number}
    by_rev = {event["rev"]: event for event in sender.events}
    assert all(event == by_rev[event["rev"]] for event in sender.events)
    assert sorted(by_rev) == list(range(1, 10))


async def test_own_states_that_were_committed_before_a_kill_are_told_by_the_next_process(
    persister: PersisterProcess, sender: Sender
) -> None:
    await sender.ask(create("t", "ann", "bob"))
    await sender.ask(send("t", "ann", "c1"))
    persister.arm("committed")
    await sender.publish(mark("t", "bob", 1), own("t", "ann", muted=True))
    assert await persister.ended() == -signal.SIGKILL
    assert sender.own_states == []
    await persister.start_again()
    await until(lambda: len(sender.own_states) >= 2, 10, "both own states are told")
    told = {
        state["userId"]: (state["readSeq"], state["markedUnreadSeq"], state["muted"]) for state in sender.own_states
    }
    assert told == {"bob": (0, 1, False), "ann": (1, None, True)}


async def test_own_states_are_kept_by_a_stream_of_events_that_was_made_before_there_were_any(
    start_persister: StartPersister, sender: Sender, postgres: Database
) -> None:
    older = config_of(events_stream(), 1)
    older.subjects = [ALL_EVENTS]
    await sender.link.jetstream.add_stream(older)
    await sender.link.jetstream.publish(event_subject(ThreadId("t")), b"kept")
    await start_persister(postgres.dsn).until_ready()
    await sender.ask(create("t", "ann"))
    await sender.ask(own("t", "ann", muted=True))
    stream = events_stream().name

    async def kept() -> bool:
        info = await sender.link.jetstream.stream_info(stream, subjects_filter=ALL_OWN_STATES)
        return bool(info.state.subjects)

    await until(kept, 10, "the stream has the own state")
    info = await sender.link.jetstream.stream_info(stream)
    assert sorted(info.config.subjects or ()) == sorted([ALL_EVENTS, ALL_OWN_STATES])
    assert (await sender.link.jetstream.get_msg(stream, 1)).data == b"kept"


async def test_sigterm_hands_over_and_exits_with_0(persister: PersisterProcess, sender: Sender) -> None:
    await sender.ask(create("t", "ann"))
    started = time.monotonic()
    persister.signal(signal.SIGTERM)
    assert await persister.ended(2.0) == 0
    assert time.monotonic() - started < 2.0


async def test_two_instances_share_and_the_survivor_goes_on_in_order(
    start_persister: StartPersister, sender: Sender, postgres: Database
) -> None:
    interval = {"PERSISTER_REBALANCE_INTERVAL_S": "1"}
    one = start_persister(postgres.dsn, **interval)
    await one.until_ready()
    two = start_persister(postgres.dsn, **interval)
    await two.until_ready(2)
    assert one.partitions() == 2
    threads = list(THREAD_OF_EACH_PARTITION.values())
    for thread in threads:
        assert (await sender.ask(create(thread, "ann")))["type"] == "ack"
    waiting = [send(thread, "ann", f"c{number}") for number in range(10) for thread in threads]
    for command in waiting[:20]:
        await sender.publish(command)
    two.signal(signal.SIGKILL)
    for command in waiting[20:]:
        await sender.publish(command)
    await one.until_ready(4, 5.0)
    for command in waiting:
        await sender.answer(command)
    for thread in threads:
        stored = await messages_of(sender, thread)
        assert [row["clientMessageId"] for row in stored] == [f"c{number}" for number in range(10)]


async def test_a_partition_that_comes_back_is_read_anew(
    start_persister: StartPersister, sender: Sender, postgres: Database
) -> None:
    one = start_persister(postgres.dsn)
    await one.until_ready()
    threads = list(THREAD_OF_EACH_PARTITION.values())
    for thread in threads:
        await sender.ask(create(thread, "ann", "bob"))
        await sender.ask(send(thread, "ann", "c1"))
    two = start_persister(postgres.dsn)
    await two.until_ready(2)
    for thread in threads:
        await sender.ask(send(thread, "ann", "c2"))
    two.signal(signal.SIGTERM)
    await two.ended()
    await one.until_ready(4)
    for thread in threads:
        moved = await sender.ask(move(thread, "bob", read=2))
        assert moved["rev"] == 6  # the thread, two members, two messages, and this


async def test_postgresql_away_delays_acks_and_loses_none(
    start_persister: StartPersister, sender: Sender, own_postgres: PostgresServer
) -> None:
    persister = start_persister(own_postgres.dsn)
    await persister.until_ready()
    await sender.ask(create("t", "ann"))
    own_postgres.stop()
    stopped = time.monotonic()
    sends = [send("t", "ann", f"c{number}") for number in range(20)]
    for command in sends:
        await sender.publish(command)
    await until(lambda: time.monotonic() - stopped > 3 and bool(persister.logged("ledger session lost")), 10, "3 s")
    assert not set(sender.answers) & {command.id for command in sends}
    own_postgres.start()
    for number, command in enumerate(sends, 1):
        assert (await sender.answer(command))["seq"] == number
    assert persister.returncode is None


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_nats_restarted_goes_on_where_it_was(
    persister: PersisterProcess, sender: Sender, nats_server: NatsServer, end: str
) -> None:
    await sender.ask(create("t", "ann"))
    await sender.ask(send("t", "ann", "c1"))
    getattr(nats_server, end)()
    await until(lambda: not sender.link.is_connected, 5, "the link is seen to be lost")
    nats_server.start()
    await until(lambda: sender.link.is_connected, 10, "the link is back")
    assert (await sender.ask(send("t", "ann", "c2")))["seq"] == 2
    assert persister.returncode is None


async def test_a_stream_deleted_by_hand_begins_a_new_epoch_loudly(persister: PersisterProcess, sender: Sender) -> None:
    await sender.ask(create("t", "ann"))
    await sender.ask(send("t", "ann", "c1"))
    partition = partition_of(create("t", "ann").thread_id, PARTITIONS)
    await sender.link.jetstream.delete_stream(command_stream(partition))
    again, new = send("t", "ann", "c1"), send("t", "ann", "c2")
    await sender.publish(again)
    await sender.publish(new)
    assert [(await sender.answer(again))["seq"], (await sender.answer(new))["seq"]] == [1, 2]
    (line,) = persister.logged("new epoch")
    assert (line["partition"], line["reason"]) == (partition, "the stream was created anew")


async def test_what_was_announced_is_purged_from_the_queue(persister: PersisterProcess, sender: Sender) -> None:
    await sender.ask(create("t", "ann"))
    for number in range(5):
        await sender.ask(send("t", "ann", f"c{number}"))
    stream = command_stream(partition_of(create("t", "ann").thread_id, PARTITIONS))

    async def empty() -> bool:
        return (await sender.link.jetstream.stream_info(stream)).state.messages == 0

    await until(empty, 5, "the queue is empty")
    assert (await sender.ask(send("t", "ann", "c9")))["seq"] == 6


async def test_poison_between_good_commands_stalls_nothing(
    persister: PersisterProcess, sender: Sender, postgres: Database
) -> None:
    await sender.ask(create("t", "ann"))
    subject = command_subject(partition_of(create("t", "ann").thread_id, PARTITIONS), GatewayId(GATEWAY))
    for number in range(10):
        good = encode_command(send("t", "ann", f"c{number}"))
        bad = [b"", b"no parcel", b"[%s,{}]" % good, b"[%s,null]" % good, b"[[[[", b"\xff"][number % 6]
        await sender.publish_raw(subject, bad, f"bad-{number}")
    last = send("t", "ann", "last")
    assert (await sender.ask(last))["seq"] == 5  # two of the six kinds hold a good command; four of ten came
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (10,)
    assert "no parcel" not in str(persister.log)


async def test_a_schema_that_is_not_there_yet_is_waited_for(
    start_persister: StartPersister, sender: Sender, postgres_server: PostgresServer
) -> None:
    database = postgres_server.fresh_database("template0")
    try:
        persister = start_persister(database.dsn)
        await until(lambda: bool(persister.logged("ledger session lost")), 10, "it has looked")
        migrate(database.dsn, PARTITIONS)
        await persister.until_ready()
        assert (await sender.ask(create("t", "ann")))["type"] == "ack"
        persister.close()
    finally:
        database.drop()


async def test_a_missing_privilege_makes_no_dead_letters(
    persister: PersisterProcess, sender: Sender, postgres: Database
) -> None:
    await sender.ask(create("t", "ann"))
    sends = [send("t", "ann", f"c{number}") for number in range(5)]
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON messages FROM CURRENT_USER")
        await sender.publish(*sends)
        await until(lambda: bool(persister.logged("ledger session lost")), 10, "it has tried")
        connection.execute("GRANT INSERT ON messages TO CURRENT_USER")
        assert (await sender.answer(sends[-1]))["seq"] == 5
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)
