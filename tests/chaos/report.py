"""Writes docs/chaos.md from the figures of the last full run of each scenario: `python -m tests.chaos.report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.chaos.figures import Figures, read

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "chaos.md"
EXPECTED: Final = {
    "T1": "kill -9 a persister every 3 s",
    "T2": "kill -9 a gateway every 5 s",
    "T3": "kill -9 the notifier in a burst",
    "T4": "kill -9 all services at once",
    "T5": "SIGTERM rolling restart of everything",
    "T6": "SIGSTOP a persister for 45 s",
    "T7": "SIGSTOP a gateway for 30 s",
    "T8": "SIGSTOP PostgreSQL for 20 s; cut at COMMIT",
    "T9": "SIGSTOP NATS for 20 s",
    "T10": "restart NATS every 15 s, 6 times",
    "T11": "NATS away for 5 minutes",
    "T13": "the same frame delivered 1 to 5 times",
    "T14": "a retry beyond the queue's window",
    "T15": "cut during a publish",
    "T16": "the queue at its limit",
    "T17": "an older queue restored under a newer offset",
    "T18": "a stream or consumer deleted by hand",
    "T19": "NATS's disk full",
    "T21": "all acks lost for 10 s",
    "T23": "restart PostgreSQL every 15 s",
    "T27": "PostgreSQL's disk full",
    "T31": "1 % poison commands",
    "T32": "a failure in the middle of a batch",
    "T33": "a hot thread under partition handovers",
    "T34": "two persisters believe they own a partition",
    "T35": "50 of 500 readers stop reading",
    "T36": "zero-window and never-pong clients",
    "T37": "a crowd cut at once, and back",
    "T38": "10,000 random connect, auth, subscribe, kill",
    "T39": "a flood of typing notices",
    "T40": "soak: faults at random",
}
HEAD: Final = """\
# Chaos

What happened when things were broken on purpose. Written by `python -m tests.chaos.report` from the last full run of
each scenario (`tests/chaos/results.jsonl`); `make chaos` runs them all and writes this page, `pytest tests/chaos` runs
the quick ones. T numbers are those of the faults in `tests/chaos/report.py`, C numbers the checkers in
`tests/kit/checkers.py`.

The base load, unless a row says otherwise: 2 gateways behind one address, 2 persisters, 1 notifier, 60 clients (the
Python SDK, all in one process), 12 threads of which one hot (30 % of the messages, half of the clients), 100 messages
a second on a schedule that does not wait for answers. Everything, the clients too, on one machine. "Worst stall" is the
longest time between a send and its ack; a fault that lasts 20 s cannot stall for less than what is left of it. Every
acked message is looked for by REST and by SQL, some are sent once more and must get the same seq, a poller reads the
hot thread by rev meanwhile, strangers knock, and at the end unread counts and presence are compared with the truth and
what the run took must be given back. A repeated fault goes on for 45 s, or CHATTERBUS_CHAOS_DURATION_S.
"""
TAIL: Final = """\
## What is not covered

- The loss of a machine or a disk: everything runs on one. What survives it is what PostgreSQL and its standby keep.
- A NATS cluster and its elections: one nats-server here.
- Clocks that jump, and network faults between the services other than those that the proxies of the rows above make.
- T6 freezes a persister wherever it is at that moment; that it is inside a batch is likely under load, not certain. It
  is certain in "T6 zombies", which freezes at a failpoint.
- A Python client that is owed an answer leaves a frozen gateway (T7) within about 8 s; an idle one, owed nothing,
  after two silent heartbeats.
- T37 has fewer clients than a real crowd: they all live in one Python process.
- Which message meets which fault is up to the machine: a seed repeats what is sent and what is broken, not the race.
"""


def document(rows: Sequence[Figures]) -> str:
    """The page."""
    table = [
        "| scenario | fault | sent | acked | lost | duplicated | worst stall, s | invariants | run |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for row in rows:
        stall = "" if row.worst_stall_s is None else f"{row.worst_stall_s:.2f}"
        run = f"{row.at}, seed {row.seed}" if row.seed is not None else row.at
        table.append(
            f"| {row.scenario} | {row.fault} | {row.sent:,} | {row.acked:,} | {row.lost} | {row.duplicated} | {stall}"
            f" | {row.invariants} | {run} |"
        )
    notes = [f"- **{row.scenario}**: {row.notes}." for row in rows if row.notes]
    done = {row.scenario.split()[0] for row in rows}
    missing = [f"- {name}: {fault}" for name, fault in EXPECTED.items() if name not in done]
    parts = [HEAD, "\n".join(table) + "\n", "## What else was measured\n", "\n".join(notes) + "\n"]
    if missing:
        parts += ["## Not run at full size yet\n", "\n".join(missing) + "\n"]
    return "\n".join([*parts, TAIL])


def main() -> None:
    """Write it."""
    DOCUMENT.write_text(document(read()), encoding="utf-8")
    print(f"wrote {DOCUMENT}")


if __name__ == "__main__":
    main()
