"""Each migration goes up, down and up again on scratch, and problems are found."""

from dataclasses import replace

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.own_servers import OwnServer
from tests.rehearsal.limits import limit_sleep
from tests.rehearsal.verifying import VERSIONS, list_found, make_migrations, verify_last, verify_migrations

A = ("CREATE TABLE a (id int PRIMARY KEY, x int, y int);", "DROP TABLE a;")
B = ("CREATE TABLE b (id int);", "DROP TABLE b;")
COUNTS = "DO $$ BEGIN IF EXISTS (SELECT FROM a) THEN CREATE TABLE b (); END IF; INSERT INTO a SELECT count(*) FROM a; END $$;"
ODD = (
    'CREATE SCHEMA "S p ü"; CREATE TABLE "S p ü"."T ""x" ("ß%s" int DEFAULT 1); CREATE INDEX "I \'x" ON "S p ü"."T ""x" ("ß%s");'
)

GOOD = {
    "table": B,
    "column at the end": ("ALTER TABLE a ADD COLUMN z int;", "ALTER TABLE a DROP COLUMN z;"),
    "concurrent index": ("CREATE INDEX CONCURRENTLY i ON a (x);", "DROP INDEX CONCURRENTLY i;"),
    "irreversible": ("ALTER TABLE a DROP COLUMN x;", "-- migrate: irreversible the values of x are gone"),
    "odd names": (ODD, 'DROP SCHEMA "S p ü" CASCADE;'),
    "function": ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "DROP FUNCTION f;"),
}
BAD = {
    "up_fails": ("SELECT 1;\nSELECT 1 / 0;", "SELECT 1;"),
    "down_fails": ("CREATE TABLE b ();", "SELECT 1;\nDROP TABLE nothing;"),
    "no_down": ("CREATE TABLE b ();", None),
    "not_restored": ("CREATE TABLE IF NOT EXISTS b (); CREATE OR REPLACE VIEW v AS SELECT 1;", "DROP TABLE b;"),
    "up_again_fails": ("INSERT INTO a VALUES (1);", "SELECT 1;"),
    "not_repeated": (COUNTS, "DROP TABLE IF EXISTS b;"),
}
LOCKED_OUT = {
    "a password": ("ALTER ROLE %2$I PASSWORD ''known''", []),
    "a setting of the role": ("ALTER ROLE %2$I SET local_preload_libraries = ''nothing''", []),
    "a privilege": ("REVOKE CONNECT ON DATABASE %1$I FROM %2$I", ["down_fails"]),
    "a limit": ("ALTER DATABASE %1$I CONNECTION LIMIT 0", ["down_fails"]),
    "a setting of the database": ("ALTER DATABASE %1$I SET search_path = nowhere", ["down_fails"]),
}
"""What a migration changes for its own database %1$I and role %2$I, and what is found."""
RESULTS = {
    "up_fails": (None, None),
    "down_fails": (False, None),
    "no_down": (None, None),
    "not_restored": (False, True),
    "up_again_fails": (True, False),
    "not_repeated": (True, False),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_a_correct_migration_has_no_findings(scratch: ScratchServer, text: tuple[str, str]) -> None:
    verified = verify_last(scratch, A, text)
    assert verified.findings == ()
    assert verified.works
    reversible = "irreversible" not in text[1]
    assert (verified.restores, verified.repeats) == ((True, True) if reversible else (None, None))
    assert verified.irreversible == ("" if reversible else "the values of x are gone")


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_with_a_migration_is_found(scratch: ScratchServer, what: str) -> None:
    verified = verify_last(scratch, A, BAD[what])
    assert list_found(verified) == [what]
    assert verified.works == (what != "up_fails")
    assert (verified.restores, verified.repeats) == RESULTS[what]


def test_a_file_without_a_statement_is_a_mild_finding(scratch: ScratchServer) -> None:
    verified = verify_last(scratch, A, ("-- nothing", ""))
    assert [(finding.what, finding.mild) for finding in verified.findings] == [("empty", True)] * 2
    assert (verified.works, verified.restores, verified.repeats) == (True, True, True)
    assert {"empty", "not_restored"} <= set(list_found(verify_last(scratch, A, (B[0], ""))))


@pytest.mark.parametrize(("what", "place"), [("up_fails", f"up/{VERSIONS[1]}.sql"), ("down_fails", f"down/{VERSIONS[1]}.sql")])
def test_an_error_has_its_file_and_line(scratch: ScratchServer, what: str, place: str) -> None:
    (found,) = verify_last(scratch, A, BAD[what]).findings
    assert found.error is not None
    assert (found.error.file, found.error.line) == (place, 2)
    assert found.error.source.startswith(("SELECT 1 / 0", "DROP TABLE nothing"))
    assert found.error.state == "This ran on a scratch database."


def test_what_down_leaves_behind_is_shown_as_a_diff_and_as_values(scratch: ScratchServer) -> None:
    (found,) = verify_last(scratch, A, BAD["not_restored"]).findings
    assert found.diff[0].startswith("+ view public.v")
    assert {"change": "added", "kind": "view", "name": "public.v"}.items() <= found.changes[-1].items()


def test_the_order_of_columns_is_a_mild_finding_of_its_own(scratch: ScratchServer) -> None:
    verified = verify_last(scratch, A, ("ALTER TABLE a DROP COLUMN x;", "ALTER TABLE a ADD COLUMN x int;"))
    assert [(found.what, found.mild) for found in verified.findings] == [("not_restored", True)]
    assert verified.restores
    assert "column order" in verified.findings[0].message


def test_a_down_with_statements_is_not_irreversible(scratch: ScratchServer) -> None:
    down = "-- migrate: irreversible the rows are gone\nDROP TABLE b;"
    assert list_found(verify_last(scratch, A, ("CREATE TABLE b ();", down))) == ["down_fails"]


def test_what_follows_a_migration_that_fails_is_verified_without_it(scratch: ScratchServer) -> None:
    migrations = make_migrations(A, ("SELECT 1 / 0;", ""), B)
    first, broken, last = verify_migrations(scratch, migrations, chosen=VERSIONS[:3])
    assert (list_found(first), list_found(broken), list_found(last)) == ([], ["up_fails"], [])


def test_a_predecessor_that_fails_but_is_not_selected_is_named(scratch: ScratchServer) -> None:
    verified = verify_last(scratch, A, ("SELECT 1 / 0;", ""), B)
    assert list_found(verified) == ["predecessor_fails"]
    assert not verified.works
    assert verified.findings[0].error is not None
    assert verified.findings[0].error.file == f"up/{VERSIONS[1]}.sql"


LATE = {
    "safe": ("CREATE TABLE late (id int);", "DROP TABLE late;"),
    "differs": ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "DROP FUNCTION f;"),
    "fails": ("ALTER TABLE a RENAME COLUMN x TO z;", "ALTER TABLE a RENAME COLUMN z TO x;"),
}


@pytest.mark.parametrize(("name", "late", "found"), [("safe", "safe", []), ("differs", "differs", ["late_differs"])])
def test_a_late_migration_runs_in_both_orders(scratch: ScratchServer, name: str, late: str, found: list[str]) -> None:
    after = ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2';", "SELECT 1;")
    migrations = make_migrations(A, LATE[name], after)
    (verified,) = verify_migrations(scratch, migrations, chosen=[VERSIONS[1]], applied=[VERSIONS[0], VERSIONS[2]])
    assert (verified.late, list_found(verified)) == (late, found)


def test_a_late_migration_that_makes_later_ones_fail_is_found(scratch: ScratchServer) -> None:
    migrations = make_migrations(A, LATE["fails"], ("ALTER TABLE a DROP COLUMN x;", "ALTER TABLE a ADD COLUMN x int;"))
    (verified,) = verify_migrations(scratch, migrations, chosen=[VERSIONS[1]], applied=[VERSIONS[0], VERSIONS[2]])
    assert (verified.late, list_found(verified)) == ("differs", ["late_fails", "late_fails"])


@pytest.mark.parametrize(
    ("behind", "late", "found"),
    [
        (B, "safe", []),
        (("CREATE VIEW v AS SELECT count(y) FROM a;", "DROP VIEW v;"), "differs", ["late_fails", "late_fails"]),
        (("ALTER TABLE a ADD COLUMN y text;", "ALTER TABLE a DROP COLUMN y;"), "differs", ["late_fails"]),
        (("CREATE TABLE c AS SELECT * FROM a;", "DROP TABLE c;"), "differs", ["late_differs", "late_differs"]),
    ],
    ids=["safe", "needs what it drops", "makes what it drops", "copies what it drops"],
)
def test_one_that_runs_after_the_deployment_runs_behind_the_others_too(
    scratch: ScratchServer, behind: tuple[str, str], late: str, found: list[str]
) -> None:
    first, second, *others = make_migrations(A, ("ALTER TABLE a DROP COLUMN y;", "ALTER TABLE a ADD COLUMN y int;"), behind)
    migrations = (first, replace(second, after_deploy=True), *others)
    (verified,) = verify_migrations(scratch, migrations, chosen=[VERSIONS[1]], applied=[VERSIONS[0]])
    assert verified.deferred
    assert (verified.late, list_found(verified)) == (late, found)


def test_a_migration_in_order_is_not_late(scratch: ScratchServer) -> None:
    (verified,) = verify_migrations(scratch, make_migrations(A, B), applied=[VERSIONS[0]])
    assert verified.late == ""


def test_a_migration_that_never_ends_is_stopped_and_found(
    scratch: ScratchServer, running: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_sleep(monkeypatch, running)
    (found,) = verify_last(scratch, A, ("SELECT pg_sleep(600);", ""), timeout_s=0.5).findings
    assert found.what == "up_fails"
    assert found.error is not None
    assert "did not finish within 0.5 s" in found.error.message


@pytest.mark.parametrize(
    ("up", "message", "hint"),
    [
        ("DROP DATABASE gaia;", "a rehearsal does not drop databases", "does not let a migration drop its own database"),
        ("CREATE TABLE crm.t ();", 'schema "crm" does not exist', "No earlier migration creates this schema"),
    ],
)
def test_an_error_that_is_specific_to_scratch_has_a_hint(scratch: ScratchServer, up: str, message: str, hint: str) -> None:
    (found,) = verify_last(scratch, A, (up, "SELECT 1;")).findings
    assert found.error is not None
    assert message in found.error.message
    assert hint in found.error.hint


def test_a_role_that_no_migration_creates_is_made_and_named(scratch: ScratchServer) -> None:
    grant = ("GRANT SELECT ON a TO app_reader;", "REVOKE SELECT ON a FROM app_reader;")
    verified = verify_last(scratch, A, grant)
    assert (verified.works, verified.restores, verified.findings) == (True, True, ())
    assert verified.unchecked == ("that the target has the role app_reader, which no migration creates",)
    assert verify_last(scratch, ("CREATE ROLE app_reader;", None), A, grant).unchecked == ()


def test_only_a_file_that_needs_what_the_scratch_server_lacks_is_not_checked(scratch: ScratchServer) -> None:
    lacking = make_migrations(
        ("CREATE EXTENSION nothing_like_it;\nCREATE TABLE a (v nothing_type);", "DROP TABLE a; DROP EXTENSION nothing_like_it;"),
        ("CREATE TABLE b (id int);", "DROP TABLE b;"),
        ("ALTER TABLE a ADD id int;", "ALTER TABLE a DROP id;"),
        ("CREATE TABLE c (id int);\nALTER TABLE b DROP nothing;", "DROP TABLE c;"),
    )
    extension, good, dependent, wrong = verify_migrations(scratch, lacking, chosen=VERSIONS[:4])
    assert [list_found(each) for each in (extension, good, dependent, wrong)] == [
        ["not_checked"],
        [],
        ["not_checked"],
        ["up_fails"],
    ]
    assert extension.findings[0].message.endswith("the scratch server does not have the extension nothing_like_it")
    assert "--without-extension nothing_like_it" in dependent.findings[0].hint
    up = f"up/{VERSIONS[2]}.sql:1 ALTER TABLE a ADD id int: needs a, which up/{VERSIONS[0]}.sql:2 would have made"
    assert dependent.unchecked[0] == up


def test_statements_that_were_not_run_are_listed(scratch: ScratchServer) -> None:
    verified = verify_last(scratch, ("ALTER SYSTEM SET work_mem = '5MB';\nCREATE TABLE a ();", "DROP TABLE a;"))
    assert list_found(verified) == []
    assert verified.unchecked == (f"up/{VERSIONS[0]}.sql:1 ALTER SYSTEM SET work_mem = '5MB'",)


@pytest.mark.parametrize(("statement", "found"), LOCKED_OUT.values(), ids=LOCKED_OUT.keys())
def test_a_migration_that_prevents_later_sessions_is_found_and_does_not_stop_the_verification(
    running: OwnServer, statement: str, found: list[str]
) -> None:
    up = f"DO $$ BEGIN EXECUTE format('{statement}', current_database(), current_user); END $$;"
    migrations = make_migrations((up, "SELECT 1;"), B)
    running.allow("local all postgres trust", "local all all scram-sha-256")
    try:
        with ScratchServer(running.url()) as scratch:
            first, second = verify_migrations(scratch, migrations, chosen=[each.name for each in migrations])
            scratch.drop_states()
    finally:
        running.allow("local all all trust")
    assert list_found(first) == found
    assert list_found(second) == (["up_fails"] if found else [])
