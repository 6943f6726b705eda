"""Every limit of the protocol: its value, unit and the reason for it. docs/protocol.md is generated from this table.

Limits here are part of the contract and the same everywhere. What an operator may tune (rates, caps on connections)
is a setting of the service that enforces it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """One row: what is limited, to what, in which unit, and why."""

    value: int
    unit: str
    why: str


LIMITS: Final[dict[str, Limit]] = {
    "frame": Limit(65_536, "bytes", "one frame holds any message; more belongs in an attachment"),
    "id": Limit(128, "characters", "ids are keys of indexes and tokens of subjects"),
    "content": Limit(16_000, "characters", "a message is read by a person; a book is an attachment"),
    "title": Limit(200, "characters", "one line in an inbox"),
    "name": Limit(100, "characters", "one line beside a message"),
    "token_id": Limit(1_024, "characters", "a jti is an id; longer ones work but cannot be revoked one by one"),
    "metadata": Limit(8_192, "bytes of JSON", "the product's own card, not its database"),
    "metadata_depth": Limit(32, "levels", "what a client may nest must fit, wrapped, in every JSON parser on its way"),
    "attachments": Limit(10, "per message", "a message is rendered whole"),
    "attachment_name": Limit(255, "characters", "what file systems take"),
    "emoji": Limit(32, "characters", "the longest joined emoji have about twenty"),
    "emojis": Limit(50, "different ones per message", "a line under a message, not a list"),
    "reactions": Limit(1_000, "per message", "a message's state is told whole"),
    "search": Limit(200, "characters", "a question, not a text"),
    "search_page": Limit(50, "messages", "a screenful of snippets"),
    "revisions_page": Limit(100, "revisions", "the latest edits of a message"),
    "mentions": Limit(50, "per message", "each mention is counted for its user"),
    "watched_users": Limit(200, "users per connection", "a page of contacts, not a directory"),
    "presence_members": Limit(100, "members", "in larger threads presence is told of watched users only"),
    "presence_asked": Limit(500, "users", "one answer stays well below a NATS message"),
    "presence_page": Limit(200, "users", "a screenful or five"),
    "contacts_page": Limit(500, "users", "one answer stays well below a NATS message"),
    "positions_page": Limit(2_000, "threads", "one answer stays well below a NATS message"),
    "positions_users": Limit(200, "users", "asked about in one question"),
    "revs_asked": Limit(500, "threads", "one question of a gateway that looks for silent gaps"),
    "unread_snapshot": Limit(200, "threads", "the newest; the total counts all"),
    "unread_mentions": Limit(1_000, "per thread", "more are counted as this many"),
    "preview": Limit(140, "characters", "one line in an inbox or a notification"),
    "deliveries_page": Limit(200, "attempts", "a screenful or five"),
    "members_per_create": Limit(500, "members", "one command creates them in one transaction"),
    "members_page": Limit(500, "members", "with a page of changes beside it, one answer stays below a NATS message"),
    "history_page": Limit(200, "messages", "a screenful or five; never the whole thread"),
    "changes_page": Limit(500, "changes", "one answer stays well below a NATS message"),
    "threads_page": Limit(100, "threads", "an inbox is read from the top"),
    "page_bytes": Limit(524_288, "bytes", "a page ends early rather than exceed what NATS carries"),
}

FRAME_MAX_BYTES: Final = LIMITS["frame"].value
CONTENT_MAX_CHARS: Final = LIMITS["content"].value
TITLE_MAX_CHARS: Final = LIMITS["title"].value
NAME_MAX_CHARS: Final = LIMITS["name"].value
TOKEN_ID_MAX_CHARS: Final = LIMITS["token_id"].value
METADATA_MAX_BYTES: Final = LIMITS["metadata"].value
METADATA_MAX_DEPTH: Final = LIMITS["metadata_depth"].value
ATTACHMENTS_MAX: Final = LIMITS["attachments"].value
ATTACHMENT_NAME_MAX_CHARS: Final = LIMITS["attachment_name"].value
EMOJI_MAX_CHARS: Final = LIMITS["emoji"].value
EMOJIS_MAX: Final = LIMITS["emojis"].value
REACTIONS_MAX: Final = LIMITS["reactions"].value
SEARCH_MAX_CHARS: Final = LIMITS["search"].value
SEARCH_PAGE_MAX: Final = LIMITS["search_page"].value
REVISIONS_PAGE_MAX: Final = LIMITS["revisions_page"].value
MENTIONS_MAX: Final = LIMITS["mentions"].value
MEMBERS_PER_CREATE_MAX: Final = LIMITS["members_per_create"].value
MEMBERS_PAGE_MAX: Final = LIMITS["members_page"].value
HISTORY_PAGE_MAX: Final = LIMITS["history_page"].value
WATCHED_USERS_MAX: Final = LIMITS["watched_users"].value
PRESENCE_MEMBERS_MAX: Final = LIMITS["presence_members"].value
PRESENCE_ASKED_MAX: Final = LIMITS["presence_asked"].value
PRESENCE_PAGE_MAX: Final = LIMITS["presence_page"].value
CONTACTS_PAGE_MAX: Final = LIMITS["contacts_page"].value
POSITIONS_PAGE_MAX: Final = LIMITS["positions_page"].value
POSITIONS_USERS_MAX: Final = LIMITS["positions_users"].value
REVS_ASKED_MAX: Final = LIMITS["revs_asked"].value
UNREAD_SNAPSHOT_MAX: Final = LIMITS["unread_snapshot"].value
UNREAD_MENTIONS_MAX: Final = LIMITS["unread_mentions"].value
PREVIEW_CHARS: Final = LIMITS["preview"].value
DELIVERIES_PAGE_MAX: Final = LIMITS["deliveries_page"].value
CHANGES_PAGE_MAX: Final = LIMITS["changes_page"].value
THREADS_PAGE_MAX: Final = LIMITS["threads_page"].value
PAGE_MAX_BYTES: Final = LIMITS["page_bytes"].value
