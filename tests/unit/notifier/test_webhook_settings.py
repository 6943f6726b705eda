"""What the notifier is told about webhooks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chatterbus_notifier.settings import NotifierSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://hooks.example.com/chat?token=hidden"


def settings(**values: object) -> NotifierSettings:
    return NotifierSettings.model_validate({f"notifier_webhook_{name}": value for name, value in values.items()})


def test_without_a_url_there_are_no_webhooks() -> None:
    off = settings(events="message.created")
    assert off.webhook_target is None
    assert off.webhook_events == frozenset()


def test_missed_messages_are_the_default_and_others_an_option() -> None:
    assert settings(url=URL, secret=SECRET).webhook_events == {"message.missed"}
    both = settings(url=URL, secret=SECRET, events="message.missed, message.created")
    assert both.webhook_events == {"message.missed", "message.created"}


@pytest.mark.parametrize(
    "values",
    [
        {"url": URL},
        {"url": URL, "secret": "whsec_c2hvcnQ="},
        {"url": URL, "secret": SECRET, "events": "message.read"},
        {"url": URL, "secret": SECRET, "events": ","},
        {"url": "http://hooks.example.com/chat?token=hidden", "secret": SECRET},
        {"url": "https://10.0.0.1/chat?token=hidden", "secret": SECRET},
        {"url": URL, "secret": SECRET, "retry_for_s": 200_000},
    ],
)
def test_what_cannot_work_is_refused_at_the_start_without_naming_secrets(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(**values)
    shown = str(refusal.value)
    assert "hidden" not in shown
    assert "c2hvcnQ" not in shown


def test_url_and_secret_do_not_show_in_the_settings_text() -> None:
    shown = repr(settings(url=URL, secret=SECRET))
    assert "hidden" not in shown
    assert SECRET not in shown
