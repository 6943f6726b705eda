"""One run of the stack: start in order, stay until asked to stop, stop in order. Whatever happens, nothing is left.

Start: PostgreSQL, then the migrations, with NATS beside them; then all services at once, for they tolerate any order
(in containers nobody orders them). Stop: stack.py's order. A first SIGINT, SIGTERM or SIGHUP stops; another SIGINT
kills at once.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass

from chatterbus import announcement, embedded, leftovers, ports, postgres, postgres_home
from chatterbus.child import ChildSpec
from chatterbus.data_dir import DataDir, read_secret, write_atomically
from chatterbus.nats import NatsServer
from chatterbus.screen import Screen
from chatterbus.stack import Plan, Ports, Stack, compose
from chatterbus.supervisor import Supervisor, run_once

INTERRUPTED = 130


@dataclass(frozen=True)
class UpOptions:
    """What the user asked for, checked as far as that needs no machine."""

    host: str
    port: int
    gateways: int
    persisters: int
    dev_mode: bool
    ephemeral: bool
    json_output: bool
    log_level: str


class StopRequest:
    """Signals as two events. The handlers last until the end of the run, the stopping included."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.kill_now = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._received, number)

    def _received(self, number: signal.Signals) -> None:
        if self.stop.is_set() and number == signal.SIGINT:
            self.kill_now.set()
        self.stop.set()


class Launch:
    """One run. `run()` returns the exit code: 0 after a stop that was asked for once everything was ready."""

    def __init__(self, options: UpOptions, data: DataDir, binaries: embedded.Binaries, screen: Screen) -> None:
        self._options = options
        self._data = data
        self._binaries = binaries
        self._screen = screen
        self._supervisor = Supervisor(screen.log, self._record)
        self._stack: Stack | None = None
        self._home: postgres.PostgresHome | None = None
        self._began = time.monotonic()

    async def run(self) -> int:
        request = StopRequest()
        starting = asyncio.create_task(self._start())
        asked = asyncio.create_task(request.stop.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return INTERRUPTED
            self._announce(starting.result())
            await asked
            return 0
        finally:
            asked.cancel()
            starting.cancel()
            await asyncio.wait({starting})
            await self._stop(request.kill_now)

    async def _start(self) -> Stack:
        version = embedded.binary_version(self._binaries.postgres / "bin" / "postgres")
        home, notices = await asyncio.to_thread(
            postgres_home.choose_home, self._data.path, self._data.layout.id, self._binaries.postgres, version
        )
        self._home = home
        for notice in notices:
            self._screen.log("up", notice)
        await self._stop_leftovers(home)
        if postgres.exists(home):
            postgres.require_major(home, version)
        plan = self._plan(home)
        self._stack = stack = compose(plan)
        write_atomically(plan.nats_config, plan.nats.configuration(), mode=0o600)
        await together(
            self._ready(f"NATS {embedded.binary_version(plan.nats_binary)}", stack.nats),
            self._start_postgres(plan, stack, version),
        )
        await together(
            self._ready("persister", *stack.persisters),
            self._ready("notifier", stack.notifier),
            self._ready("gateway", *stack.gateways),
        )
        return stack

    def _plan(self, home: postgres.PostgresHome) -> Plan:
        options = self._options
        if options.port:
            public = tuple(range(options.port, options.port + options.gateways))
            ports.require_free(options.host, public)
        else:
            public = ports.choose_free(options.gateways, options.host)
        inner = ports.choose_free(options.persisters + 4 + options.gateways)
        inner = tuple(port for port in inner if port not in public)
        return Plan(
            python=sys.executable,
            host=options.host,
            ports=Ports(inner[0], inner[4 : 4 + options.persisters], inner[1], public),
            postgres_home=home,
            postgres_password=read_secret(self._data.postgres_secret_file),
            nats=NatsServer(inner[2], inner[3], self._data.nats_store, read_secret(self._data.nats_secret_file)),
            nats_binary=self._binaries.nats_server,
            nats_config=self._data.nats_config,
            partitions=self._data.layout.partitions,
            dev_mode=options.dev_mode,
            jwt_secret=read_secret(self._data.jwt_secret_file),
            log_level=options.log_level,
            caller_env=os.environ,
        )

    async def _stop_leftovers(self, home: postgres.PostgresHome) -> None:
        found = leftovers.find(self._data.children_file, home.data)
        if found:
            names = ", ".join(f"{leftover.name} (pid {leftover.pid})" for leftover in found)
            self._screen.log("up", f"an earlier `up` on this data directory was killed and left {names}: stopping")
            with self._screen.stage("stopping what was left running"):
                await leftovers.stop(found)

    async def _start_postgres(self, plan: Plan, stack: Stack, version: str) -> None:
        home = plan.postgres_home
        if not postgres.exists(home):
            with self._screen.stage("creating the database"):
                await self._create_cluster(home, plan.postgres_password)
        postgres.write_configuration(home, home.data, plan.ports.postgres)
        await self._ready(f"PostgreSQL {version}", stack.postgres)
        with self._screen.stage("migrations"):
            await run_once(stack.migration, self._screen.log)

    async def _create_cluster(self, home: postgres.PostgresHome, password: str) -> None:
        """Made beside its place and moved there when complete: an interrupted start leaves nothing half made."""
        staging = postgres.make_staging(home)
        initdb, roles = postgres.creation_steps(home, staging)
        await run_once(initdb, _quiet)
        await run_once(roles, _quiet, stdin=postgres.role_statements(password))
        staging.rename(home.data)

    async def _ready(self, title: str, *specs: ChildSpec) -> None:
        with self._screen.stage(title if len(specs) == 1 else f"{len(specs)} {title}s"):
            await together(*(self._supervisor.start_ready(spec) for spec in specs))

    def _announce(self, stack: Stack) -> None:
        took_s = time.monotonic() - self._began
        self._screen.end_stages()
        if self._options.json_output:
            line = announcement.ready_line(
                stack, self._supervisor.pids(), self._data.path, self._data.jwt_secret_file, self._data.children_file
            )
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            return
        self._screen.show(
            announcement.ready_panel(
                stack,
                self._data.path,
                took_s,
                dev_mode=self._options.dev_mode,
                ephemeral=self._options.ephemeral,
            )
        )

    async def _stop(self, kill_now: asyncio.Event) -> None:
        if self._stack is None:
            return
        self._screen.log("up", "stopping; Ctrl-C kills")
        for names in self._stack.stop_order:
            await self._supervisor.stop(names, kill_now)
        home = self._home
        if self._options.ephemeral and home and not home.data.is_relative_to(self._data.path):
            await asyncio.to_thread(shutil.rmtree, home.data.parent, ignore_errors=True)

    def _record(self) -> None:
        with suppress(OSError):  # a full disk must not stop the supervision; the file is a hint
            leftovers.record(self._data.children_file, self._supervisor)


async def together(*work: Coroutine[None, None, None]) -> None:
    """All of it at once. The first failure cancels the rest and is raised as it is (a TaskGroup would wrap it)."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _quiet(name: str, line: str) -> None:
    """initdb narrates its success; its last lines are shown when it fails."""
