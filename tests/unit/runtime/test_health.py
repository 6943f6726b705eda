from __future__ import annotations

from structlog.testing import capture_logs

from chatterbus_runtime.health import Health


def test_a_declared_check_that_was_never_set_is_not_ready() -> None:
    health = Health("nats")
    assert not health.ready
    health.set("nats", ok=True)
    assert health.ready


def test_one_failing_check_is_not_ready_and_the_report_says_why() -> None:
    health = Health()
    health.set("nats", ok=True)
    health.set("database", ok=False, detail="no answer")
    assert health.report() == {
        "ready": False,
        "draining": False,
        "checks": {"nats": {"ok": True, "detail": ""}, "database": {"ok": False, "detail": "no answer"}},
    }


def test_a_draining_process_is_not_ready() -> None:
    health = Health()
    assert health.ready
    health.draining = True
    assert not health.ready
    assert health.report()["draining"] is True


def test_a_check_that_turns_is_logged_once_with_its_reason() -> None:
    with capture_logs() as logged:
        health = Health("nats")
        health.set("nats", ok=True)
        health.set("nats", ok=False, detail="gone")
        health.set("nats", ok=False, detail="still gone")
        health.set("nats", ok=True)
    assert [(line["event"], line["check"], line.get("reason")) for line in logged] == [
        ("not ready", "nats", "gone"),
        ("ready again", "nats", None),
    ]
