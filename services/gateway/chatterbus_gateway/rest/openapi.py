"""The OpenAPI document: how refusals, tags and the security scheme are described.

Promises: every route says which codes it may be refused with, grouped by status, and that they come as
application/problem+json; every state that is answered has an example. Decides nothing about how requests are handled.
"""

from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic_core import from_json

from chatterbus_contracts.codec import encode
from chatterbus_contracts.errors import ERRORS, ErrorCode
from chatterbus_contracts.rest import PROBLEM_MEDIA_TYPE, Problem
from chatterbus_gateway.rest.examples import EXAMPLES

TITLE: Final = "Chatterbus"
DESCRIPTION: Final = """\
Real-time messaging for your product. What is here is also told live over the WebSocket at `/ws`.

Every refusal is `application/problem+json` with a `code`. `retryable: false` with `fate: rejected` is final and nothing
was stored; `fate: unknown` means: ask again with the same ids. Ids of threads you are not a member of are answered
like ids that do not exist.
"""
TAGS: Final[list[dict[str, Any]]] = [
    {"name": "threads", "description": "Threads, their members and their changes."},
    {"name": "messages", "description": "Sending and reading messages, and what can be done to them."},
    {"name": "attachments", "description": "Files: upload first, then name them in a message."},
    {"name": "receipts", "description": "Who has a message, and who read it."},
    {"name": "own", "description": "What a thread is to the caller alone: archived, muted, receipts shown, marked."},
    {"name": "unread", "description": "What the caller has not read."},
    {"name": "users", "description": "Who is there."},
    {"name": "webhooks", "description": "What was told to the product's server, for those who run it."},
    {"name": "auth", "description": "Tickets for the sockets of pages, and taking tokens back."},
    {"name": "search", "description": "Finding messages by their words."},
]
_PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}

# What any route may say that needs to know its caller and asks another service.
COMMON: Final = (
    ErrorCode.AUTH_REQUIRED,
    ErrorCode.AUTH_FAILED,
    ErrorCode.TOKEN_EXPIRED,
    ErrorCode.TOKEN_REVOKED,
    ErrorCode.FORBIDDEN,
    ErrorCode.BAD_REQUEST,
    ErrorCode.RATE_LIMITED,
    ErrorCode.STORE_UNAVAILABLE,
    ErrorCode.INTERNAL,
)
# What a write may say in addition.
WRITE: Final = (
    ErrorCode.FRAME_TOO_LARGE,
    ErrorCode.TOO_MANY_IN_FLIGHT,
    ErrorCode.MESSAGE_PERSIST_FAILED,
    ErrorCode.QUEUE_UNAVAILABLE,
    ErrorCode.QUEUE_FULL,
    ErrorCode.TIMEOUT,
    ErrorCode.DRAINING,
)
THREAD: Final = (ErrorCode.THREAD_NOT_FOUND, ErrorCode.NOT_A_MEMBER)
MESSAGE: Final = (*THREAD, ErrorCode.MESSAGE_NOT_FOUND)


def problems(*more: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """Responses for the common codes and these."""
    by_status: defaultdict[int, list[ErrorCode]] = defaultdict(list)
    for code in dict.fromkeys((*COMMON, *more)):
        by_status[ERRORS[code].status].append(code)
    return {status: _described(status, codes) for status, codes in sorted(by_status.items())}


def _described(status: int, codes: Iterable[ErrorCode]) -> dict[str, Any]:
    lines = [f"`{code}`: {ERRORS[code].when}" for code in codes]
    return {
        "description": "\n\n".join(lines),
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": _PROBLEM_REF,
                "examples": {code.value: {"value": _example(status, code)} for code in codes},
            }
        },
    }


def _example(status: int, code: ErrorCode) -> dict[str, Any]:
    row = ERRORS[code]
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": row.when,
        "code": code.value,
        "retryable": row.retryable,
        "fate": row.fate,
    }


def describe_problems(app: FastAPI) -> None:
    """Have the app's document define Problem, and nothing of FastAPI's own errors, which never go out."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schemas["Problem"].pop("$defs", {})
            for model, example in EXAMPLES.items():
                if model.__name__ in schemas:
                    schemas[model.__name__]["examples"] = [from_json(encode(example))]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
