"""The schema, as SQLAlchemy Core tables. Migrations create it; a test compares the two.

Promises: every table of chat data leads its keys with `thread_id`, so distributing by thread is a deployment's choice;
ids sort by bytes (collation C); metadata is `json`, not `jsonb`, so that it comes back byte for byte. Nothing here is a
SEQUENCE: seq and rev come from the thread's row.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

metadata: Final = MetaData()


def _id(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text(collation="C"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


store: Final = Table(
    "store",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("epoch", Text, nullable=False),
    Column("partitions", Integer, nullable=False),
    _time("created_at"),
)

partitions: Final = Table(
    "partitions",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("stream_created", Text, nullable=True, comment="creation time of the stream that `applied` counts in"),
    _count("applied"),
    _count("announced"),
    postgresql_with={"fillfactor": "50"},
)

threads: Final = Table(
    "threads",
    metadata,
    _id("thread_id"),
    Column("title", Text),
    Column("metadata", JSON),
    Column("open", Boolean, nullable=False, server_default=text("false"), comment="development mode: anyone may join"),
    _id("created_by"),
    _time("created_at"),
    _count("last_seq"),
    _count("last_rev"),
    _time("last_message_at", nullable=True),
    _count("rev"),
    Column("member_count", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("thread_id", name="threads_pkey"),
    postgresql_with={"fillfactor": "70"},
)

members: Final = Table(
    "members",
    metadata,
    _id("thread_id"),
    _id("user_id"),
    Column("user_type", Text, nullable=False),
    Column("role", Text, nullable=False),
    _time("joined_at"),
    _time("removed_at", nullable=True),
    _count("delivered_seq"),
    _count("delivered_rev"),
    _time("delivered_at", nullable=True),
    _count("read_seq"),
    _count("read_rev"),
    _time("read_at", nullable=True),
    _count("membership_rev"),
    _count("rev"),
    _count("shown_read_seq"),
    Column("archived_seq", BigInteger),
    Column("muted", Boolean, nullable=False, server_default=text("false")),
    Column("show_receipts", Boolean, nullable=False, server_default=text("true")),
    Column("marked_unread_seq", BigInteger),
    PrimaryKeyConstraint("thread_id", "user_id", name="members_pkey"),
    Index("members_by_user", "user_id", "thread_id", postgresql_where=text("removed_at IS NULL")),
    postgresql_with={"fillfactor": "70"},
)

messages: Final = Table(
    "messages",
    metadata,
    _id("thread_id"),
    Column("seq", BigInteger, nullable=False),
    Column("rev", BigInteger, nullable=False),
    _id("sender_id"),
    Column("sender_type", Text, nullable=False),
    _id("client_message_id"),
    Column("message_type", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("reply_to_seq", BigInteger),
    Column("mentions", ARRAY(Text)),
    Column("metadata", JSON),
    _time("created_at"),
    _time("edited_at", nullable=True),
    _time("deleted_at", nullable=True),
    Column("reactions", JSON),
    Column("attachments", JSON),
    Column("revisions", Integer, nullable=False, server_default=text("0")),
    Column("created_rev", BigInteger, nullable=False),
    PrimaryKeyConstraint("thread_id", "seq", name="messages_pkey"),
    UniqueConstraint("thread_id", "sender_id", "client_message_id", name="messages_once"),
    Index("messages_by_rev", "thread_id", "rev", unique=True),
    Index("messages_with_mentions", "thread_id", "seq", postgresql_where=text("mentions IS NOT NULL")),
)

message_revisions: Final = Table(
    "message_revisions",
    metadata,
    _id("thread_id"),
    Column("seq", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("content", Text, nullable=False),
    _id("edited_by"),
    _time("replaced_at"),
    PrimaryKeyConstraint("thread_id", "seq", "revision", name="message_revisions_pkey"),
)

cursor_history: Final = Table(
    "cursor_history",
    metadata,
    _id("thread_id"),
    _id("user_id"),
    Column("kind", SmallInteger, nullable=False, comment="1 delivered, 2 read"),
    Column("seq", BigInteger, nullable=False),
    _time("at"),
    PrimaryKeyConstraint("thread_id", "user_id", "kind", "seq", name="cursor_history_pkey"),
)

attachments: Final = Table(
    "attachments",
    metadata,
    _id("thread_id"),
    _id("attachment_id"),
    _id("owner_id"),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("thumbnail", Boolean, nullable=False, server_default=text("false")),
    _time("created_at"),
    Column("seq", BigInteger, comment="the message it belongs to; null until it is attached"),
    _time("removed_at", nullable=True),
    PrimaryKeyConstraint("thread_id", "attachment_id", name="attachments_pkey"),
    Index("attachments_to_collect", "created_at", postgresql_where=text("seq IS NULL OR removed_at IS NOT NULL")),
)

message_search: Final = Table(
    "message_search",
    metadata,
    _id("thread_id"),
    Column("seq", BigInteger, nullable=False),
    Column("rev", BigInteger, nullable=False, comment="rev of the message when its words were gathered"),
    _time("created_at"),
    Column("tsv", TSVECTOR, nullable=False),
    PrimaryKeyConstraint("thread_id", "seq", name="message_search_pkey"),
    Index("message_search_words", "tsv", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    Index("message_search_by_time", "thread_id", "created_at", "seq"),
)

search_index: Final = Table(
    "search_index",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("language", Text, nullable=False, server_default=text("'simple'")),
    Column("followed", Text, comment="creation time of the consumer of EVENTS that feeds the index"),
    Column("rebuild_thread", Text(collation="C"), comment="how far a rebuild has come; null: none is under way"),
    Column("rebuild_seq", BigInteger),
)

dead_letters: Final = Table(
    "dead_letters",
    metadata,
    Column("partition", SmallInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("stream_seq", BigInteger, nullable=False),
    Column("position", Integer, nullable=False, comment="place of the command in its parcel"),
    Column("reason", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    _time("at"),
    PrimaryKeyConstraint("partition", "epoch", "stream_seq", "position", name="dead_letters_pkey"),
)
