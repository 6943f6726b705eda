"""Refusals as HTTP responses: application/problem+json (RFC 9457), the code beside it.

Promises: every refusal of REST has one shape, whoever refuses: our rules, FastAPI's validation, the router. `status`,
`retryable` and `fate` come from the table of codes. The text says which field is wrong and why, and never repeats what
was sent.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from chatterbus_contracts.codec import ERRORS_SHOWN, encode
from chatterbus_contracts.errors import ERRORS, ErrorCode, Refusal
from chatterbus_contracts.ids import ATTACHMENT_ID_PATTERN, ID_MAX_CHARS, ID_PATTERN, MESSAGE_ID_PATTERN
from chatterbus_contracts.rest import PROBLEM_MEDIA_TYPE, Problem
from chatterbus_contracts.text import NO_NUL

ID_RULE: Final = f"not a valid id: 1 to {ID_MAX_CHARS} characters of A-Z a-z 0-9 _ - : @ + = |"
PATTERNS: Final = {
    ID_PATTERN: ID_RULE,
    MESSAGE_ID_PATTERN: "not a valid message id: <threadId>~<seq>",
    ATTACHMENT_ID_PATTERN: "not a valid attachment id: <threadId>~f<32 hex digits>",
    NO_NUL: "must not hold U+0000",
}
WHOLE_BODY: Final = "the body must be a JSON object, sent with Content-Type: application/json"

# What a client is asked for beside the status, RFC 6750 3.
CHALLENGES: Final = {
    ErrorCode.AUTH_REQUIRED: "Bearer",
    ErrorCode.AUTH_FAILED: 'Bearer error="invalid_token"',
    ErrorCode.TOKEN_EXPIRED: 'Bearer error="invalid_token"',
    ErrorCode.TOKEN_REVOKED: 'Bearer error="invalid_token"',
}


def problem_response(
    refusal: Refusal, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The refusal as a response. `status` overrides the code's where HTTP knows better (405)."""
    row = ERRORS[refusal.code]
    shown = status if status is not None else row.status
    body = Problem(
        title=HTTPStatus(shown).phrase,
        status=shown,
        detail=refusal.message,
        code=refusal.code,
        retryable=row.retryable,
        fate=row.fate,
        retry_after_ms=refusal.retry_after_ms,
    )
    extra = dict(headers or {})
    if refusal.retry_after_ms is not None:
        extra["Retry-After"] = str(math.ceil(refusal.retry_after_ms / 1000))
    if refusal.code in CHALLENGES:
        extra["WWW-Authenticate"] = CHALLENGES[refusal.code]
    return Response(encode(body), status_code=shown, headers=extra, media_type=PROBLEM_MEDIA_TYPE)


def answer_with_problems(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Have every refusal of this app answered as a problem. `routes` are all it has, in the order it tries them."""
    app.state.routes = [route for route in routes if isinstance(route, Route)]
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return problem_response(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem_response(Refusal(ErrorCode.BAD_REQUEST, fault_text(error.errors())))


_HTTP_CODES: Final = {
    404: (ErrorCode.NOT_FOUND, "there is no such route"),
    405: (ErrorCode.NOT_FOUND, "this route does not take this method"),
    413: (ErrorCode.FRAME_TOO_LARGE, "the body is too large"),
}


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code, message = _HTTP_CODES.get(error.status_code, (ErrorCode.BAD_REQUEST, "the request cannot be read"))
    status = error.status_code if error.status_code in _HTTP_CODES else None
    headers = {"Allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return problem_response(Refusal(code, message), status=status, headers=headers)


def _allowed(request: Request) -> str:
    """All methods of the address that was asked for; the router names those of the first route it finds there."""
    routes: list[Route] = request.app.state.routes
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    same = [route for route in matching if route.path == matching[0].path]
    return ", ".join(sorted({method for route in same for method in route.methods or ()}))


def fault_text(faults: Sequence[Any]) -> str:
    """The first faults of a validation, `field: why` each."""
    return "; ".join(_fault_line(fault) for fault in faults[:ERRORS_SHOWN])


def _fault_line(fault: Mapping[str, Any]) -> str:
    _, *path = fault["loc"]  # the first part says body, path or query
    if fault["type"] == "json_invalid":
        return "the body is not valid JSON"
    if not path:
        return WHOLE_BODY if fault["loc"] == ("body",) else str(fault["msg"])
    reason = PATTERNS.get(fault.get("ctx", {}).get("pattern"), str(fault["msg"]).removeprefix("Value error, "))
    # A key that is no identifier was made up by the client, and is not repeated.
    shown = [str(part) for part in path if isinstance(part, int) or part.isidentifier()]
    return f"{'.'.join(shown)}: {reason}"
