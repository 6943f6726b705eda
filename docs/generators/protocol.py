"""docs/protocol.md: frames both ways, states, REST routes, limits."""

import json
from typing import Any, Final

from pydantic import BaseModel

from chatterbus_contracts import PROTOCOL_VERSION
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_contracts.frames.server import SERVER_FRAMES
from chatterbus_contracts.limits import LIMITS
from chatterbus_contracts.states import (
    AttachmentState,
    MemberState,
    MessageReceipt,
    MessageRevision,
    MessageState,
    OwnState,
    Quote,
    ReactionState,
    ThreadDetail,
    ThreadState,
    ThreadSummary,
)
from docs.generators import BANNER
from docs.generators.golden import example
from docs.generators.markdown import fields, flat, table
from docs.generators.openapi import api
from docs.generators.schema import definitions

STATES: Final = (
    MessageState,
    ReactionState,
    AttachmentState,
    Quote,
    MessageRevision,
    MessageReceipt,
    MemberState,
    ThreadState,
    OwnState,
    ThreadDetail,
    ThreadSummary,
)
METHODS: Final = ("get", "post", "put", "patch", "delete")

INTRO: Final = f"""
# Protocol, version {PROTOCOL_VERSION}

WebSocket at `/ws`, JSON text frames, one object with a `type` in each. REST under `/api`. This page is generated from
the models that encode and decode; machines read [the JSON Schema](schema/frames.schema.json),
[AsyncAPI](asyncapi.json) and [OpenAPI](openapi.json). Codes have [a page of their own](codes.md), promises
[too](guarantees.md), and [flows](flows.md) shows frames in their order.

- The first frame is `auth`. Nothing is accepted before it.
- Every request is answered exactly once: by the frame its description names, or by `error`. (`message` may hear
  `queued` first.)
- Unknown fields are ignored, both ways. A `type` the server does not know gets `error UNKNOWN_TYPE`; a client passes
  over types it does not know.
- An optional field that is empty is left out of a frame. States (`data`) always carry all of their fields.
- Identity fields (`userId`, `senderId`, `readerId`) may be left out; if they are there, they equal the token's.
- An id is 1 to 128 characters of `A-Z a-z 0-9 _ - : @ + = |`. A message's id is `<threadId>~<seq>`,
  a file's is `<threadId>~f<32 hex digits>`.
- A reaction is exactly one emoji, however many code points it is joined of. It is kept in Unicode's fully-qualified
  form (with U+FE0F where that belongs), so `❤` comes back as `❤️`.
- `rev` counts all changes of a thread, without gaps. If a frame's `rev` is more than one higher than the last one you
  saw, something is missing: `subscribe` again with `sinceRev`, or `GET .../changes?sinceRev=`.

"""

REST_INTRO: Final = """\
## REST

Same tokens (`Authorization: Bearer`), same checks, same codes, in an `application/problem+json` body. A list answers
`{items, nextCursor}`. In development mode `X-User-Id` and `X-User-Type` do instead of a token.

"""

FIXED_NAMES: Final = """
Names and fields in this list never change, for existing clients depend on them: `auth`, `auth_success`, `message`,
`typing`, `read_receipt`, `message_ack`, `error`. `tests/contract/test_fixed_names.py` holds them.
"""


def _frames(frames: dict[str, type[BaseModel]], group: str, schemas: dict[str, Any]) -> str:
    return "".join(
        f"### `{name}`\n\n{flat(frame.__doc__)}\n\n{fields(schemas[frame.__name__])}\n"
        f"```json\n{json.dumps(example(group, name), ensure_ascii=False)}\n```\n\n"
        for name, frame in frames.items()
    )


def _states(schemas: dict[str, Any]) -> str:
    states = "".join(
        f"### {state.__name__}\n\n{flat(state.__doc__)}\n\n{fields(schemas[state.__name__])}\n" for state in STATES
    )
    words = "".join(
        f"### {name}\n\n{flat(schema.get('description'))} "
        f"One of {', '.join(f'`{each}`' for each in schema['enum'])}.\n\n"
        for name, schema in schemas.items()
        if "enum" in schema and name != "ErrorCode"
    )
    return states + words + "### ErrorCode\n\nSee [the codes](codes.md).\n\n"


def _routes() -> str:
    rows = [
        (f"`{method.upper()} {path}`", flat(route.get("summary")), flat(route.get("description")))
        for path, item in api()["paths"].items()
        for method, route in item.items()
        if method in METHODS
    ]
    return table(("route", "does", "in detail"), rows)


def _limits() -> str:
    rows = [(name, f"{limit.value:,}", limit.unit, limit.why) for name, limit in LIMITS.items()]
    return table(("limit", "value", "unit", "why"), rows)


def document() -> str:
    """docs/protocol.md."""
    schemas = definitions([*CLIENT_FRAMES.values(), *SERVER_FRAMES.values(), *STATES])
    return (
        BANNER.format(source="chatterbus_contracts and the gateway's routes")
        + INTRO
        + FIXED_NAMES.lstrip("\n")
        + "\n## Client to server\n\n"
        + _frames(dict(CLIENT_FRAMES), "client", schemas)
        + "## Server to client\n\n"
        + _frames(dict(SERVER_FRAMES), "server", schemas)
        + "## States\n\n"
        + _states(schemas)
        + REST_INTRO
        + _routes()
        + "\n## Limits\n\nThe same everywhere; what an operator may tune is a [setting](settings.md).\n\n"
        + _limits()
    )
