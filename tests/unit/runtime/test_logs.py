from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chatterbus_runtime.logs import REDACTED, configure_logging, is_sensitive


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("uvicorn.access").disabled = False
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_secrets_and_bodies_are_redacted_at_any_depth(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test")
    structlog.stdlib.get_logger("x").info(
        "e", auth_token="t", nested={"Authorization": "b"}, items=[{"content": "c"}], n=1
    )
    (line,) = logged(capsys)
    assert line["auth_token"] == REDACTED
    assert line["nested"] == {"Authorization": REDACTED}
    assert line["items"] == [{"content": REDACTED}]
    assert (line["n"], line["service"], line["level"], line["event"]) == (1, "test", "info", "e")


@pytest.mark.parametrize(
    "key", ["token", "accessToken", "NATS_PASSWORD", "client-secret", "payload", "message_content"]
)
def test_sensitive_keys(key: str) -> None:
    assert is_sensitive(key)


@pytest.mark.parametrize("key", ["payload_bytes", "token_count", "contentLength", "subject", "thread"])
def test_keys_that_only_measure_are_kept(key: str) -> None:
    assert not is_sensitive(key)


def test_library_logs_take_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", "warning")
    logging.getLogger("nats.aio.client").error("nats: %s", "oops")
    logging.getLogger("alembic").info("below the level")
    (line,) = logged(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("nats: oops", "nats.aio.client", "error")


def test_request_lines_of_uvicorn_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test")
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)  # a server of another test may have raised it
    logging.getLogger("uvicorn.access").info('%s - "GET %s"', "1.2.3.4", "/x?token=abc")
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "1.2.3.4", "/x?token=abc")
    logging.getLogger("uvicorn.error").info("Started")
    assert [line["event"] for line in logged(capsys)] == ["Started"]


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_line_break_cannot_forge_a_line(fmt: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", fmt=fmt)  # type: ignore[arg-type]
    forged = 'x\n{"event": "forged"}\r\u2028y'
    structlog.stdlib.get_logger("x").info(forged, value=forged)
    logging.getLogger("lib").warning("%s", forged)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_traceback_on_the_console_is_marked_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", fmt="console")
    try:
        raise RuntimeError("x\n2026-01-01 [info] forged")
    except RuntimeError:
        structlog.stdlib.get_logger("x").exception("failed")
    first, *rest = capsys.readouterr().out.splitlines()
    assert "failed" in first
    assert rest
    assert all(line.startswith("  | ") for line in rest)


def test_exceptions_are_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test")
    try:
        raise RuntimeError("why")
    except RuntimeError:
        structlog.stdlib.get_logger("x").exception("failed")
    (line,) = logged(capsys)
    assert "RuntimeError: why" in str(line["exception"])
