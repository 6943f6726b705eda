from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from chatterbus_runtime.settings import EX_CONFIG, ServiceSettings, load


class ExampleSettings(ServiceSettings):
    example_port: int = Field(default=0, ge=0, le=65535, description="Port.")
    example_key: SecretStr = Field(description="Signs the example.", examples=["k"])

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.example_port == 1:
            yield "EXAMPLE_PORT=1 is taken"
        if self.nats_user == "root":
            yield "NATS_USER=root needs a reason"
        if self.example_key.get_secret_value() == "k" and self.example_port == 2:
            yield "EXAMPLE_PORT=2 needs EXAMPLE_KEY to be another"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ExampleSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)


def test_defaults_reach_a_local_nats() -> None:
    assert load(ServiceSettings).nats_servers == ["nats://127.0.0.1:4222"]


def test_several_servers_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://a:1, tls://b:2")
    assert load(ServiceSettings).nats_servers == ["nats://a:1", "tls://b:2"]


@pytest.mark.parametrize("prefix", [">", "_INBOX.>", "*", "a b", "a.b", "a\r\nPUB x 0"])
def test_a_prefix_of_answers_is_one_plain_token(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("NATS_INBOX_PREFIX", prefix)
    with pytest.raises(SystemExit):
        load(ServiceSettings)


def test_a_secret_comes_from_its_file_without_the_last_line_break(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, secret in (("NATS_PASSWORD", "pass word"), ("EXAMPLE_KEY", "k")):
        (tmp_path / name).write_text(f"{secret}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    monkeypatch.setenv("NATS_USER", "example")
    settings = load(ExampleSettings)
    assert settings.nats_password is not None
    assert settings.nats_password.get_secret_value() == "pass word"
    assert settings.example_key.get_secret_value() == "k"


def test_only_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "user").write_text("somebody")
    monkeypatch.setenv("NATS_USER_FILE", str(tmp_path / "user"))
    assert load(ServiceSettings).nats_user is None


def test_the_variable_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "k").write_text("from file")
    monkeypatch.setenv("EXAMPLE_KEY_FILE", str(tmp_path / "k"))
    monkeypatch.setenv("EXAMPLE_KEY", "from variable")
    assert load(ExampleSettings).example_key.get_secret_value() == "from variable"


def test_problems_are_one_line_each_with_variable_and_purpose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "70000")
    with pytest.raises(SystemExit) as exit_info:
        load(ExampleSettings)
    assert exit_info.value.code == EX_CONFIG
    assert capsys.readouterr().err.splitlines() == [
        "configuration: EXAMPLE_PORT: Input should be less than or equal to 65535. It is: Port. Default: 0.",
        "configuration: EXAMPLE_KEY: Field required. It is: Signs the example.",
    ]


def test_an_unreadable_secret_file_is_a_problem_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("EXAMPLE_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit) as exit_info:
        load(ExampleSettings)
    assert exit_info.value.code == EX_CONFIG
    assert "cannot read the secret file" in capsys.readouterr().err


def test_all_problems_are_told_at_once_of_one_setting_of_several_and_of_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("EXAMPLE_KEY_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("EXAMPLE_PORT", "1")
    monkeypatch.setenv("NATS_USER", "root")
    monkeypatch.setenv("NATS_URL", "http://example.com")
    with pytest.raises(SystemExit):
        load(ExampleSettings)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip().split(" ")[0] for line in said] == [
        "EXAMPLE_KEY_FILE",
        "NATS_URL",
        "EXAMPLE_PORT=1",
        "NATS_USER=root",
    ]


def test_a_setting_that_was_set_aside_is_not_blamed_for_its_stand_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "2")
    with pytest.raises(SystemExit):
        load(ExampleSettings)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("configuration: EXAMPLE_KEY: Field required")


def test_secret_values_are_in_no_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EXAMPLE_KEY", "hunter2")
    monkeypatch.setenv("NATS_URL", "http://user:hunter2@example.com")
    with pytest.raises(SystemExit):
        load(ExampleSettings)
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("field", ServiceSettings.model_fields)
def test_every_setting_says_why_it_is_there(field: str) -> None:
    assert (ServiceSettings.model_fields[field].description or "").endswith((".", "do."))
