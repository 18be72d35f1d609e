-- == setup
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE people (id int, mood mood);
-- == up
ALTER TYPE mood ADD VALUE 'glad';
ALTER TABLE people ALTER COLUMN mood SET DEFAULT 'glad';
-- == down
-- migrate: irreversible PostgreSQL cannot remove a value from an enum type
-- == findings
enum-value-used@2
-- == safe up: replaced
ALTER TYPE mood ADD VALUE 'glad';
-- == safe down
-- migrate: irreversible PostgreSQL cannot remove a value from an enum type
-- == safe up: alter_table_people_alter_column_mood_set_default
-- Description: ALTER TABLE people ALTER COLUMN mood SET DEFAULT

ALTER TABLE people ALTER COLUMN mood SET DEFAULT 'glad';
-- == safe down
-- migrate: irreversible PostgreSQL cannot remove a value from an enum type
