"""The ledger's SQL: every statement of the hot path, named, set-based, one row of an array column per row.

Promises: a batch of any size is a fixed number of statements, usually one; nothing is built from values. Arrays are
literals of `arrays`, cast here. Times of a batch are one parameter.
"""

from typing import Final

SESSION_SETTINGS: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false),
       set_config('idle_session_timeout', %(idle_ms)s, false),
       set_config('statement_timeout', %(statement_ms)s, false),
       set_config('synchronous_commit', 'on', false),
       set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false)
"""

# Advisory locks: one shared lock says "I am a persister", one exclusive lock each owns a partition.
JOIN_INSTANCES: Final = "SELECT pg_advisory_lock_shared(%(instances)s, 0), pg_backend_pid()"
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

LOAD_THREADS: Final = """
SELECT thread_id, title, metadata, open, created_by, created_at, last_seq, last_rev, last_message_at, rev
FROM threads WHERE thread_id = ANY (%(threads)s::text[])
"""
LOAD_MEMBERS: Final = """
SELECT m.thread_id, m.user_id, m.user_type, m.role, m.joined_at, m.removed_at,
       m.delivered_seq, m.delivered_rev, m.delivered_at, m.read_seq, m.read_rev, m.read_at, m.membership_rev, m.rev
FROM unnest(%(threads)s::text[], %(users)s::text[]) AS k (thread_id, user_id)
JOIN members m ON m.thread_id = k.thread_id AND m.user_id = k.user_id
"""
MESSAGE_COLUMNS: Final = """
m.thread_id, m.seq, m.rev, m.sender_id, m.sender_type, m.client_message_id, m.message_type, m.content,
m.reply_to_seq, m.mentions, m.metadata, m.created_at, m.edited_at, m.deleted_at
"""
LOAD_SENDS: Final = f"""
SELECT {MESSAGE_COLUMNS}
FROM unnest(%(threads)s::text[], %(users)s::text[], %(ids)s::text[]) AS k (thread_id, sender_id, client_message_id)
JOIN messages m ON m.thread_id = k.thread_id AND m.sender_id = k.sender_id
               AND m.client_message_id = k.client_message_id
"""  # noqa: S608 - a constant

INSERT_THREADS: Final = """
INSERT INTO threads (thread_id, title, metadata, open, created_by, created_at, last_seq, last_rev, last_message_at, rev)
SELECT k.thread_id, k.title, k.metadata::json, k.open, k.created_by, %(at)s, k.last_seq, k.last_rev,
       CASE WHEN k.last_seq > 0 THEN %(at)s END, k.rev
FROM unnest(%(ids)s::text[], %(titles)s::text[], %(metadata)s::text[], %(open)s::boolean[], %(creators)s::text[],
            %(seqs)s::bigint[], %(last_revs)s::bigint[], %(revs)s::bigint[])
     AS k (thread_id, title, metadata, open, created_by, last_seq, last_rev, rev)
"""
_MEMBER_KEYS: Final = """
unnest(%(threads)s::text[], %(users)s::text[], %(types)s::text[], %(roles)s::text[],
       %(joined)s::timestamptz[], %(removed)s::timestamptz[],
       %(delivered_seqs)s::bigint[], %(delivered_revs)s::bigint[], %(delivered_ats)s::timestamptz[],
       %(read_seqs)s::bigint[], %(read_revs)s::bigint[], %(read_ats)s::timestamptz[],
       %(membership_revs)s::bigint[], %(revs)s::bigint[])
AS k (thread_id, user_id, user_type, role, joined_at, removed_at, delivered_seq, delivered_rev, delivered_at,
      read_seq, read_rev, read_at, membership_rev, rev)
"""
INSERT_MEMBERS: Final = f"""
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, removed_at, delivered_seq, delivered_rev,
                     delivered_at, read_seq, read_rev, read_at, membership_rev, rev)
SELECT k.* FROM {_MEMBER_KEYS}
"""  # noqa: S608 - a constant
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
                          reply_to_seq, mentions, metadata, created_at)
    SELECT k.thread_id, k.seq, k.rev, k.sender_id, k.sender_type, k.client_message_id, k.message_type, k.content,
           k.reply_to_seq, k.mentions::text[], k.metadata::json, %(at)s::timestamptz
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
           membership_rev = k.membership_rev, rev = k.rev
    FROM {_MEMBER_KEYS}
    WHERE m.thread_id = k.thread_id AND m.user_id = k.user_id
)
SELECT 1 / (CASE WHEN count(*) = %(partition_count)s::bigint THEN 1 ELSE 0 END) FROM offsets
"""  # noqa: S608 - a constant
