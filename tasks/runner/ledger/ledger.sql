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
