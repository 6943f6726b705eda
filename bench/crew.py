"""The generator as one process or several: each has its seat and does its part, the scenario tells all what comes next.

Promises: a step runs on every seat at once, and the answers come in the order of the seats; a step that fails anywhere
fails the scenario; no process is left behind. With one seat everything happens in this process, by the same code.
"""

import asyncio
import multiprocessing
import os
import pickle
import socket
import struct
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

import uvloop

P = TypeVar("P")
A = ParamSpec("A")
R = TypeVar("R")

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0
LENGTH: Final = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Seat:
    """The share of one process: every `of`-th of what is numbered, from `place`."""

    place: int
    of: int

    def numbers(self, until: int) -> range:
        return range(self.place, until, self.of)

    @property
    def first(self) -> bool:
        """For what only one may do."""
        return self.place == 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stretch of time cost one process."""

    elapsed_s: float
    cpu_s: float

    @property
    def share(self) -> float:
        """Of one core."""
        return self.cpu_s / self.elapsed_s


class Watch:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        return Spent(time.perf_counter() - self._began, time.process_time() - self._cpu)


def core_share(spent: list[Spent]) -> float:
    """How full the generator was: its busiest process, or all its cores together, whichever is nearer to the limit."""
    shares = [each.share for each in spent]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else len(shares)
    return round(max(max(shares), sum(shares) / cores), 2)


class Crew(Generic[P]):
    """The parts of one scenario. `P` is what each seat has."""

    def __init__(self, seats: "list[_Here[P] | _There]") -> None:
        self._seats = seats

    async def each(self, step: Callable[Concatenate[P, A], Awaitable[R]], *args: A.args, **kwargs: A.kwargs) -> list[R]:
        """That step on every seat. `step` is a method of the part's class."""
        return list(await asyncio.gather(*(seat.do(step, args, kwargs) for seat in self._seats)))

    async def sum(self, step: Callable[[P], Awaitable[int]]) -> int:
        return sum(await self.each(step))


@asynccontextmanager
async def crew(size: int, make: Callable[[Seat], P]) -> AsyncIterator[Crew[P]]:
    """`make` must travel to another process (a class, or a partial of one) when there are several."""
    if size == 1:
        yield Crew([_Here(make(Seat(0, 1)))])
        return
    seats = [_There(Seat(place, size), make) for place in range(size)]
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await asyncio.gather(*(seat.greet() for seat in seats))
        yield Crew(list(seats))
    finally:
        await asyncio.gather(*(seat.stop() for seat in seats))


class _Here(Generic[P]):
    def __init__(self, part: P) -> None:
        self._part = part

    async def do(self, step: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await step(self._part, *args, **kwargs)


class _There:
    """A seat in another process, at the other end of a pair of sockets."""

    def __init__(self, seat: Seat, make: Callable[[Seat], Any]) -> None:
        self._ours, theirs = socket.socketpair()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_sit, args=(theirs, seat, make), daemon=True)
        self._process.start()
        theirs.close()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def greet(self) -> None:
        """Until the process is there."""
        reader, self._writer = await asyncio.open_connection(sock=self._ours)
        self._listening = asyncio.create_task(self._listen(reader))
        await self.do(_nothing, (), {})

    async def do(self, step: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert self._writer is not None
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        _write(self._writer, (number, step, args, kwargs))
        return await self._waiting[number]

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for number, answer, failure in _read(reader):
            waiting = self._waiting.pop(number)
            if waiting.done():  # nobody waits any more
                continue
            if failure is None:
                waiting.set_result(answer)
            else:
                waiting.set_exception(RuntimeError(f"a process of the generator failed:\n{failure}"))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RuntimeError("a process of the generator ended"))

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
        self._ours.close()
        await asyncio.to_thread(self._process.join, STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)


async def _nothing(_part: object) -> None:
    """Its answer says that the process is there."""


def _sit(ours: socket.socket, seat: Seat, make: Callable[[Seat], Any]) -> None:
    uvloop.run(_serve(ours, make(seat)))


async def _serve(ours: socket.socket, part: object) -> None:
    """Until the other end is closed. Steps may overlap: one measures while others ask how far it is."""
    reader, writer = await asyncio.open_connection(sock=ours)
    tasks = set[asyncio.Task[None]]()
    async for number, step, args, kwargs in _read(reader):
        task = asyncio.create_task(_answer(writer, number, step(part, *args, **kwargs)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _answer(writer: asyncio.StreamWriter, number: int, step: Awaitable[Any]) -> None:
    try:
        answer, failure = await step, None
    except Exception as error:  # whatever it is, the scenario must hear of it
        answer, failure = None, "".join(traceback.format_exception(error))
    _write(writer, (number, answer, failure))


def _write(writer: asyncio.StreamWriter, value: object) -> None:
    """Few and awaited one by one, so the buffer needs no bound of its own."""
    data = pickle.dumps(value)
    writer.write(LENGTH.pack(len(data)) + data)


async def _read(reader: asyncio.StreamReader) -> AsyncIterator[Any]:
    """Everything that is written at the other end, until that is closed."""
    try:
        while True:
            (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
            yield pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return
