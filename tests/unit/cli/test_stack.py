import dataclasses
import signal
from pathlib import Path

import pytest

from chatterbus import postgres
from chatterbus.child import Account
from chatterbus.errors import CommandError
from chatterbus.nats import NatsServer
from chatterbus.postgres import PostgresHome
from chatterbus.probe import NatsStuck
from chatterbus.stack import Plan, Ports, compose, is_loopback, reachable_host
from chatterbus.up import settle_dev_mode

PLAN = Plan(
    python="/venv/bin/python",
    host="127.0.0.1",
    ports=Ports(postgres=1, persisters=(2, 3), notifier=4, gateways=(8080, 8081)),
    postgres_home=PostgresHome(Path("/pg/bin"), Path("/data/pg"), Account("chatterbus", 5, 6)),
    postgres_password="pw",
    nats=NatsServer(7, 8, Path("/data/nats"), "npw"),
    nats_binary=Path("/venv/bin/nats-server"),
    nats_config=Path("/data/nats.conf"),
    partitions=6,
    dev_mode=False,
    jwt_secret="shh",
    log_level="info",
    caller_env={"GATEWAY_MAX": "9", "LOG_FORMAT": "console", "PGDATA": "/elsewhere"},
)
STACK = compose(PLAN)
SERVICES = (*STACK.persisters, STACK.notifier, *STACK.gateways)


def test_stop_goes_from_the_edge_inwards() -> None:
    assert STACK.stop_order == (
        ("gateway-1", "gateway-2"),
        ("notifier",),
        ("persister-1", "persister-2"),
        ("nats",),
        ("postgres",),
    )


def test_only_persister_and_migration_get_the_database_and_only_gateways_the_token_secret() -> None:
    assert {spec.name for spec in (*SERVICES, STACK.nats, STACK.migration) if "PERSISTER_DSN" in spec.env} == {
        "persister-1",
        "persister-2",
        "migrate",
    }
    assert [spec.name for spec in SERVICES if "GATEWAY_JWT_SECRET" in spec.env] == ["gateway-1", "gateway-2"]


def test_callers_environment_reaches_services_but_not_postgres_and_ours_wins() -> None:
    assert all((spec.env["GATEWAY_MAX"], spec.env["LOG_FORMAT"]) == ("9", "json") for spec in SERVICES)
    assert "PGDATA" not in STACK.postgres.env


def test_secrets_are_on_no_command_line_and_in_no_repr() -> None:
    specs = (STACK.postgres, STACK.nats, STACK.migration, *SERVICES)
    words = [word for spec in specs for word in spec.argv]
    assert not [word for word in words if word in ("pw", "npw", "shh") or "pw@" in word]
    assert "shh" not in repr(specs) + repr(PLAN)
    assert ":pw@" not in repr(specs)


def test_postgres_is_stopped_fast_and_runs_as_its_account() -> None:
    assert STACK.postgres.stop_signal is signal.SIGINT
    assert STACK.postgres.orphan_signal is signal.SIGQUIT
    assert STACK.postgres.account == Account("chatterbus", 5, 6)
    assert all(spec.account is None for spec in (STACK.nats, *SERVICES))


def test_urls_of_a_wildcard_host_are_reachable_from_here() -> None:
    stack = compose(dataclasses.replace(PLAN, host="::"))
    assert stack.gateway_urls == ("http://[::1]:8080", "http://[::1]:8081")
    assert stack.ws_url == "ws://[::1]:8080/ws"
    assert stack.gateways[0].env["GATEWAY_HOST"] == "::"
    assert reachable_host("0.0.0.0") == "127.0.0.1"


@pytest.mark.parametrize(
    ("asked", "host", "settled"),
    [(None, "127.0.0.1", True), (None, "0.0.0.0", False), (False, "localhost", False), (True, "::1", True)],
)
def test_development_mode_is_on_by_default_on_loopback_only(asked: bool | None, host: str, settled: bool) -> None:
    assert settle_dev_mode(asked, host) is settled


def test_development_mode_off_loopback_is_refused() -> None:
    assert not is_loopback("10.0.0.1")
    with pytest.raises(CommandError, match="anyone be anyone"):
        settle_dev_mode(True, "10.0.0.1")


def test_postgres_never_trades_durability_and_logs_no_message_text() -> None:
    text = postgres.configuration(5)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert setting not in text  # the defaults, all on, stay
    for row in ("log_error_verbosity = 'terse'", "log_min_error_statement = 'panic'", "port = '5'"):
        assert row in text
    assert "trust" not in postgres.host_based_access()


def test_only_nats_is_asked_whether_it_is_stuck_for_it_goes_on_refusing_after_a_full_disk() -> None:
    assert STACK.nats.stuck == NatsStuck("http://127.0.0.1:8/healthz", Path("/data/nats"))
    assert all(service.stuck is None for service in (*SERVICES, STACK.postgres))
