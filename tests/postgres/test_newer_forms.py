"""The forms of statements that older versions of PostgreSQL do not have."""

import pytest
from psycopg import Error

from tasks.postgres.newer_forms import FORMS, NewerForm, find_newer_forms
from tests.kit.databases import Database

_COMMON = """
    CREATE TABLE t (a int NOT NULL CONSTRAINT k CHECK (a > 1), b int CONSTRAINT n NOT NULL, g int GENERATED ALWAYS AS (a) STORED);
    CREATE TABLE u (a int REFERENCES t (a) ON DELETE SET NULL, UNIQUE (a)); CREATE SEQUENCE s;
    ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES u DEFERRABLE; ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE;
    ALTER TABLE t ALTER a SET NOT NULL, ALTER b SET STORAGE PLAIN; GRANT ALL ON t TO PUBLIC; GRANT SELECT (a) ON t TO x;
    CREATE PUBLICATION p FOR TABLE t; CREATE STATISTICS st ON a, b FROM t; CREATE VIEW v WITH (security_barrier) AS SELECT 1;
    CREATE DOMAIN d AS int NOT NULL; ALTER DOMAIN d SET NOT NULL; ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 1) NOT VALID;
    CREATE UNLOGGED TABLE w (a int); CREATE COLLATION c (provider = icu, locale = 'de');
"""


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.words)
def test_a_form_is_found_for_older_versions_only(form: NewerForm) -> None:
    assert find_newer_forms(form.example, form.since - 1) == (form,)
    assert find_newer_forms(form.example, form.since) == ()


def test_forms_that_each_version_has_are_none() -> None:
    assert find_newer_forms(_COMMON, 14) == ()


def test_a_version_runs_the_forms_that_it_has_and_no_others(any_database: Database) -> None:
    major = any_database.ask(lambda connection: connection.info.server_version) // 10000
    assert [form.words for form in FORMS if runs(any_database, f"{form.prepare} {form.example}") != (form.since <= major)] == []


def runs(database: Database, text: str) -> bool:
    """Return whether statements run, and undo them."""
    database.execute("BEGIN")
    try:
        database.execute(text)
    except Error:
        return False
    else:
        return True
    finally:
        database.execute("ROLLBACK")
