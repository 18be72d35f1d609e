"""Which files need rows on scratch."""

import pytest

from tasks.forecast.observing.row_readers import may_read_rows
from tasks.rehearsal.model import RehearsedMigration

_CATALOG_ONLY = (
    "CREATE TABLE t (id int REFERENCES users)",
    "ALTER TABLE t ADD COLUMN a int, ADD COLUMN b text",
    "ALTER TABLE t DROP COLUMN a, ALTER b DROP NOT NULL, ALTER c SET DEFAULT 1",
    "COMMENT ON TABLE t IS 'x'; DROP VIEW v; ALTER TABLE t RENAME TO u",
)
_READING = (
    "ALTER TABLE t ADD COLUMN a int NOT NULL",
    "ALTER TABLE t ADD COLUMN a positive",
    "ALTER TABLE t ALTER a SET NOT NULL",
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u",
    "CREATE TABLE p PARTITION OF t FOR VALUES IN (1)",
    "CREATE INDEX ON t (a)",
    "UPDATE t SET a = 1",
    "DO $$ BEGIN END $$",
)


@pytest.mark.parametrize("text", _CATALOG_ONLY)
def test_what_changes_the_catalog_only_needs_no_rows(text: str) -> None:
    assert not may_read_rows(RehearsedMigration("v", text).make_step("up").script)


@pytest.mark.parametrize("text", _READING)
def test_what_reads_or_checks_rows_needs_rows(text: str) -> None:
    assert may_read_rows(RehearsedMigration("v", text).make_step("up").script)
