"""`inv db.dump` and `inv db.restore`: a copy of an environment's database for the local one."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fly.terminals import open_terminal
from tests.kit.databases import Database, fresh_database
from tests.kit.disks import mount_small_disk
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.kit.waiting import LIMIT_S
from tests.runner.operating import A, Operator

EVERYTHING = """
CREATE EXTENSION vector;
CREATE SCHEMA own;
CREATE EXTENSION citext WITH SCHEMA own;
CREATE TYPE own.mood AS ENUM ('fine');
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
CREATE TABLE t (id serial PRIMARY KEY, e vector(2), m own.mood, note text DEFAULT 'ä\\n',
  n int GENERATED ALWAYS AS (twice(3)) STORED);
INSERT INTO t (e, m) VALUES ('[1,2]', 'fine');
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON t TO dump_reader USING (id > 0);
CREATE VIEW v AS SELECT id FROM t;
"""


@pytest.fixture
def target(embedded: Server) -> Iterator[Database]:
    """Yield another empty database: the local one."""
    with fresh_database(embedded) as database:
        yield database


def write_dump(path: Path, body: str) -> Path:
    """Write a dump as pg_dump begins it, with another body."""
    path.write_text(
        f"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET row_security = off;\n\n{body}\n\n\\unrestrict abc\n"
    )
    return path


def test_schema_and_rows_of_prod_become_the_local_database(operator: Operator, target: Database, tmp_path: Path) -> None:
    operator.write_tables(A)
    operator.migrate(environment="prod")
    operator.database.execute("DO $$BEGIN CREATE ROLE dump_reader; EXCEPTION WHEN duplicate_object THEN END$$")
    operator.database.execute(EVERYTHING)
    path = tmp_path / "prod.sql"
    operator.project.inv("db.dump", "--env=prod", f"--output={path}", env={"GUARDED": "prod"}, check=0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    local = operator.project.at(target.url)
    restored = local.inv("db.restore", str(path), check=0)
    assert f"into {target.name}" in restored.stdout
    target.close()
    assert target.query("SELECT e::text, m::text, note, n FROM t") == [("[1,2]", "fine", "ä\\n", 6)]
    assert target.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'") == [("local",)]
    assert target.query("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('t', 'v', 'a')") == [
        ("postgres",)
    ]
    assert "0 pending" not in local.inv("db.migrate", check=0).stderr
    target.close()


def test_a_dump_goes_to_stdout(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE t AS SELECT 4711 AS id")
    printed = operator.project.inv("db.dump", check=0).stdout
    assert "CREATE TABLE public.t" in printed
    assert "4711" in printed


def test_a_reader_that_closes_the_pipe_ends_the_dump_without_a_message(project: Project, database: Database) -> None:
    database.execute("CREATE TABLE big AS SELECT repeat(md5(n::text), 30) AS c FROM generate_series(1, 5000) n")
    process = project.start_inv("db.dump")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(LIMIT_S) == 1


def test_a_dump_that_fails_leaves_the_file_as_it_was(project: Project, database: Database, tmp_path: Path) -> None:
    database.execute("CREATE TABLE big AS SELECT repeat(md5(n::text), 30) AS c FROM generate_series(1, 5000) n")
    disk = tmp_path / "disk"
    with mount_small_disk(disk, 1):
        (disk / "dump.sql").write_text("before")
        result = project.inv("db.dump", f"--output={disk / 'dump.sql'}", check=1)
        assert "was not written" in result.stderr
        assert [path.name for path in disk.iterdir()] == ["dump.sql"]
        assert (disk / "dump.sql").read_text() == "before"
    missing = project.inv("db.dump", f"--output={tmp_path / 'no' / 'dump.sql'}", check=1)
    assert "cannot be written: No such file or directory" in missing.stderr


def test_objects_are_replaced_only_after_a_question(operator: Operator, target: Database, tmp_path: Path) -> None:
    operator.database.execute("CREATE TABLE new AS SELECT 1 AS id")
    operator.project.inv("db.dump", f"--output={tmp_path / 'd.sql'}", check=0)
    local = Operator(operator.project.at(target.url), target)
    local.write_tables(A)
    local.migrate(environment="local")
    refused = local.project.inv("db.restore", str(tmp_path / "d.sql"), check=3)
    assert f"{target.name} is not empty" in refused.stderr
    with open_terminal(local.project, "db.restore", str(tmp_path / "d.sql"), DATABASE_URL=target.url) as dialogue:
        dialogue.await_words(f"Type {target.name} to continue: ")
        dialogue.answer("no")
        assert dialogue.finish() == 3
    assert target.query("SELECT count(*) FROM a") == [(0,)]
    local.project.inv("db.restore", str(tmp_path / "d.sql"), "--yes", check=0)
    target.close()
    assert target.query("SELECT to_regclass('a')::text, to_regclass('new')::text") == [(None, "new")]
    target.close()


def test_only_a_local_database_is_replaced_whatever_yes_says(operator: Operator, tmp_path: Path) -> None:
    operator.write_tables(A)
    operator.migrate(environment="prod")
    path = write_dump(tmp_path / "d.sql", "SELECT 1;")
    result = operator.project.inv("db.restore", str(path), "--yes", check=3)
    assert "belongs to prod" in result.stderr


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("\\! touch {mark}", "backslash commands are restricted"),
        ("\\unrestrict abc\n\\! touch {mark}", "backslash commands are restricted"),
        ("\\connect postgres", "backslash commands are restricted"),
        ("\\copy t from program 'touch {mark}'", "backslash commands are restricted"),
        ("CREATE TABLE t (a text); COPY t FROM PROGRAM 'touch {mark}';", "permission denied"),
        ("RESET SESSION AUTHORIZATION; CREATE TABLE t (a text); COPY t FROM PROGRAM 'touch {mark}';", "permission denied"),
        ("DO $$BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {mark}'''; END$$;", "permission denied"),
        ("ALTER ROLE postgres PASSWORD 'x';", "permission denied"),
        ("-- Name: x; Type: TABLE; Schema: -\nSELECT 1;\n\\! touch {mark}", "backslash commands are restricted"),
        ("CREATE TABLE t (); SELECT 1/0;", "division by zero"),
    ],
)
def test_a_forged_or_broken_dump_runs_no_program_and_changes_nothing(
    project: Project, target: Database, tmp_path: Path, body: str, message: str
) -> None:
    mark = tmp_path / "mark"
    tmp_path.chmod(0o777)
    path = write_dump(tmp_path / "d.sql", body.replace("{mark}", str(mark)))
    result = project.at(target.url).inv("db.restore", str(path), check=1)
    assert message in result.stderr
    assert "Nothing was changed" in result.stderr
    assert not mark.exists()
    target.close()
    assert target.query("SELECT to_regclass('t')::text") == [(None,)]
    assert target.query("SELECT count(*) FROM pg_database WHERE datname ~ '_replaced_'") == [(0,)]
    target.close()


@pytest.mark.parametrize(
    ("content", "exit_code", "message"),
    [
        (b"PGDMP\x01", 2, "pg_restore -f dump.sql"),
        (b"\x1f\x8b\x08", 2, "gunzip"),
        (b"", 2, "is empty"),
        (None, 1, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_not_a_dump_in_sql_is_refused(
    project: Project, tmp_path: Path, content: bytes | None, exit_code: int, message: str
) -> None:
    path = tmp_path / "d.sql"
    if content is not None:
        path.write_bytes(content)
    assert message in project.inv("db.restore", str(path), check=exit_code).stderr
