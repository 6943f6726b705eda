"""The index's SQL. Whoever writes holds the row of `search_index`, so no older reading overwrites a later one.

The text that is indexed, and the text that is shown with matches marked, are both in Unicode's composed form.
"""

from typing import Final

# Every row is found by its key. Plans are kept, and one made while a table was small would read all of it for ever.
SESSION_SETTINGS: Final = """
SELECT set_config('statement_timeout', %(statement_ms)s, false),
       set_config('idle_in_transaction_session_timeout', %(statement_ms)s, false),
       set_config('jit', 'off', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false)
"""

LANGUAGES: Final = "SELECT cfgname FROM pg_ts_config WHERE pg_ts_config_is_visible(oid) ORDER BY cfgname"

READ_STATE: Final = "SELECT language, followed, rebuild_thread, rebuild_seq FROM search_index"
LOCK_STATE: Final = READ_STATE + " FOR UPDATE"
LOCK_STATE_IF_FREE: Final = READ_STATE + " FOR UPDATE SKIP LOCKED"
BEGIN_REBUILD: Final = """
INSERT INTO search_index AS i (language, followed, rebuild_thread, rebuild_seq)
VALUES (%(language)s, %(followed)s, '', 0)
ON CONFLICT ("only") DO UPDATE SET language = excluded.language, followed = COALESCE(excluded.followed, i.followed),
                                   rebuild_thread = '', rebuild_seq = 0
"""
MOVE_REBUILD: Final = "UPDATE search_index SET rebuild_thread = %(thread)s, rebuild_seq = %(seq)s"

# `force`: rows of the same rev may have words of another language.
GATHER: Final = """
INSERT INTO message_search AS s (thread_id, seq, rev, created_at, tsv)
SELECT m.thread_id, m.seq, m.rev, m.created_at, to_tsvector(%(language)s::regconfig, normalize(m.content))
FROM unnest(%(threads)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
JOIN messages m ON m.thread_id = k.thread_id AND m.seq = k.seq
WHERE m.deleted_at IS NULL
ON CONFLICT (thread_id, seq) DO UPDATE SET rev = excluded.rev, created_at = excluded.created_at, tsv = excluded.tsv
WHERE s.rev < excluded.rev OR (%(force)s AND s.tsv <> excluded.tsv)
"""
# OFFSET 0 keeps each message a lookup by its key: as a join, all messages were read to look for two hundred.
FORGET: Final = """
DELETE FROM message_search s
USING unnest(%(threads)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
WHERE s.thread_id = k.thread_id AND s.seq = k.seq
  AND NOT EXISTS (SELECT FROM messages m
                  WHERE m.thread_id = k.thread_id AND m.seq = k.seq AND m.deleted_at IS NULL OFFSET 0)
"""

NEXT_PLACES: Final = """
SELECT thread_id, seq FROM messages
WHERE (thread_id, seq) > (%(thread)s, %(seq)s) AND (thread_id, seq) <= (%(last_thread)s, %(last_seq)s)
ORDER BY thread_id, seq LIMIT %(limit)s
"""
FORGET_BETWEEN: Final = """
DELETE FROM message_search s
WHERE (s.thread_id, s.seq) > (%(thread)s, %(seq)s) AND (s.thread_id, s.seq) <= (%(last_thread)s, %(last_seq)s)
  AND NOT EXISTS (SELECT FROM messages m
                  WHERE m.thread_id = s.thread_id AND m.seq = s.seq AND m.deleted_at IS NULL OFFSET 0)
"""
MESSAGES_ABOUT: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'messages'::regclass"
ANALYZE: Final = "ANALYZE message_search"
