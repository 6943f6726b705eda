"""Start one process: its own session, no stdin, both outputs into one pipe whose lines go to a callback."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable

from chatterbus.child import ChildSpec
from chatterbus.log_merge import LineSplitter
from chatterbus.orphan import die_with_parent

LineSink = Callable[[str], None]


class OutputLines(asyncio.Protocol):
    """The read end of a child's output. Never pauses: the sink may drop, but a child must not block on its log."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink
        self._splitter = LineSplitter()
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        for line in self._splitter.feed(data):
            self._sink(line)

    def connection_lost(self, exc: Exception | None) -> None:
        for line in self._splitter.end():
            self._sink(line)
        if not self.ended.done():
            self.ended.set_result(None)


class Output:
    """A child's output pipe, to be closed once the child is gone."""

    def __init__(self, transport: asyncio.BaseTransport, lines: OutputLines) -> None:
        self._transport = transport
        self._lines = lines

    async def close(self, deadline_s: float) -> None:
        """Read to the end, for at most `deadline_s`: a grandchild may hold the pipe open."""
        await asyncio.wait({self._lines.ended}, timeout=deadline_s)
        self._transport.close()


async def spawn(spec: ChildSpec, sink: LineSink, *, stdin: bool = False) -> tuple[Process, Output]:
    """Start the process. OSError when it cannot be started. A session of its own keeps the terminal's Ctrl-C away."""
    read_end, write_end = os.pipe()
    transport, lines = await asyncio.get_running_loop().connect_read_pipe(
        lambda: OutputLines(sink), os.fdopen(read_end, "rb", 0)
    )
    account = spec.account
    try:
        process = await asyncio.create_subprocess_exec(
            *spec.argv,
            env=dict(spec.env),
            cwd=spec.cwd,
            stdin=PIPE if stdin else DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
            preexec_fn=die_with_parent(spec.orphan_signal),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except BaseException:
        transport.close()
        raise
    finally:
        os.close(write_end)
    return process, Output(transport, lines)
