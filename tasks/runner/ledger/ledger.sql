-- The ledger: the record of the migrations of a database. Safe to run again.
-- People and other tools read schema_migrations; the other tables are for this tool.
-- Every name has its schema, so that nothing depends on search_path, and no function or operator of another role becomes a part of it.

CREATE TABLE IF NOT EXISTS :"schema".schema_migrations (
    version VARCHAR(255) PRIMARY KEY,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(255),
    checksum VARCHAR(64),
    execution_time_ms INTEGER
);

-- Append-only: one row when an attempt starts or resumes, one when it ends. A row without a version describes the entire run.
CREATE TABLE IF NOT EXISTS :"schema".schema_migrations_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id pg_catalog.uuid NOT NULL,
    version VARCHAR(255),
    action VARCHAR(20) NOT NULL CHECK (action OPERATOR(pg_catalog.~) '^[a-z]+$'),
    outcome VARCHAR(20) NOT NULL CHECK (outcome OPERATOR(pg_catalog.~) '^[a-z]+$'),
    segments_done INTEGER NOT NULL DEFAULT 0 CHECK (segments_done OPERATOR(pg_catalog.>=) 0),
    segments_total INTEGER NOT NULL DEFAULT 0,
    segments_checksum VARCHAR(64),
    actor VARCHAR(255) NOT NULL,
    host VARCHAR(255) NOT NULL,
    git_revision VARCHAR(64),
    git_dirty BOOLEAN,
    tool_version VARCHAR(40) NOT NULL,
    sqlstate VARCHAR(5),
    error pg_catalog.text,
    at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    duration_ms INTEGER,
    CHECK (segments_done OPERATOR(pg_catalog.<=) segments_total),
    CHECK (outcome OPERATOR(pg_catalog.<>) 'failed' OR error IS NOT NULL)
);

-- The texts that were applied: to roll back without the file, and to show how a file was edited.
CREATE TABLE IF NOT EXISTS :"schema".schema_migrations_scripts (
    version VARCHAR(255) PRIMARY KEY,
    up_text pg_catalog.text,
    down_text pg_catalog.text
);

CREATE TABLE IF NOT EXISTS :"schema".schema_migrations_seeds (
    name VARCHAR(255) PRIMARY KEY,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(255),
    checksum VARCHAR(64) NOT NULL,
    execution_time_ms INTEGER
);

CREATE TABLE IF NOT EXISTS :"schema".schema_migrations_meta (
    key VARCHAR(40) PRIMARY KEY,
    value pg_catalog.text NOT NULL
);

-- Here, the tables are checked.

CREATE INDEX IF NOT EXISTS schema_migrations_log_version ON :"schema".schema_migrations_log (version, id);
CREATE INDEX IF NOT EXISTS schema_migrations_log_open ON :"schema".schema_migrations_log (id)
    WHERE version IS NOT NULL AND outcome OPERATOR(pg_catalog.<>) 'finished';

-- What older ledgers lack. Newer versions of this tool may write actions and outcomes that this one ignores: only their form is checked.
ALTER TABLE :"schema".schema_migrations_log ADD COLUMN IF NOT EXISTS note pg_catalog.text;
-- The SHA-256 of the files whose texts schema_migrations_scripts stores, and of the texts where these are not the files' bytes.
ALTER TABLE :"schema".schema_migrations_log
    ADD COLUMN IF NOT EXISTS up_digest VARCHAR(64),
    ADD COLUMN IF NOT EXISTS down_digest VARCHAR(64),
    ADD COLUMN IF NOT EXISTS up_text_digest VARCHAR(64),
    ADD COLUMN IF NOT EXISTS down_text_digest VARCHAR(64);
-- The bytes of the files whose texts schema_migrations_scripts does not store because of their size: there, these are NULL.
ALTER TABLE :"schema".schema_migrations_log
    ADD COLUMN IF NOT EXISTS up_size BIGINT,
    ADD COLUMN IF NOT EXISTS down_size BIGINT;
ALTER TABLE :"schema".schema_migrations_scripts ALTER COLUMN up_text DROP NOT NULL;
-- JSON: how long each statement waited for locks and had them, and what was forecast.
ALTER TABLE :"schema".schema_migrations_log ADD COLUMN IF NOT EXISTS locks pg_catalog.text;
ALTER TABLE :"schema".schema_migrations_log
    DROP CONSTRAINT IF EXISTS schema_migrations_log_action_check,
    ADD CONSTRAINT schema_migrations_log_action_check CHECK (action OPERATOR(pg_catalog.~) '^[a-z]+$'),
    DROP CONSTRAINT IF EXISTS schema_migrations_log_outcome_check,
    ADD CONSTRAINT schema_migrations_log_outcome_check CHECK (outcome OPERATOR(pg_catalog.~) '^[a-z]+$');

-- `format` changes when older tools can no longer use the ledger, `additions` when they can.
INSERT INTO :"schema".schema_migrations_meta AS meta (key, value) VALUES ('format', '2'), ('additions', '4') ON CONFLICT (key)
    DO UPDATE SET value = excluded.value
    WHERE CASE WHEN meta.value OPERATOR(pg_catalog.~) '^[0-9]{1,9}$'
               THEN meta.value::INTEGER OPERATOR(pg_catalog.<) excluded.value::INTEGER ELSE true END;

-- The names that were replaced before `replaced` was recorded (tasks/runner/ledger/replaced.py), from the log.
INSERT INTO :"schema".schema_migrations_meta (key, value)
SELECT 'replaced', pg_catalog.json_agg(pg_catalog.json_build_array(
           old, version, version OPERATOR(pg_catalog.~) '_squashed_schema(_[0-9]+)?$', NULL))::pg_catalog.text
  FROM (SELECT DISTINCT pg_catalog.regexp_replace(note, '^(was|dropped:) ', '') AS old, version FROM :"schema".schema_migrations_log
         WHERE action OPERATOR(pg_catalog.=) 'rename' AND note OPERATOR(pg_catalog.~) '^(was|dropped:) ') renamed
HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0
    ON CONFLICT (key) DO NOTHING;
