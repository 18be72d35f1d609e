"""The script of a plan for psql: it leaves the schema and the ledger that a run leaves."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from tasks.catalog import read_catalog
from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.errors import RefusedError, RunnerError, UsageError
from tasks.runner.events import SqlWritten
from tasks.runner.operations.migrate import RunMode
from tasks.runner.operations.sql_script import write_sql
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database, fresh_database
from tests.kit.roles import MakeRole, grant_by_default
from tests.kit.waiting import wait_until
from tests.runner.ledger.test_privileges import list_grants
from tests.runner.operating import A, B, C, Operator, operate_at, pick

D = "20250104000000_create_d"
STOPPED = 3
"""The exit code of psql after an error in a script. https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-EXIT-STATUS"""
SESSIONS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'psql'"
LEDGER = {
    "versions": "SELECT version, checksum, applied_at IS NULL FROM schema_migrations ORDER BY 1",
    "texts": "SELECT version, up_text, down_text FROM schema_migrations_scripts ORDER BY 1",
    "log": """SELECT version, action, outcome, segments_done, segments_total, segments_checksum, note, git_revision, tool_version,
                     up_digest, down_digest, up_text_digest, down_text_digest, up_size, down_size
                FROM schema_migrations_log ORDER BY id""",
    "meta": "SELECT key, value FROM schema_migrations_meta WHERE key <> 'schema' ORDER BY 1",
}


def write_script(operator: Operator, *, to: str = "", **options: Any) -> str:
    """Return the script of a migration."""
    (written,) = pick(write_sql(operator.make_runner(**options), MigrateGoal(to=to), RunMode()), SqlWritten)
    return written.sql


def run_psql(
    database: Database, script: str, *flags: str, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a script as a user does, with psql of the server's version; nothing of this account's configuration is read."""
    psql = database.server.cluster.programs / "psql"
    file = Path(database.server.cluster.data).parent / f"{database.name}.sql"
    file.write_text(script, encoding="utf-8", newline="")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(file.parent), "LC_ALL": "C", **(env or {})}
    result = subprocess.run(
        [psql, *flags, f"--file={file}", database.url], capture_output=True, text=True, env=environment, check=False
    )
    with database.connect() as other:
        # A script that stops leaves the lock of runs to the end of its session, a moment after that of psql.
        wait_until(lambda: not other.execute(SESSIONS).fetchall(), what="the end of the session")
    return result


def apply(database: Database, script: str, *flags: str) -> str:
    """Run a script that succeeds, and return what it prints."""
    result = run_psql(database, script, *flags)
    assert (result.returncode, result.stderr) == (0, ""), f"{result.stdout}\n{result.stderr}"
    return result.stdout


def stop(database: Database, script: str) -> str:
    """Run a script that stops with an error, and return it."""
    result = run_psql(database, script)
    assert result.returncode == STOPPED, f"{result.stdout}\n{result.stderr}"
    return result.stderr


def read_all(database: Database) -> dict[str, object]:
    """Return the schema, the ledger, and the rows of the tables of the test."""
    found: dict[str, object] = {name: database.query(query) for name, query in LEDGER.items()}
    found["schema"] = database.ask(read_catalog).objects
    for (table,) in database.query(
        "SELECT oid::regclass::name FROM pg_class WHERE relkind = 'r' AND relname !~ '^schema_migrations'"
        " AND relnamespace <> ALL (ARRAY['pg_catalog', 'information_schema']::regnamespace[])"
    ):
        name = table.decode() if isinstance(table, bytes) else table  # as in a database with SQL_ASCII
        found[f"rows of {name}"] = sorted(database.query(f"SELECT t::text FROM {name} t"))
    return found


@pytest.fixture
def twin(any_operator: Operator) -> Iterator[Operator]:
    """Yield an operator of the same project on another empty database of the same server."""
    with fresh_database(any_operator.database.server) as database:
        yield operate_at(any_operator, database)


FILES: dict[str, list[Any]] = {
    "plain": ["CREATE TABLE a (id int);", "ALTER TABLE a ADD COLUMN b text;\nINSERT INTO a VALUES (1, 'x');"],
    "text that psql would replace": [
        "CREATE TABLE a AS SELECT ':n' AS plain, $$:n :'n' :\"n\"$$ AS dollar, (ARRAY[1, 2, 3])[1:n] AS part, 1::bigint AS cast_"
        " FROM (VALUES (2)) v(n);\nCREATE VIEW v AS SELECT (ARRAY[1, 2, 3])[n:n] FROM (VALUES (2)) v(n); -- :n 'it''s\n"
        "COMMENT ON VIEW v IS E'a\\\\b :n \\'';",
    ],
    "quotes and backslashes": [
        "CREATE TABLE a AS SELECT E'\\\\x' AS x, 'it''s\\' AS y, U&'\\00e4' AS z, $q$\\q \\! $$ $q$ AS w;",
        'CREATE TABLE "b;\\"();\n/* ; \'open */ SELECT 1;',
    ],
    "code": [
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$\r\nBEGIN\r\n  -- it's\r\n  RETURN 1;\r\nEND $body$;\r\n",
        "CREATE FUNCTION g(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN n > 0 THEN 1 END; SELECT 2; END;",
        "CREATE TABLE a (x int);\nCREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2);\n"
        "DO $$ BEGIN EXECUTE 'SELECT 1;'; END $$;",
    ],
    "data": [
        "CREATE TABLE a (x text, y text);\nCOPY a FROM stdin;\nit's\t\"\n$data$\t\\\\if\n\\N\t/* -- \n\\.\n"
        "COPY a (x) FROM stdin WITH (FORMAT csv);\n\"a;b\n'c\"\n:x\n\\.\nINSERT INTO a VALUES ('last');",
        "COPY a FROM stdin;\n1\t2",
        "COPY a FROM stdin;\n\\.\n",
    ],
    "other encodings and a byte order mark": [
        "\ufeffCREATE TABLE \u00e4 (\u65e5\u672c text DEFAULT '\U0001f600'); -- \u00df",
        b"SET client_encoding = 'LATIN1';\nCREATE TABLE a AS SELECT '\xe4'::text AS x;\nCOMMENT ON TABLE a IS '\xfc';",
        "SELECT set_config('client_' || 'encoding', 'LATIN1', false);\nCREATE TABLE b AS SELECT '\u00e4'::text AS x;",
    ],
    "own transactions": [
        "BEGIN;\nCREATE TABLE a ();\nCOMMIT;",
        "BEGIN ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE b AS SELECT current_setting('transaction_isolation');\nCOMMIT;",
        "SET LOCAL lock_timeout = '9s';\nSET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n"
        "CREATE TABLE c AS SELECT current_setting('transaction_isolation') AS i, current_setting('lock_timeout') AS l;",
        "BEGIN;\nCREATE TABLE d ();\nSET search_path = app, public;\nCOMMIT;\n"
        "BEGIN;\nCREATE SCHEMA app;\nCREATE TABLE e ();\nCOMMIT;",
    ],
    "outside a transaction": [
        "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nALTER TABLE a ADD COLUMN b int;",
        "REINDEX TABLE CONCURRENTLY a;\nDROP INDEX CONCURRENTLY a_id;\nVACUUM a;",
        "-- migrate: no-transaction\nCREATE TABLE b ();\nINSERT INTO b DEFAULT VALUES;\nCREATE TABLE c ();",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE e (); COMMIT; CREATE TABLE f (); END $$;\nCALL p();",
        "CREATE TABLE r (id int) PARTITION BY LIST (id);\nCREATE TABLE r1 PARTITION OF r FOR VALUES IN (1);\n"
        "ALTER TABLE r DETACH PARTITION r1 CONCURRENTLY;",
    ],
    "settings and session": [
        "CREATE SCHEMA app; SET search_path = app; SET ROLE pg_monitor; RESET ROLE; CREATE TABLE a ();CREATE TEMP TABLE t ();",
        "CREATE TABLE b AS SELECT current_setting('search_path') AS s, current_setting('row_security') AS r;"
        "CREATE TEMP TABLE t ();",
        "PREPARE p AS SELECT 1; LISTEN x; DECLARE c CURSOR WITH HOLD FOR SELECT 1; RESET ALL;"
        "CREATE TABLE c AS SELECT '\u00e4' AS x;",
    ],
    "own lock timeouts": [
        "-- migrate: lock-timeout 2s\nCREATE TABLE a AS SELECT current_setting('lock_timeout') AS l;",
        "-- migrate: lock-timeout 1h\nVACUUM a;\nCREATE TABLE b AS SELECT current_setting('lock_timeout') AS l;",
        "CREATE TABLE c AS SELECT current_setting('lock_timeout') AS l;",
    ],
    "deferred constraints": [
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);",
        "INSERT INTO b VALUES (1); INSERT INTO a VALUES (1);",
    ],
    "own row": [
        f"CREATE TABLE a ();\nINSERT INTO schema_migrations (version) VALUES ('{A}');",
        f"CREATE TABLE b ();\nINSERT INTO schema_migrations (version) VALUES ('{B}');\nVACUUM;",
    ],
    "empty": ["-- nothing\n", "", "SELECT 1;;\n;"],
    "password": ["CREATE TABLE a AS SELECT current_setting('search_path') AS s;\n-- CREATE ROLE x PASSWORD 'hush'\n"],
}
"""The up files of up to five migrations, by what they have in common."""
VERSIONS = (A, B, C, D, "20250105000000_create_e")


def write_files(operator: Operator, texts: list[Any]) -> None:
    for version, text in zip(VERSIONS, texts, strict=False):
        operator.project.write_up(version, text)
        operator.project.write_down(version, "SELECT 1;\r\n-- down")


@pytest.mark.parametrize("texts", FILES.values(), ids=FILES.keys())
def test_a_script_leaves_the_schema_and_the_ledger_of_a_run(any_operator: Operator, twin: Operator, texts: list[Any]) -> None:
    write_files(any_operator, texts)
    script = write_script(twin)
    assert twin.database.query("SELECT to_regclass('schema_migrations')::text") == [(None,)]
    any_operator.migrate()
    apply(twin.database, script, "--set=n=9")
    expected = read_all(any_operator.database)
    assert read_all(twin.database) == expected
    assert set(twin.read_states().values()) == {"applied"}
    assert twin.read_status().findings == any_operator.read_status().findings
    printed = apply(twin.database, script, "--set=n=9")
    assert printed.count("already applied") == len(texts)
    assert read_all(twin.database) == expected


@pytest.mark.parametrize("keep_text", [0, 24])
def test_a_script_stores_the_texts_that_a_run_stores(any_operator: Operator, twin: Operator, keep_text: int) -> None:
    write_files(any_operator, ["CREATE TABLE a ();", "CREATE TABLE b ();\nVACUUM b;\n-- more than 24 bytes"])
    script = write_script(twin, keep_text=keep_text)
    any_operator.migrate(keep_text=keep_text)
    apply(twin.database, script)
    expected = read_all(any_operator.database)
    assert read_all(twin.database) == expected
    kept = "SELECT up_text IS NOT NULL FROM schema_migrations_scripts ORDER BY version"
    assert any_operator.database.query(kept) == [(keep_text > 0,), (False,)]


@pytest.mark.parametrize("name", ["outside a transaction", "own row", "data"])
def test_a_script_that_stops_again_and_again_continues_there(operator: Operator, database: Database, name: str) -> None:
    write_files(operator, FILES[name])
    script = write_script(operator)
    # After the fifth COMMIT: those of the beginning of the run, of a step, of a check, of a look for leftovers, and of a segment.
    stopping = script.replace("COMMIT;\n", "COMMIT;\nSELECT :left - 1 AS left \\gset\nSELECT 1 / :left;\n")
    stopped = 0
    while (result := run_psql(database, stopping, "--set=left=5")).returncode == STOPPED:
        assert "division by zero" in result.stderr
        stopped += 1
    assert (result.returncode, result.stderr) == (0, "")
    assert stopped >= len(FILES[name]) // 2
    with fresh_database(database.server) as other:
        twin = operate_at(operator, other)
        twin.migrate()
        expected, found = read_all(other), read_all(database)
        del expected["log"], found["log"]
        assert found == expected
        finished = "SELECT version, segments_total, up_digest, down_digest FROM schema_migrations_log WHERE outcome = 'finished'"
        versions = f"{finished} AND version IS NOT NULL ORDER BY id"
        assert database.query(versions) == other.query(versions)
    assert set(operator.read_states().values()) == {"applied"}


UNRECORDED = {
    "an index": ("CREATE TABLE a (id int);\n", "CREATE INDEX CONCURRENTLY a_id ON a (id);"),
    "a dropped index": ("CREATE TABLE a (id int);\nCREATE INDEX a_id ON a (id);\n", "DROP INDEX CONCURRENTLY a_id;"),
    "a partition": (
        "CREATE TABLE r (id int) PARTITION BY LIST (id);\nCREATE TABLE r1 PARTITION OF r FOR VALUES IN (1);\n",
        "ALTER TABLE r DETACH PARTITION r1 CONCURRENTLY;",
    ),
    "an index in the search_path of the file": (
        "CREATE SCHEMA app;\nSET search_path = app;\nCREATE TABLE a (id int);\n",
        "CREATE INDEX CONCURRENTLY a_id ON a (id);",
    ),
}


@pytest.mark.parametrize(("before", "statement"), UNRECORDED.values(), ids=UNRECORDED.keys())
def test_a_statement_that_took_effect_without_a_record_is_not_repeated(
    any_operator: Operator, before: str, statement: str
) -> None:
    any_operator.write(A, before + statement)
    script = write_script(any_operator)
    stopping = script.replace(f"\n{statement}\n", f"\n{statement}\nSELECT 1 / 0;\n")
    assert "division by zero" in stop(any_operator.database, stopping)
    assert any_operator.read_states() == {A: "interrupted"}
    apply(any_operator.database, script)
    assert any_operator.read_states() == {A: "applied"}


def test_an_invalid_index_that_was_left_is_built_again(any_operator: Operator) -> None:
    table = "CREATE TABLE a (id int);\nINSERT INTO a VALUES (1), (1);"
    any_operator.write(A, f"{table}\nCREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id);")
    script = write_script(any_operator)
    assert "could not create unique index" in stop(any_operator.database, script)
    any_operator.database.execute("DELETE FROM a WHERE ctid = '(0,1)'")
    apply(any_operator.database, script)
    assert any_operator.database.query("SELECT indisvalid FROM pg_index WHERE indrelid = 'a'::regclass") == [(True,)]


def test_indexes_that_a_reindex_left_are_dropped(any_operator: Operator) -> None:
    any_operator.write(A, "CREATE TABLE a (id int);\nCREATE INDEX a_id ON a (id);\nREINDEX TABLE CONCURRENTLY a;")
    script = write_script(any_operator)
    stop(any_operator.database, script.replace("\nREINDEX TABLE", "\nSELECT 1 / 0;\nREINDEX TABLE"))
    any_operator.database.execute(
        "CREATE INDEX a_id_ccnew ON a (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_id_ccnew'::regclass"
    )
    apply(any_operator.database, script)
    assert any_operator.database.query("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'a'::regclass") == [
        ("a_id",)
    ]


def test_a_run_finishes_what_a_script_began_and_a_script_what_a_run_began(any_operator: Operator, twin: Operator) -> None:
    write_files(any_operator, ["CREATE TABLE a (id int);\nVACUUM a;\nSELECT 1 / 0;"])
    assert "division by zero" in stop(twin.database, write_script(twin))
    with pytest.raises(RunnerError, match="division by zero"):
        any_operator.migrate()
    write_files(any_operator, ["CREATE TABLE a (id int);\nVACUUM a;\nCREATE TABLE b ();"])
    twin.migrate()
    apply(any_operator.database, write_script(any_operator))
    assert any_operator.read_states() == twin.read_states() == {A: "applied"}
    assert any_operator.read_log()[-4:] == [
        ("migrate", "started", ""),
        ("migrate", "resumed", A),
        ("migrate", "finished", A),
        ("migrate", "finished", ""),
    ]


def test_a_script_is_not_written_for_what_a_run_would_refuse(operator: Operator) -> None:
    operator.write_tables(A, C)
    operator.migrate(environment="staging")
    operator.write_tables(B)
    with pytest.raises(RefusedError, match="is older than"):
        list(write_sql(operator.make_runner(), MigrateGoal(strict=True), RunMode()))
    with pytest.raises(RefusedError, match="belongs to staging"):
        write_script(operator, environment="prod")
    operator.write(C, "SELECT 2;")
    with pytest.raises(RefusedError, match="differs from the text"):
        write_script(operator)
    operator.write_tables(C)
    operator.write(B, "\\! ls")
    with pytest.raises(RefusedError, match="is a command of psql"):
        write_script(operator)
    with pytest.raises(UsageError, match="cannot be combined"):
        list(write_sql(operator.make_runner(), MigrateGoal(atomic=True), RunMode()))


CHANGED = {
    "another migration": ("INSERT INTO schema_migrations (version) VALUES ('20240101000000_x')", "the ledger is not as it was"),
    "a missing row": ("DELETE FROM schema_migrations", "the ledger is not as it was"),
    "another text": (f"INSERT INTO schema_migrations (version, checksum) VALUES ('{B}', 'x')", "recorded with another text"),
    "another environment": (
        "INSERT INTO schema_migrations_meta VALUES ('environment', 'prod')",
        "belongs to the environment prod",
    ),
    "an attempt": (
        "INSERT INTO schema_migrations_log (run_id, version, action, outcome, segments_done, segments_total, actor, host,"
        f" tool_version, segments_checksum) VALUES (gen_random_uuid(), '{B}', 'migrate', 'started', 1, 2, 'a', 'b', 'c', 'd')",
        "is not one that this script continues",
    ),
    "a trigger": (
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER t BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION t()",
        "changed tables of the ledger",
    ),
}


@pytest.mark.parametrize(("change", "message"), CHANGED.values(), ids=CHANGED.keys())
def test_a_script_stops_if_the_ledger_is_not_as_it_was_planned(operator: Operator, change: str, message: str) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "CREATE TABLE b ();\nVACUUM;")
    operator.write_tables(C)
    script = write_script(operator)
    operator.database.execute(change)
    assert message in stop(operator.database, script)
    assert operator.read_tables() == ["a"]


def test_a_script_stops_while_another_run_has_the_lock(any_operator: Operator) -> None:
    any_operator.write_tables(A)
    script = write_script(any_operator)
    with any_operator.database.connect(autocommit=False) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        assert "another run of migrations has the lock" in stop(any_operator.database, script)
    assert any_operator.read_tables() == []
    apply(any_operator.database, script)


def test_each_statement_runs_while_the_script_has_the_lock_and_the_end_releases_it(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY a_id ON a (id);\nALTER TABLE a ADD COLUMN b int;")
    script = write_script(operator)
    locked = "SELECT 'locks: ' || count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();"
    for statement in ("CREATE TABLE a", "CREATE INDEX CONCURRENTLY a_id", "ALTER TABLE a ADD COLUMN"):
        script = script.replace(f"\n{statement}", f"\n{locked}\n{statement}", 1)
    printed = apply(operator.database, f"{script}\n{locked}\n").splitlines()
    assert [line for line in printed if line.startswith("locks")] == ["locks: 1", "locks: 1", "locks: 1", "locks: 0"]


def test_a_script_stops_where_names_would_mean_other_tables_than_in_the_run(operator: Operator) -> None:
    operator.database.execute("CREATE SCHEMA app")
    operator.write_tables(A)
    result = run_psql(operator.database, write_script(operator), env={"PGOPTIONS": "-c search_path=app"})
    assert (result.returncode, "is not that of the run" in result.stderr) == (STOPPED, True)
    assert operator.read_tables() == []


def test_a_file_after_new_defaults_runs_in_a_new_session(any_operator: Operator) -> None:
    change = f"ALTER DATABASE {any_operator.database.name} SET search_path = app;"
    write_files(any_operator, [f"CREATE SCHEMA app; {change}", "CREATE TABLE b AS SELECT '\u00e4' AS x;"])
    script = write_script(any_operator)
    apply(any_operator.database, script)
    with any_operator.database.connect() as connection:
        assert connection.execute("SELECT x, 'app.b'::regclass::text FROM app.b").fetchall() == [("\u00e4", "b")]
        assert connection.execute("SELECT count(*) FROM public.schema_migrations").fetchone() == (2,)
    apply(any_operator.database, script)


def test_the_configuration_of_psql_does_not_matter(operator: Operator, tmp_path: Path) -> None:
    operator.write(A, "CREATE TABLE a AS SELECT '\u00e4' AS x;")
    operator.write(B, "SELECT 1 / 0;")
    configuration = tmp_path / "psqlrc"
    settings = ("\\set AUTOCOMMIT off", "\\set ON_ERROR_ROLLBACK on", "\\set FETCH_COUNT 1", "\\encoding LATIN1", "\\x on", "")
    configuration.write_text("\n".join(settings))
    result = run_psql(operator.database, write_script(operator), env={"PSQLRC": str(configuration), "PGCLIENTENCODING": "SJIS"})
    assert (result.returncode, "division by zero" in result.stderr) == (STOPPED, True)
    assert operator.read_applied() == [A]
    assert operator.database.query("TABLE a") == [("\u00e4",)]


def test_the_schema_is_expected_as_after_a_run(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(watch_drift=True)
    operator.write_tables(B)
    apply(operator.database, write_script(operator, watch_drift=True))
    assert operator.read_status(watch_drift=True).findings == ()
    operator.write_tables(C)
    operator.migrate(watch_drift=True)
    assert operator.read_status(watch_drift=True).findings == ()
    operator.database.execute("CREATE TABLE by_hand ()")
    assert [finding.kind for finding in operator.read_status(watch_drift=True).findings] == ["drifted"]


def test_the_tables_of_a_new_ledger_are_closed_to_others(any_operator: Operator, make_role: MakeRole, twin: Operator) -> None:
    application, reader = make_role("application"), make_role("reader")
    for each in (any_operator, twin):
        grant_by_default(each.database, "postgres", application, "PUBLIC")
    any_operator.write_tables(A)
    any_operator.migrate(ledger_readers=(reader,))
    apply(twin.database, write_script(twin, ledger_readers=(reader,)))
    assert list_grants(twin.database) == list_grants(any_operator.database) != []
    twin.database.execute(sql.SQL("DROP OWNED BY {}, {}").format(sql.Identifier(application), sql.Identifier(reader)).as_string())


def test_rows_that_others_recorded_and_older_names_are_kept_as_in_a_run(any_operator: Operator, twin: Operator) -> None:
    any_operator.write_tables(A, B)
    for each in (any_operator, twin):
        each.migrate()
        each.database.execute("INSERT INTO schema_migrations (version) VALUES ('20240101000000_by_hand')")
    renamed = "20250102000000_make_b"
    for folder in ("up", "down"):
        (any_operator.project.migrations / folder / f"{B}.sql").rename(
            any_operator.project.migrations / folder / f"{renamed}.sql"
        )
    (any_operator.project.migrations / "renames.toml").write_text(f'[renames]\n"{B}" = "{renamed}"\n')
    any_operator.write_tables(C)
    script = write_script(twin)
    any_operator.migrate()
    apply(twin.database, script)
    expected = read_all(any_operator.database)
    assert read_all(twin.database) == expected
    apply(twin.database, script)
    assert read_all(twin.database) == expected


PIECES = (
    "CREATE TABLE t{n} (id int PRIMARY KEY, x text DEFAULT ':n{n}');",
    "INSERT INTO t0 (id, x) VALUES ({n}0, E'\\\\:a''{n}') ON CONFLICT DO NOTHING;",
    "CREATE INDEX CONCURRENTLY i{n} ON t0 (x);",
    "SET search_path = public, pg_catalog;",
    "SET LOCAL statement_timeout = '{n}min';",
    "COPY t0 (id, x) FROM stdin;\n{n}1\tit's $$ \\\\. /*\n\\.\n",
    "DO $x$ BEGIN EXECUTE 'CREATE VIEW v{n} AS SELECT (ARRAY[1,2])[1:1] AS a'; END $x$;",
    "CREATE FUNCTION f{n}(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT cardinality((ARRAY[1,2,3])[a:a]); END; -- ; '",
    "BEGIN; CREATE TABLE own{n} (); COMMIT;",
    "COMMENT ON TABLE t0 IS U&'\\00e4 :\"x\" {n}';",
    "SELECT set_config('client_encoding', 'LATIN1', false);",
    "VACUUM t0;",
)


@pytest.mark.parametrize("seed", range(4))
def test_random_files_have_the_same_result(operator: Operator, seed: int) -> None:
    chance = random.Random(seed)
    texts = [f"CREATE TABLE t0 (id int PRIMARY KEY, x text); -- {seed}"]
    for number in range(1, 5):
        chosen = chance.sample(PIECES, chance.randint(1, 5))
        directive = "-- migrate: no-transaction\n" if chance.random() < 0.2 else ""
        texts.append(directive + chance.choice(["\n", "\r\n"]).join(piece.replace("{n}", str(number)) for piece in chosen))
    write_files(operator, texts)
    with fresh_database(operator.database.server) as database:
        script = write_script(operate_at(operator, database))
        operator.migrate()
        apply(database, script, "--set=n1=1", "--set=a=pg_sleep(9)")
        assert read_all(database) == read_all(operator.database)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_of_another_encoding_stores_what_a_run_stores(operator: Operator, encoding: str) -> None:
    operator.write(A, "CREATE TABLE a AS SELECT 'x'::text AS x; -- \u20ac \u00e4", "-- \u65e5")
    operator.write(B, "CREATE TABLE b ();\r\n-- \U0001f600")
    found = []
    for number in range(2):
        with fresh_database_of(operator.database, encoding, number) as database:
            each = operate_at(operator, database)
            if number:
                apply(database, write_script(each))
            else:
                each.migrate()
            found.append(read_all(database))
    assert found[0] == found[1]


@contextmanager
def fresh_database_of(beside: Database, encoding: str, number: int) -> Iterator[Database]:
    """Yield an empty database with an encoding."""
    name = f"{beside.name}_{encoding.lower()}_{number}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 LOCALE 'C' ENCODING {}")
    beside.server.administer(create.format(sql.Identifier(name), sql.Literal(encoding)))
    database = Database(beside.server, name)
    try:
        yield database
    finally:
        database.close()
        beside.server.drop(name)
