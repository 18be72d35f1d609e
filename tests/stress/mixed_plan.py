"""A plan of every kind of file, with down files; a statement that ran twice would change the result."""

from tests.kit.projects import Project

_CREATE = """
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, mail text, mood mood);
CREATE TABLE counts (what text PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE trace (step text);
CREATE SCHEMA app;
CREATE TABLE app.things (id int PRIMARY KEY, size int, done boolean);
INSERT INTO counts (what) VALUES ('self'), ('pair'), ('batch');
INSERT INTO app.things SELECT n, n * 10 FROM generate_series(1, 6) n;
CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT $1 * 2; $$;
CREATE INDEX people_name ON people (name);
"""
_CREATE_DOWN = """
DROP TABLE app.things, people, counts, trace;
DROP SCHEMA app;
DROP FUNCTION twice;
DROP TYPE mood;
"""
_TRANSACTION = """
ALTER TYPE mood ADD VALUE 'calm';
COPY people (id, name, mail) FROM stdin;
1\tAda\tada@example.org
2\tBob\t\\N
3\tCyd\tcyd@example.org
\\.
UPDATE counts SET n = n + 1;
"""
_TRANSACTION_DOWN = """
DELETE FROM people;
UPDATE counts SET n = n - 1;
"""
_RECORDS_ITSELF = """
BEGIN;
ALTER TABLE people ADD COLUMN age int;
UPDATE counts SET n = n + 1 WHERE what = 'self';
INSERT INTO schema_migrations (version, applied_by) VALUES ('20250102000000_record_itself', 'migration_script');
COMMIT;
SELECT count(*) FROM people;
"""
_RECORDS_ITSELF_DOWN = """
BEGIN;
DELETE FROM schema_migrations WHERE version = '20250102000000_record_itself';
UPDATE counts SET n = n - 1 WHERE what = 'self';
ALTER TABLE people DROP COLUMN age;
COMMIT;
"""
_SEGMENTS = """
INSERT INTO trace VALUES ('first segment');
CREATE INDEX CONCURRENTLY people_mood ON people (mood);
CREATE UNIQUE INDEX CONCURRENTLY people_mail ON people (mail);
CREATE INDEX CONCURRENTLY IF NOT EXISTS people_twice ON people (twice(id)) WHERE id > 1;
INSERT INTO trace VALUES ('second segment');
ALTER TYPE mood ADD VALUE 'glad';
VACUUM (ANALYZE) people;
UPDATE people SET mood = 'glad' WHERE id = 1;
INSERT INTO trace VALUES ('third segment');
"""
_SEGMENTS_DOWN = """
DELETE FROM trace WHERE step LIKE '% segment';
UPDATE people SET mood = NULL;
DROP INDEX CONCURRENTLY people_twice;
DROP INDEX CONCURRENTLY IF EXISTS people_mail;
DROP INDEX CONCURRENTLY people_mood;
"""
_REBUILDS = """
REINDEX INDEX CONCURRENTLY people_mood;
REINDEX TABLE CONCURRENTLY people;
INSERT INTO trace VALUES ('rebuilt');
DROP INDEX CONCURRENTLY people_name;
"""
_REBUILDS_DOWN = """
CREATE INDEX CONCURRENTLY people_name ON people (name);
DELETE FROM trace WHERE step = 'rebuilt';
"""
_SETTINGS = """
SET search_path TO app;
SET ROLE pg_read_all_data;
RESET ROLE;
CREATE INDEX CONCURRENTLY things_size ON things (size);
INSERT INTO things VALUES (7, 70);
REINDEX INDEX CONCURRENTLY things_size;
INSERT INTO things VALUES (8, 80);
"""
_SETTINGS_DOWN = """
SET search_path TO app;
DROP INDEX CONCURRENTLY things_size;
DELETE FROM things WHERE id > 6;
"""
_PAIRS = """
BEGIN;
ALTER TABLE people ADD COLUMN nick text;
INSERT INTO schema_migrations (version) VALUES ('20250105000000_pairs');
COMMIT;
CREATE INDEX CONCURRENTLY people_nick ON people (nick);
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE counts SET n = n + 1 WHERE what = 'pair';
COMMIT;
"""
_PAIRS_DOWN = """
BEGIN;
DELETE FROM schema_migrations WHERE version = '20250105000000_pairs';
UPDATE counts SET n = n - 1 WHERE what = 'pair';
COMMIT;
DROP INDEX CONCURRENTLY people_nick;
BEGIN;
ALTER TABLE people DROP COLUMN nick;
COMMIT;
"""
_BATCHES = """
-- migrate: no-transaction
UPDATE app.things SET size = size + 1 WHERE id <= 3;
UPDATE app.things SET size = size + 1 WHERE id > 3;
CREATE PROCEDURE finish() LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM app.things WHERE done IS NULL) LOOP
        UPDATE counts SET n = n + 1 WHERE what = 'batch';
        UPDATE app.things SET done = true WHERE id = (SELECT min(id) FROM app.things WHERE done IS NULL);
        COMMIT;
    END LOOP;
END $$;
CALL finish();
DROP PROCEDURE finish;
UPDATE counts SET n = n * 2 WHERE what = 'batch';
"""
_BATCHES_DOWN = """
-- migrate: no-transaction
UPDATE counts SET n = n / 2 WHERE what = 'batch';
UPDATE app.things SET done = NULL;
UPDATE app.things SET size = size - 1 WHERE id <= 3;
UPDATE app.things SET size = size - 1 WHERE id > 3;
"""

PLAN = {
    "20250101000000_create": (_CREATE, _CREATE_DOWN),
    "20250101120000_transaction": (_TRANSACTION, _TRANSACTION_DOWN),
    "20250102000000_record_itself": (_RECORDS_ITSELF, _RECORDS_ITSELF_DOWN),
    "20250103000000_segments": (_SEGMENTS, _SEGMENTS_DOWN),
    "20250103120000_rebuilds": (_REBUILDS, _REBUILDS_DOWN),
    "20250104000000_settings": (_SETTINGS, _SETTINGS_DOWN),
    "20250105000000_pairs": (_PAIRS, _PAIRS_DOWN),
    "20250106000000_batches": (_BATCHES, _BATCHES_DOWN),
    "20250107000000_last": ("INSERT INTO trace VALUES ('last');", "DELETE FROM trace WHERE step = 'last';"),
}
TABLES = ("people", "counts", "trace", "app.things")
FIRST, *VERSIONS = PLAN
"""The first file creates what the others change."""


def write_plan(project: Project) -> None:
    """Write the files of the plan."""
    for version, (up, down) in PLAN.items():
        project.write_up(version, up)
        project.write_down(version, down)
