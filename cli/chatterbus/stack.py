"""Which processes make a Chatterbus on one machine, and what each is told. Pure.

The services are told everything through their environment, exactly as in containers; there is no setting that only
`up` can make. The caller's environment is passed on to them (so that GATEWAY_... limits can be tried), ours wins.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatterbus import postgres
from chatterbus.child import ChildSpec
from chatterbus.nats import NatsServer
from chatterbus.postgres import PostgresHome
from chatterbus.probe import HttpReady, NatsStuck, PostmasterReady

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
MIGRATION_DEADLINE_S = 300.0


@dataclass(frozen=True)
class Ports:
    postgres: int
    persisters: tuple[int, ...]
    notifier: int
    gateways: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Everything the composition needs, already decided and checked."""

    python: str
    host: str
    ports: Ports
    postgres_home: PostgresHome
    postgres_password: str = field(repr=False)
    nats: NatsServer
    nats_binary: Path
    nats_config: Path
    partitions: int
    dev_mode: bool
    jwt_secret: str = field(repr=False)
    log_level: str
    caller_env: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Stack:
    """The processes by stage. Start: postgres, migration, nats, services; stop in `stop_order`."""

    postgres: ChildSpec
    nats: ChildSpec
    migration: ChildSpec
    persisters: tuple[ChildSpec, ...]
    notifier: ChildSpec
    gateways: tuple[ChildSpec, ...]
    gateway_urls: tuple[str, ...]
    ws_url: str
    nats_url: str
    postgres_dsn: str

    @property
    def stop_order(self) -> tuple[tuple[str, ...], ...]:
        """From the edge inwards, so that whoever still works has what it needs."""
        groups = (self.gateways, (self.notifier,), self.persisters, (self.nats,), (self.postgres,))
        return tuple(tuple(spec.name for spec in group) for group in groups)


def is_loopback(host: str) -> bool:
    return host in LOOPBACK_HOSTS or host.startswith("127.")


def reachable_host(host: str) -> str:
    """The address by which this machine reaches a server listening on `host`, ready for a URL."""
    local = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a key, not a bind
    return f"[{local}]" if ":" in local else local


def compose(plan: Plan) -> Stack:
    dsn = postgres.dsn(plan.ports.postgres, plan.postgres_password)
    shared = {
        **plan.caller_env,
        "NATS_URL": plan.nats.url,
        "LOG_LEVEL": plan.log_level,
        "LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
    }
    python = _python(plan)
    urls = tuple(f"http://{reachable_host(plan.host)}:{port}" for port in plan.ports.gateways)
    return Stack(
        postgres=_postgres(plan),
        nats=_nats(plan),
        migration=ChildSpec(
            "migrate",
            (*python, "chatterbus_persister.migrate"),
            {**shared, "PERSISTER_DSN": dsn},
            start_deadline_s=MIGRATION_DEADLINE_S,
        ),
        persisters=tuple(_persister(plan, shared, dsn, i, port) for i, port in enumerate(plan.ports.persisters, 1)),
        notifier=ChildSpec(
            "notifier",
            (*python, "chatterbus_notifier"),
            {**shared, "NOTIFIER_PROBE_PORT": str(plan.ports.notifier)},
            HttpReady(f"http://127.0.0.1:{plan.ports.notifier}/readyz"),
        ),
        gateways=tuple(_gateway(plan, shared, i, port) for i, port in enumerate(plan.ports.gateways, 1)),
        gateway_urls=urls,
        ws_url=urls[0].replace("http", "ws", 1) + "/ws",
        nats_url=plan.nats.url,
        postgres_dsn=dsn,
    )


def _python(plan: Plan) -> tuple[str, ...]:
    """-P: a jwt.py or nats.py in the directory `up` is called from must not stand in for the real one."""
    return (plan.python, "-P", "-m")


def _postgres(plan: Plan) -> ChildSpec:
    home = plan.postgres_home
    return ChildSpec(
        "postgres",
        postgres.server_argv(home),
        home.env,
        PostmasterReady(home.data),
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
        orphan_signal=signal.SIGQUIT,  # immediate shutdown: gone within seconds, recovers at the next start
        start_deadline_s=120.0,  # recovery after a crash replays up to max_wal_size
        stop_deadline_s=30.0,
        account=home.account,
        cwd=Path("/"),
    )


def _nats(plan: Plan) -> ChildSpec:
    env = {"PATH": "/usr/bin:/bin"}
    argv = (str(plan.nats_binary), "-c", str(plan.nats_config))
    health = plan.nats.health_url
    return ChildSpec(
        "nats",
        argv,
        env,
        HttpReady(health),
        orphan_signal=signal.SIGTERM,
        cwd=Path("/"),
        stuck=NatsStuck(health, plan.nats.store),
    )


def _persister(plan: Plan, shared: Mapping[str, str], dsn: str, number: int, probe_port: int) -> ChildSpec:
    env = {
        **shared,
        "PERSISTER_DSN": dsn,
        "PERSISTER_PROBE_PORT": str(probe_port),
        "PERSISTER_PARTITIONS": str(plan.partitions),
    }
    return ChildSpec(
        f"persister-{number}",
        (*_python(plan), "chatterbus_persister"),
        env,
        HttpReady(f"http://127.0.0.1:{probe_port}/readyz"),
    )


def _gateway(plan: Plan, shared: Mapping[str, str], number: int, port: int) -> ChildSpec:
    env = {
        **shared,
        "GATEWAY_HOST": plan.host,
        "GATEWAY_PORT": str(port),
        "GATEWAY_PARTITIONS": str(plan.partitions),
        "GATEWAY_DEV_MODE": "true" if plan.dev_mode else "false",
        "GATEWAY_JWT_SECRET": plan.jwt_secret,
    }
    return ChildSpec(
        f"gateway-{number}",
        (*_python(plan), "chatterbus_gateway"),
        env,
        HttpReady(f"http://{reachable_host(plan.host)}:{port}/readyz"),
        stop_deadline_s=15.0,  # it tells its clients to reconnect and lets them go
    )
