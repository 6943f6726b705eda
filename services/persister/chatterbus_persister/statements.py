"""The ledger's SQL: every statement of the hot path, named, set-based, one row of an array column per row.

Promises: a batch of any size is a fixed number of statements, usually one; nothing is built from values. Arrays are
literals of `arrays`, cast here. Times of a batch are one parameter.
"""

from typing import Final

# Every row is found by its key. Plans are kept, and one made while a table was small would read all of it for ever.
SESSION_SETTINGS: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false),
       set_config('idle_session_timeout', %(idle_ms)s, false),
       set_config('statement_timeout', %(statement_ms)s, false),
       set_config('synchronous_commit', 'on', false),
       set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false)
"""

# Advisory locks: one shared lock says "I am a persister", one which step of the schema it was made for (see
# rollout.py), and one exclusive lock each owns a partition.
JOIN_INSTANCES: Final = """
SELECT pg_advisory_lock_shared(%(versions)s, %(step)s), pg_advisory_lock_shared(%(instances)s, 0), pg_backend_pid()
"""
TRY_PARTITION: Final = "SELECT pg_try_advisory_lock(%(partitions)s, %(partition)s)"
RELEASE_PARTITION: Final = "SELECT pg_advisory_unlock(%(partitions)s, %(partition)s)"
HOLDERS: Final = """
SELECT pid, array_agg(objid::int) FILTER (WHERE classid = %(partitions)s::int::oid)
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2
  AND classid IN (%(partitions)s::int::oid, %(instances)s::int::oid)
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY pid
"""

READ_POSITION: Final = """
SELECT epoch, stream_created, applied, announced FROM partitions WHERE partition = %(partition)s
"""
BEGIN_EPOCH: Final = """
UPDATE partitions SET epoch = %(epoch)s, stream_created = %(stream_created)s, applied = %(applied)s,
       announced = %(applied)s
WHERE partition = %(partition)s AND epoch = %(epoch)s - 1
"""
SAVE_ANNOUNCED: Final = """
UPDATE partitions p SET announced = k.announced
FROM unnest(%(partitions)s::smallint[], %(epochs)s::int[], %(announced)s::bigint[]) AS k (partition, epoch, announced)
WHERE p.partition = k.partition AND p.epoch = k.epoch AND p.announced < k.announced
"""

# The columns of the rows in `ledger.rows`, in their order.
THREAD_COLUMNS: Final = """
t.thread_id, t.title, t.metadata, t.open, t.created_by, t.created_at, t.last_seq, t.last_rev, t.last_message_at, t.rev,
t.member_count
"""
MEMBER_COLUMNS: Final = """
m.thread_id, m.user_id, m.user_type, m.role, m.joined_at, m.removed_at, m.delivered_seq, m.delivered_rev,
m.delivered_at, m.read_seq, m.read_rev, m.read_at, m.membership_rev, m.rev, m.shown_read_seq, m.archived_seq, m.muted,
m.show_receipts, m.marked_unread_seq
"""
LOAD_THREADS: Final = f"""
SELECT {THREAD_COLUMNS} FROM threads t WHERE t.thread_id = ANY (%(threads)s::text[])
"""  # noqa: S608 - a constant
LOAD_MEMBERS: Final = f"""
SELECT {MEMBER_COLUMNS}
FROM unnest(%(threads)s::text[], %(users)s::text[]) AS k (thread_id, user_id)
JOIN members m ON m.thread_id = k.thread_id AND m.user_id = k.user_id
"""  # noqa: S608 - a constant
MESSAGE_COLUMNS: Final = """
m.thread_id, m.seq, m.rev, m.sender_id, m.sender_type, m.client_message_id, m.message_type, m.content,
m.reply_to_seq, m.mentions, m.metadata, m.created_at, m.edited_at, m.deleted_at, m.reactions, m.attachments,
m.revisions, m.created_rev
"""
LOAD_SENDS: Final = f"""
SELECT {MESSAGE_COLUMNS}
FROM unnest(%(threads)s::text[], %(users)s::text[], %(ids)s::text[]) AS k (thread_id, sender_id, client_message_id)
JOIN messages m ON m.thread_id = k.thread_id AND m.sender_id = k.sender_id
               AND m.client_message_id = k.client_message_id
"""  # noqa: S608 - a constant
LOAD_OWNERS: Final = f"""
SELECT {MEMBER_COLUMNS} FROM members m
WHERE m.thread_id = ANY (%(threads)s::text[]) AND m.role = 'owner' AND m.removed_at IS NULL
"""  # noqa: S608 - a constant
LOAD_MESSAGES: Final = f"""
SELECT {MESSAGE_COLUMNS}
FROM unnest(%(threads)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
JOIN messages m ON m.thread_id = k.thread_id AND m.seq = k.seq
"""  # noqa: S608 - a constant
LOAD_ATTACHMENTS: Final = """
SELECT a.thread_id, a.attachment_id, a.owner_id, a.name, a.content_type, a.size_bytes, a.width, a.height, a.thumbnail,
       a.created_at, a.seq, a.removed_at
FROM unnest(%(threads)s::text[], %(ids)s::text[]) AS k (thread_id, attachment_id)
JOIN attachments a ON a.thread_id = k.thread_id AND a.attachment_id = k.attachment_id
"""

INSERT_THREADS: Final = """
INSERT INTO threads (thread_id, title, metadata, open, created_by, created_at, last_seq, last_rev, last_message_at, rev,
                     member_count)
SELECT k.thread_id, k.title, k.metadata::json, k.open, k.created_by, %(at)s, k.last_seq, k.last_rev,
       CASE WHEN k.last_seq > 0 THEN %(at)s END, k.rev, k.member_count
FROM unnest(%(ids)s::text[], %(titles)s::text[], %(metadata)s::text[], %(open)s::boolean[], %(creators)s::text[],
            %(seqs)s::bigint[], %(last_revs)s::bigint[], %(revs)s::bigint[], %(counts)s::int[])
     AS k (thread_id, title, metadata, open, created_by, last_seq, last_rev, rev, member_count)
"""
_MEMBER_KEYS: Final = """
unnest(%(threads)s::text[], %(users)s::text[], %(types)s::text[], %(roles)s::text[],
       %(joined)s::timestamptz[], %(removed)s::timestamptz[],
       %(delivered_seqs)s::bigint[], %(delivered_revs)s::bigint[], %(delivered_ats)s::timestamptz[],
       %(read_seqs)s::bigint[], %(read_revs)s::bigint[], %(read_ats)s::timestamptz[],
       %(membership_revs)s::bigint[], %(revs)s::bigint[], %(shown)s::bigint[], %(archived)s::bigint[],
       %(muted)s::boolean[], %(show)s::boolean[], %(marked)s::bigint[])
AS k (thread_id, user_id, user_type, role, joined_at, removed_at, delivered_seq, delivered_rev, delivered_at,
      read_seq, read_rev, read_at, membership_rev, rev, shown_read_seq, archived_seq, muted, show_receipts,
      marked_unread_seq)
"""
INSERT_MEMBERS: Final = f"""
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, removed_at, delivered_seq, delivered_rev,
                     delivered_at, read_seq, read_rev, read_at, membership_rev, rev, shown_read_seq, archived_seq,
                     muted, show_receipts, marked_unread_seq)
SELECT k.* FROM {_MEMBER_KEYS}
"""  # noqa: S608 - a constant
DESCRIBE_THREADS: Final = """
UPDATE threads t SET title = k.title, metadata = k.metadata::json, rev = k.rev, member_count = k.member_count
FROM unnest(%(ids)s::text[], %(titles)s::text[], %(metadata)s::text[], %(revs)s::bigint[], %(counts)s::int[])
     AS k (thread_id, title, metadata, rev, member_count)
WHERE t.thread_id = k.thread_id
"""
UPDATE_MESSAGES: Final = """
UPDATE messages m SET rev = k.rev, content = k.content, mentions = k.mentions::text[], metadata = k.metadata::json,
       edited_at = k.edited_at, deleted_at = k.deleted_at, reactions = k.reactions::json,
       attachments = k.attachments::json, revisions = k.revisions
FROM unnest(%(threads)s::text[], %(seqs)s::bigint[], %(revs)s::bigint[], %(contents)s::text[], %(mentions)s::text[],
            %(metadata)s::text[], %(edited)s::timestamptz[], %(deleted)s::timestamptz[], %(reactions)s::text[],
            %(attachments)s::text[], %(revisions)s::int[])
     AS k (thread_id, seq, rev, content, mentions, metadata, edited_at, deleted_at, reactions, attachments, revisions)
WHERE m.thread_id = k.thread_id AND m.seq = k.seq
"""
INSERT_REVISIONS: Final = """
INSERT INTO message_revisions (thread_id, seq, revision, content, edited_by, replaced_at)
SELECT k.thread_id, k.seq, k.revision, k.content, k.edited_by, %(at)s
FROM unnest(%(threads)s::text[], %(seqs)s::bigint[], %(revisions)s::int[], %(contents)s::text[], %(editors)s::text[])
     AS k (thread_id, seq, revision, content, edited_by)
"""
INSERT_ATTACHMENTS: Final = """
INSERT INTO attachments (thread_id, attachment_id, owner_id, name, content_type, size_bytes, width, height, thumbnail,
                         created_at, seq)
SELECT k.thread_id, k.attachment_id, k.owner_id, k.name, k.content_type, k.size_bytes, k.width, k.height, k.thumbnail,
       %(at)s, k.seq
FROM unnest(%(threads)s::text[], %(ids)s::text[], %(owners)s::text[], %(names)s::text[], %(types)s::text[],
            %(sizes)s::bigint[], %(widths)s::int[], %(heights)s::int[], %(thumbnails)s::boolean[], %(seqs)s::bigint[])
     AS k (thread_id, attachment_id, owner_id, name, content_type, size_bytes, width, height, thumbnail, seq)
"""
ATTACH: Final = """
UPDATE attachments a SET seq = k.seq
FROM unnest(%(threads)s::text[], %(ids)s::text[], %(seqs)s::bigint[]) AS k (thread_id, attachment_id, seq)
WHERE a.thread_id = k.thread_id AND a.attachment_id = k.attachment_id
"""
# What a deleted message leaves behind: its former texts go at once, its files when they are collected.
FORGET_REVISIONS: Final = """
DELETE FROM message_revisions r
USING unnest(%(threads)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
WHERE r.thread_id = k.thread_id AND r.seq = k.seq
"""
RELEASE_ATTACHMENTS: Final = """
UPDATE attachments a SET removed_at = %(at)s
FROM unnest(%(threads)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
WHERE a.thread_id = k.thread_id AND a.seq = k.seq AND a.removed_at IS NULL
"""
INSERT_DEAD_LETTERS: Final = """
INSERT INTO dead_letters (partition, epoch, stream_seq, position, reason, payload, at)
VALUES (%(partition)s, %(epoch)s, %(stream_seq)s, %(position)s, %(reason)s, %(payload)s, %(at)s)
ON CONFLICT DO NOTHING
"""

# The whole of an ordinary batch in one statement, and so in one round trip and one transaction. A partition that does
# not stand where it was believed to is not updated, the count is short, and dividing by zero undoes everything.
APPLY_BATCH: Final = f"""
WITH offsets AS (
    UPDATE partitions p SET applied = k.applied, announced = GREATEST(p.announced, k.announced)
    FROM unnest(%(partitions)s::smallint[], %(epochs)s::int[], %(expected)s::bigint[], %(applied)s::bigint[],
                %(announced)s::bigint[])
         AS k (partition, epoch, expected, applied, announced)
    WHERE p.partition = k.partition AND p.epoch = k.epoch AND p.applied = k.expected
    RETURNING 1
), stored_messages AS (
    INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content,
                          reply_to_seq, mentions, metadata, created_at, created_rev)
    SELECT k.thread_id, k.seq, k.rev, k.sender_id, k.sender_type, k.client_message_id, k.message_type, k.content,
           k.reply_to_seq, k.mentions::text[], k.metadata::json, %(at)s::timestamptz, k.rev
    FROM unnest(%(m_threads)s::text[], %(m_seqs)s::bigint[], %(m_revs)s::bigint[], %(m_senders)s::text[],
                %(m_types)s::text[], %(m_ids)s::text[], %(m_kinds)s::text[], %(m_contents)s::text[],
                %(m_replies)s::bigint[], %(m_mentions)s::text[], %(m_metadata)s::text[])
         AS k (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, reply_to_seq,
               mentions, metadata)
), moved_threads AS (
    UPDATE threads t SET last_seq = k.last_seq, last_rev = k.last_rev,
           last_message_at = CASE WHEN k.last_seq > t.last_seq THEN %(at)s::timestamptz ELSE t.last_message_at END
    FROM unnest(%(t_ids)s::text[], %(t_seqs)s::bigint[], %(t_revs)s::bigint[]) AS k (thread_id, last_seq, last_rev)
    WHERE t.thread_id = k.thread_id
), moved_members AS (
    UPDATE members m SET user_type = k.user_type, role = k.role, joined_at = k.joined_at, removed_at = k.removed_at,
           delivered_seq = k.delivered_seq, delivered_rev = k.delivered_rev, delivered_at = k.delivered_at,
           read_seq = k.read_seq, read_rev = k.read_rev, read_at = k.read_at,
           membership_rev = k.membership_rev, rev = k.rev, shown_read_seq = k.shown_read_seq,
           archived_seq = k.archived_seq, muted = k.muted, show_receipts = k.show_receipts,
           marked_unread_seq = k.marked_unread_seq
    FROM {_MEMBER_KEYS}
    WHERE m.thread_id = k.thread_id AND m.user_id = k.user_id
), noted_steps AS (
    INSERT INTO cursor_history (thread_id, user_id, kind, seq, at)
    SELECT k.thread_id, k.user_id, k.kind, k.seq, %(at)s::timestamptz
    FROM unnest(%(c_threads)s::text[], %(c_users)s::text[], %(c_kinds)s::smallint[], %(c_seqs)s::bigint[])
         AS k (thread_id, user_id, kind, seq)
    ON CONFLICT DO NOTHING
)
SELECT 1 / (CASE WHEN count(*) = %(partition_count)s::bigint THEN 1 ELSE 0 END) FROM offsets
"""  # noqa: S608 - a constant
