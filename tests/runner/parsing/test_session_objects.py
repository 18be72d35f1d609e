"""What statements leave in their session and later segments need."""

import pytest

from tasks.runner.parsing import read_script
from tasks.runner.parsing.session_objects import find_session_needs


def find(text: str) -> list[tuple[int, str, int]]:
    segments = read_script(text, file="f.sql", version="v").segments
    return [(need.line, need.what, need.used) for need in find_session_needs(segments)]


@pytest.mark.parametrize(
    ("first", "last", "what"),
    [
        ("CREATE TEMP TABLE keep (id int);", "DELETE FROM t WHERE id IN (SELECT id FROM keep);", "the temporary table keep"),
        ('CREATE LOCAL TEMPORARY TABLE "Keep" AS SELECT 1;', 'TABLE "Keep";', 'the temporary table "Keep"'),
        ("CREATE TABLE pg_temp.keep (id int);", "DROP TABLE keep;", "the temporary table keep"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1;", "TABLE v;", "the temporary table v"),
        (
            "CREATE TEMP TABLE IF NOT EXISTS keep (id int);",
            "DO $$ BEGIN PERFORM 1 FROM keep; END $$;",
            "the temporary table keep",
        ),
        ("DO $$ BEGIN CREATE TEMP TABLE keep (id int); END $$;", "TABLE keep;", "the temporary table keep"),
        ("SELECT 1 INTO TEMP TABLE keep;", "TABLE keep;", "the temporary table keep"),
        ("PREPARE ask AS SELECT 1;", "EXECUTE ask;", "the prepared statement ask"),
        ("SELECT pg_advisory_lock(1);", "SELECT 1;", "a session-level advisory lock"),
        ("SELECT 1 WHERE pg_try_advisory_lock_shared(1);", "SELECT 1;", "a session-level advisory lock"),
        ("LISTEN done;", "SELECT 1;", "LISTEN done"),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT;", "FETCH c;", "the cursor c"),
    ],
)
def test_what_a_later_segment_needs_is_found_with_both_lines(first: str, last: str, what: str) -> None:
    assert find(f"{first}\nVACUUM;\n{last}") == [(1, what, 3 if "lock" not in what and "LISTEN" not in what else 2)]
    assert find(f"{first}\n{last}" if "BEGIN" not in first else "SELECT 1;") == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TEMP TABLE keep (id int); TABLE keep; VACUUM;",
        "CREATE TABLE t (temp int, temporary int); VACUUM; SELECT temp FROM t;",
        "SET search_path = app; VACUUM; SELECT 1;",
        "SELECT pg_advisory_xact_lock(1); VACUUM;",
        "DECLARE c CURSOR FOR SELECT 1; VACUUM; SELECT 1;",
        "INSERT INTO t VALUES ('CREATE TEMP TABLE keep ()'); VACUUM; TABLE keep;",
    ],
)
def test_what_no_later_segment_needs_is_not_a_finding(text: str) -> None:
    assert find(text) == []
