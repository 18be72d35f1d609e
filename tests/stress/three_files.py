"""Three files of one transaction each after a first one, and what is left of them after a run that ended anywhere."""

from tasks.runner.errors import RunnerError
from tests.kit.databases import Database
from tests.runner.operating import Operator

FIRST = "20250101000000_first"
TRACE = "CREATE TABLE trace (step text); CREATE TABLE a (id int);"
TEXTS = {
    "20250102000000_two": "INSERT INTO trace VALUES ('two');\nALTER TABLE a ADD COLUMN n int;\nCREATE INDEX ON a (n);",
    "20250103000000_three": "INSERT INTO trace VALUES ('three');",
    "20250104000000_four": "CREATE TABLE four AS SELECT 1;",
}
VERSIONS = list(TEXTS)
STEPS = [["two"], ["three"], []]
STATE = """
SELECT array(SELECT version FROM schema_migrations WHERE version <> %s ORDER BY 1),
       array(SELECT version FROM schema_migrations_scripts WHERE version <> %s ORDER BY 1),
       array(SELECT version FROM schema_migrations_log WHERE outcome = 'finished' AND version <> %s ORDER BY id),
       array(SELECT step FROM trace ORDER BY ctid),
       (SELECT count(*)::int FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'n')
       + (SELECT count(*)::int FROM pg_index WHERE indrelid = 'a'::regclass) + (to_regclass('four') IS NOT NULL)::int
"""
OBJECTS = [0, 2, 2, 3]
"""How many of the objects that the last column of `STATE` counts there are after each number of files."""


def prepare(operator: Operator) -> None:
    """Apply the first file, and write the others."""
    operator.write(FIRST, TRACE)
    operator.migrate()
    for version, text in TEXTS.items():
        operator.write(version, text)


def check_agrees(database: Database) -> list[str]:
    """Return the versions that are applied; fail unless the ledger, the log, and the schema agree on them."""
    ((applied, scripts, finished, steps, objects),) = database.query(STATE, FIRST, FIRST, FIRST)
    assert applied == scripts == finished == VERSIONS[: len(applied)]
    assert (steps, objects) == ([step for each in STEPS[: len(applied)] for step in each], OBJECTS[len(applied)])
    return list(applied)


def check_report(error: RunnerError | None, done: list[str], applied: list[str]) -> None:
    """Fail unless what was reported agrees with what is applied."""
    assert applied[: len(done)] == done
    following = VERSIONS[len(done)] if len(done) < len(VERSIONS) else ""
    state = error.state if error else ""
    if state.startswith("It is not known whether"):
        assert state.startswith(f"It is not known whether {following} was committed; the next run checks that.")
        assert applied in (done, [*done, following])
        return
    assert applied == done
    if not error or error.place is None:
        return
    assert state.startswith(f"{following} was rolled back completely.")
