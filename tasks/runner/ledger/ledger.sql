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
    action VARCHAR(20) NOT NULL CHECK (action ~ '^[a-z]+$'),
    outcome VARCHAR(20) NOT NULL CHECK (outcome ~ '^[a-z]+$'),
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

-- What older ledgers lack. Newer versions of this tool may write actions and outcomes that this one ignores: only their form is checked.
ALTER TABLE schema_migrations_log ADD COLUMN IF NOT EXISTS note TEXT;
ALTER TABLE schema_migrations_log
    DROP CONSTRAINT IF EXISTS schema_migrations_log_action_check,
    ADD CONSTRAINT schema_migrations_log_action_check CHECK (action ~ '^[a-z]+$'),
    DROP CONSTRAINT IF EXISTS schema_migrations_log_outcome_check,
    ADD CONSTRAINT schema_migrations_log_outcome_check CHECK (outcome ~ '^[a-z]+$');

-- `format` changes when older tools can no longer use the ledger, `additions` when they can.
INSERT INTO schema_migrations_meta (key, value) VALUES ('format', '2'), ('additions', '1') ON CONFLICT (key)
    DO UPDATE SET value = excluded.value
    WHERE CASE WHEN schema_migrations_meta.value ~ '^[0-9]{1,9}$'
               THEN schema_migrations_meta.value::integer < excluded.value::integer ELSE true END;

-- The names that were replaced before `replaced` was recorded (tasks/runner/ledger/replaced.py), from the log.
INSERT INTO schema_migrations_meta (key, value)
SELECT 'replaced', json_agg(json_build_array(old, version, version ~ '_squashed_schema(_[0-9]+)?$', NULL))::text
  FROM (SELECT DISTINCT regexp_replace(note, '^(was|dropped:) ', '') AS old, version FROM schema_migrations_log
         WHERE action = 'rename' AND note ~ '^(was|dropped:) ') renamed
HAVING count(*) > 0
    ON CONFLICT (key) DO NOTHING;
