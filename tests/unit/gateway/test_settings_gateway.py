from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import ValidationError

from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.settings import load

SECRET = "0123456789abcdef0123456789abcdef"


def made(**values: Any) -> GatewaySettings:
    return GatewaySettings(**({"gateway_jwt_secret": SECRET} | values))


def test_every_setting_says_why_it_is_there() -> None:
    undocumented = [name for name, field in GatewaySettings.model_fields.items() if not field.description]
    assert undocumented == []


def test_every_own_setting_is_named_like_its_variable() -> None:
    own = set(GatewaySettings.__annotations__)
    assert all(name.startswith("gateway_") for name in own)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "localhost.example.com"])
def test_development_mode_with_an_address_others_reach_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="GATEWAY_DEV_MODE believes anyone"):
        GatewaySettings(gateway_dev_mode=True, gateway_host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_development_mode_on_loopback_needs_no_key(host: str) -> None:
    assert not GatewaySettings(gateway_dev_mode=True, gateway_host=host).checks_tokens


def test_without_development_mode_some_key_is_needed() -> None:
    with pytest.raises(ValidationError, match="no key to check tokens with"):
        GatewaySettings()


def test_a_refused_start_names_the_variables_and_exits_as_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY_JWT_SECRET", "a-secret-that-is-short")
    with pytest.raises(SystemExit) as exit_info:
        load(GatewaySettings)
    said = capsys.readouterr().err
    assert exit_info.value.code == 78
    assert "GATEWAY_JWT_SECRET: shorter than 32 bytes" in said
    assert "a-secret-that-is-short" not in said


def test_the_secret_does_not_show_in_the_settings() -> None:
    assert SECRET not in repr(made())


def test_lists_come_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_JWT_SECRET", SECRET)
    monkeypatch.setenv("GATEWAY_ALLOWED_ORIGINS", "https://a.example, http://b.example:3000,")
    monkeypatch.setenv("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    settings = GatewaySettings()
    assert settings.gateway_allowed_origins == {"https://a.example", "http://b.example:3000"}
    assert settings.gateway_trusted_proxies == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))


@pytest.mark.parametrize(
    "values",
    [
        {"gateway_allowed_origins": "https://a.example/path"},
        {"gateway_allowed_origins": "https://*.example"},
        {"gateway_allowed_origins": "a.example"},
        {"gateway_allowed_origins": "null"},
        {"gateway_trusted_proxies": "10.0.0.0/99"},
        {"gateway_jwt_secret": "short"},
        {"gateway_jwt_public_key": "not a key"},
        {"gateway_jwks_url": "ftp://issuer.example/keys"},
        {"gateway_jwks_url": "issuer.example/keys"},
        {"gateway_id": "a.b"},
        {"gateway_port": 70_000},
        {"gateway_partitions": 0},
        {"gateway_rate_frames_per_s": 0},
        {"gateway_heartbeat_interval_s": 60, "gateway_heartbeat_timeout_s": 60},
    ],
)
def test_a_setting_that_cannot_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**values)


def test_a_public_key_may_come_on_one_line_and_a_private_one_not_at_all() -> None:
    private = rsa.generate_private_key(65_537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert made(gateway_jwt_public_key=pem.replace("\n", "\\n")).gateway_jwt_public_key == pem
    secret_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValidationError, match="this is a private key") as caught:
        made(gateway_jwt_public_key=secret_pem)
    assert secret_pem.splitlines()[1] not in str(caught.value)


def test_every_process_gets_an_id_of_its_own() -> None:
    assert made().gateway_id != made().gateway_id


@pytest.mark.parametrize("published", ["0.0.0.0", "192.168.1.5", "::"])
def test_development_mode_in_a_container_is_refused_when_its_port_is_published_wider(published: str) -> None:
    with pytest.raises(ValidationError, match="GATEWAY_DEV_MODE believes anyone"):
        GatewaySettings(gateway_dev_mode=True, gateway_host="0.0.0.0", gateway_published_host=published)


def test_development_mode_in_a_container_goes_by_where_its_port_is_published() -> None:
    settings = GatewaySettings(gateway_dev_mode=True, gateway_host="0.0.0.0", gateway_published_host="127.0.0.1")
    assert settings.gateway_dev_mode
