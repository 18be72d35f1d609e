"""The SQL with which a tool of format 2 without additions read and wrote the ledger, as it was then: never change it."""

LEDGER = """
-- The ledger: the record of the migrations of a database. Safe to run again.
-- People and other tools read schema_migrations; the other tables are for this tool.

CREATE TABLE IF NOT EXISTS schema_migrations (
    version VARCHAR(255) PRIMARY KEY,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(255),
    checksum VARCHAR(64),
    execution_time_ms INTEGER
);

-- Append-only: one row when an attempt starts or resumes, one when it ends. A row without a version describes the entire run.
CREATE TABLE IF NOT EXISTS schema_migrations_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id UUID NOT NULL,
    version VARCHAR(255),
    action VARCHAR(20) NOT NULL,
    outcome VARCHAR(20) NOT NULL CHECK (outcome IN ('started', 'finished', 'failed', 'resumed')),
    segments_done INTEGER NOT NULL DEFAULT 0 CHECK (segments_done >= 0),
    segments_total INTEGER NOT NULL DEFAULT 0,
    segments_checksum VARCHAR(64),
    actor VARCHAR(255) NOT NULL,
    host VARCHAR(255) NOT NULL,
    git_revision VARCHAR(64),
    git_dirty BOOLEAN,
    tool_version VARCHAR(40) NOT NULL,
    sqlstate VARCHAR(5),
    error TEXT,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    duration_ms INTEGER,
    CHECK (segments_done <= segments_total),
    CHECK (outcome <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS schema_migrations_log_version ON schema_migrations_log (version, id);
CREATE INDEX IF NOT EXISTS schema_migrations_log_open ON schema_migrations_log (id)
    WHERE version IS NOT NULL AND outcome <> 'finished';

-- The texts that were applied: to roll back without the file, and to show how a file was edited.
CREATE TABLE IF NOT EXISTS schema_migrations_scripts (
    version VARCHAR(255) PRIMARY KEY,
    up_text TEXT NOT NULL,
    down_text TEXT
);

CREATE TABLE IF NOT EXISTS schema_migrations_seeds (
    name VARCHAR(255) PRIMARY KEY,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(255),
    checksum VARCHAR(64) NOT NULL,
    execution_time_ms INTEGER
);

CREATE TABLE IF NOT EXISTS schema_migrations_meta (
    key VARCHAR(40) PRIMARY KEY,
    value TEXT NOT NULL
);
-- What a ledger of format 1 lacks.
ALTER TABLE schema_migrations_log ADD COLUMN IF NOT EXISTS note TEXT;
ALTER TABLE schema_migrations_log
    DROP CONSTRAINT IF EXISTS schema_migrations_log_action_check,
    ADD CONSTRAINT schema_migrations_log_action_check
        CHECK (action IN ('migrate', 'rollback', 'repair', 'seed', 'adopt', 'rename'));

INSERT INTO schema_migrations_meta (key, value) VALUES ('format', '2') ON CONFLICT (key)
    DO UPDATE SET value = excluded.value WHERE schema_migrations_meta.value <> excluded.value;
"""
LAYOUT = """
SELECT coalesce(n.nspname, current_schema()),
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT bool_and(to_regclass(quote_ident(coalesce(n.nspname, current_schema())) || '.schema_migrations_' || beside)
                        IS NOT NULL)
          FROM unnest(ARRAY['log', 'meta', 'scripts', 'seeds']) beside),
       c.relkind IN ('r', 'p') AND EXISTS (
         SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           JOIN pg_type y ON y.oid = a.atttypid
          WHERE i.indrelid = c.oid AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL
            AND a.attname = 'version' AND a.attnotnull AND y.typcategory = 'S')
  FROM (SELECT to_regclass('schema_migrations') AS oid) t
  LEFT JOIN pg_class c ON c.oid = t.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
"""
ATTEMPTS = """
SELECT 'meta', key, value, NULL, 0, 0, NULL, NULL, NULL, NULL FROM {meta}
UNION ALL
SELECT 'log', version, action, outcome, segments_done, segments_total, segments_checksum, sqlstate, error, at::text
  FROM {log} l
 WHERE version IS NOT NULL AND outcome <> 'finished'
   AND id = (SELECT max(id) FROM {log} later WHERE later.version = l.version)
"""
ROWS = 'SELECT version, checksum FROM {ledger} ORDER BY applied_at NULLS FIRST, version COLLATE "C"'
_LOG_COLUMNS = (
    "run_id, version, action, outcome, segments_done, segments_total, segments_checksum,"
    " actor, host, git_revision, git_dirty, tool_version, sqlstate, error, duration_ms, note"
)
_LOG_VALUES = (
    "{run_id}, {version}, {action}, {outcome}, {done}, {total}, {segments_checksum},"
    " {actor}, {host}, {commit}, {dirty}, {tool}, {sqlstate}, {error}, {duration_ms}, {note}"
)
LOG = f"INSERT INTO {{log}} ({_LOG_COLUMNS}) VALUES ({_LOG_VALUES})"
_WITH_LOG = f"WITH log AS (INSERT INTO {{log}} ({_LOG_COLUMNS}) VALUES ({_LOG_VALUES}))"
APPLIED = f"""
{_WITH_LOG},
     script AS (INSERT INTO {{scripts}} (version, up_text, down_text) VALUES ({{version}}, {{up_text}}, {{down_text}})
                ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text)
INSERT INTO {{ledger}} AS row (version, applied_at, applied_by, checksum, execution_time_ms)
VALUES ({{version}}, clock_timestamp() AT TIME ZONE 'UTC', {{actor}}, {{checksum}}, {{duration_ms}})
"""
COMPLETE_OWN_ROW = """
ON CONFLICT (version) DO UPDATE
   SET applied_at = excluded.applied_at, applied_by = coalesce(row.applied_by, excluded.applied_by),
       checksum = excluded.checksum, execution_time_ms = excluded.execution_time_ms
"""
REVERTED = f"""
{_WITH_LOG},
     script AS (DELETE FROM {{scripts}} WHERE version = {{version}})
DELETE FROM {{ledger}} WHERE version = {{version}}
"""
SEEDED = f"""
{_WITH_LOG}
INSERT INTO {{seeds}} (name, applied_at, applied_by, checksum, execution_time_ms)
VALUES ({{version}}, clock_timestamp() AT TIME ZONE 'UTC', {{actor}}, {{checksum}}, {{duration_ms}})
ON CONFLICT (name) DO UPDATE
   SET applied_at = excluded.applied_at, applied_by = excluded.applied_by,
       checksum = excluded.checksum, execution_time_ms = excluded.execution_time_ms
"""
RENAMED = f"""
{_WITH_LOG},
     script AS (UPDATE {{scripts}} SET version = {{version}} WHERE version = {{recorded}}
                   AND NOT EXISTS (SELECT FROM {{scripts}} WHERE version = {{version}}))
UPDATE {{ledger}} SET version = {{version}}, checksum = coalesce({{checksum}}, checksum) WHERE version = {{recorded}}
"""
DROPPED = f"""
{_WITH_LOG},
     script AS (DELETE FROM {{scripts}} WHERE version = {{recorded}})
DELETE FROM {{ledger}} WHERE version = {{recorded}}
"""
ADOPTED = f"""
WITH ledger AS (
       INSERT INTO {{ledger}} (version, applied_at, applied_by, checksum)
       VALUES ({{version}}, coalesce({{applied_at}}::timestamp, now() AT TIME ZONE 'UTC'), {{applied_by}}, {{checksum}})
       ON CONFLICT (version) DO NOTHING RETURNING 1),
     script AS (
       INSERT INTO {{scripts}} (version, up_text, down_text) SELECT {{version}}, {{up_text}}, {{down_text}} FROM ledger
       ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text)
INSERT INTO {{log}} ({_LOG_COLUMNS}) SELECT {_LOG_VALUES} FROM ledger
"""
