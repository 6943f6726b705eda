"""The OpenAPI document of the REST interface, from the app itself, built without anything behind it."""

from functools import cache
from typing import Any

from chatterbus_gateway.rest.app import build_rest
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.health import Health
from docs.generators.schema import as_json


@cache
def api() -> dict[str, Any]:
    """The OpenAPI document as a value."""
    nothing: Any = object()
    settings = GatewaySettings(gateway_host="127.0.0.1", gateway_dev_mode=True)
    return build_rest(settings, nothing, nothing, nothing, Health()).openapi()


def document() -> str:
    """docs/openapi.json."""
    return as_json(api())
