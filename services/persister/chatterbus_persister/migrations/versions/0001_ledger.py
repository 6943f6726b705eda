"""Threads, members, messages, the queue's offsets, dead letters."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE store (
        "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
        epoch text NOT NULL,
        partitions integer NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE partitions (
        partition smallint PRIMARY KEY,
        epoch integer NOT NULL DEFAULT 0,
        stream_created text,
        applied bigint NOT NULL DEFAULT 0,
        announced bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)
    """,
    "COMMENT ON COLUMN partitions.stream_created IS 'creation time of the stream that `applied` counts in'",
    """
    CREATE TABLE threads (
        thread_id text COLLATE "C" CONSTRAINT threads_pkey PRIMARY KEY,
        title text,
        metadata json,
        open boolean NOT NULL DEFAULT false,
        created_by text COLLATE "C" NOT NULL,
        created_at timestamptz NOT NULL,
        last_seq bigint NOT NULL DEFAULT 0,
        last_rev bigint NOT NULL DEFAULT 0,
        last_message_at timestamptz,
        rev bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 70)
    """,
    "COMMENT ON COLUMN threads.open IS 'development mode: anyone may join'",
    """
    CREATE TABLE members (
        thread_id text COLLATE "C" NOT NULL,
        user_id text COLLATE "C" NOT NULL,
        user_type text NOT NULL,
        role text NOT NULL,
        joined_at timestamptz NOT NULL,
        removed_at timestamptz,
        delivered_seq bigint NOT NULL DEFAULT 0,
        delivered_rev bigint NOT NULL DEFAULT 0,
        delivered_at timestamptz,
        read_seq bigint NOT NULL DEFAULT 0,
        read_rev bigint NOT NULL DEFAULT 0,
        read_at timestamptz,
        membership_rev bigint NOT NULL DEFAULT 0,
        rev bigint NOT NULL DEFAULT 0,
        CONSTRAINT members_pkey PRIMARY KEY (thread_id, user_id)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX members_by_user ON members (user_id, thread_id) WHERE removed_at IS NULL",
    """
    CREATE TABLE messages (
        thread_id text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        rev bigint NOT NULL,
        sender_id text COLLATE "C" NOT NULL,
        sender_type text NOT NULL,
        client_message_id text COLLATE "C" NOT NULL,
        message_type text NOT NULL,
        content text NOT NULL,
        reply_to_seq bigint,
        mentions text[],
        metadata json,
        created_at timestamptz NOT NULL,
        edited_at timestamptz,
        deleted_at timestamptz,
        CONSTRAINT messages_pkey PRIMARY KEY (thread_id, seq),
        CONSTRAINT messages_once UNIQUE (thread_id, sender_id, client_message_id)
    )
    """,
    "CREATE UNIQUE INDEX messages_by_rev ON messages (thread_id, rev)",
    """
    CREATE TABLE dead_letters (
        partition smallint NOT NULL,
        epoch integer NOT NULL,
        stream_seq bigint NOT NULL,
        position integer NOT NULL,
        reason text NOT NULL,
        payload bytea NOT NULL,
        at timestamptz NOT NULL,
        CONSTRAINT dead_letters_pkey PRIMARY KEY (partition, epoch, stream_seq, position)
    )
    """,
    "COMMENT ON COLUMN dead_letters.position IS 'place of the command in its parcel'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
