"""Edits, tombstones, reactions, attachments, receipts with times, and what a thread is to one member alone."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE members
        ADD COLUMN shown_read_seq bigint NOT NULL DEFAULT 0,
        ADD COLUMN archived_seq bigint,
        ADD COLUMN muted boolean NOT NULL DEFAULT false,
        ADD COLUMN show_receipts boolean NOT NULL DEFAULT true,
        ADD COLUMN marked_unread_seq bigint
    """,
    "UPDATE members SET shown_read_seq = read_seq",
    "ALTER TABLE threads ADD COLUMN member_count integer NOT NULL DEFAULT 0",
    """
    UPDATE threads t SET member_count = k.members
    FROM (SELECT thread_id, count(*) AS members FROM members WHERE removed_at IS NULL GROUP BY thread_id) k
    WHERE t.thread_id = k.thread_id
    """,
    """
    ALTER TABLE messages
        ADD COLUMN reactions json,
        ADD COLUMN attachments json,
        ADD COLUMN revisions integer NOT NULL DEFAULT 0,
        ADD COLUMN created_rev bigint
    """,
    "UPDATE messages SET created_rev = rev",
    "ALTER TABLE messages ALTER COLUMN created_rev SET NOT NULL",
    """
    CREATE TABLE message_revisions (
        thread_id text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        revision integer NOT NULL,
        content text NOT NULL,
        edited_by text COLLATE "C" NOT NULL,
        replaced_at timestamptz NOT NULL,
        CONSTRAINT message_revisions_pkey PRIMARY KEY (thread_id, seq, revision)
    )
    """,
    """
    CREATE TABLE cursor_history (
        thread_id text COLLATE "C" NOT NULL,
        user_id text COLLATE "C" NOT NULL,
        kind smallint NOT NULL,
        seq bigint NOT NULL,
        at timestamptz NOT NULL,
        CONSTRAINT cursor_history_pkey PRIMARY KEY (thread_id, user_id, kind, seq)
    )
    """,
    "COMMENT ON COLUMN cursor_history.kind IS '1 delivered, 2 read'",
    """
    INSERT INTO cursor_history (thread_id, user_id, kind, seq, at)
    SELECT thread_id, user_id, 1, delivered_seq, delivered_at FROM members
    WHERE delivered_seq > 0 AND delivered_at IS NOT NULL
    UNION ALL
    SELECT thread_id, user_id, 2, read_seq, read_at FROM members WHERE read_seq > 0 AND read_at IS NOT NULL
    """,
    """
    CREATE TABLE attachments (
        thread_id text COLLATE "C" NOT NULL,
        attachment_id text COLLATE "C" NOT NULL,
        owner_id text COLLATE "C" NOT NULL,
        name text NOT NULL,
        content_type text NOT NULL,
        size_bytes bigint NOT NULL,
        width integer,
        height integer,
        thumbnail boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL,
        seq bigint,
        removed_at timestamptz,
        CONSTRAINT attachments_pkey PRIMARY KEY (thread_id, attachment_id)
    )
    """,
    "COMMENT ON COLUMN attachments.seq IS 'the message it belongs to; null until it is attached'",
    """
    CREATE INDEX attachments_to_collect ON attachments (created_at)
    WHERE seq IS NULL OR removed_at IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
