"""db.drift --as-migration: what is written, what is asked, and what is refused."""

import os
import sys

import pytest

from tasks.catalog import compare, read_catalog
from tasks.runner.parsing import read_script
from tests.kit.databases import Database, fresh_database
from tests.kit.dialogues import run_dialogue
from tests.kit.projects import REPOSITORY, Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, C, Operator

MOOD = "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE c (m mood)"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with two applied migrations."""
    operator = Operator(project, database)
    operator.write(A, "CREATE TABLE a (id int PRIMARY KEY);", "DROP TABLE a;")
    operator.write(B, "CREATE TABLE b (id int);", "DROP TABLE b;")
    operator.migrate()
    return operator


def find(operator: Operator, embedded: Server, *arguments: str, check: int) -> str:
    result = operator.project.inv("db.drift", *arguments, env={"SCRATCH_DATABASE_URL": embedded.url()}, check=check)
    return result.stdout + result.stderr


def list_files(operator: Operator) -> list[str]:
    folder = operator.project.migrations
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*_keep_it.sql"))


def test_a_down_file_that_cannot_be_generated_is_irreversible(operator: Operator, embedded: Server) -> None:
    operator.write(C, f"{MOOD} PARTITION BY LIST (m);", "DROP TABLE c; DROP TYPE mood;")
    operator.migrate()
    operator.database.execute("ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy'")
    output = find(operator, embedded, "--as-migration=keep it", check=4)
    assert "the migration cannot be rolled back: type public.mood: columns use it" in output
    assert "down reverts it" not in output
    (down,) = (operator.project.migrations / "down").glob("*_keep_it.sql")
    assert read_script(down.read_text(), file="down.sql", version="v").irreversible


def test_a_label_of_an_enum_and_its_use_are_written_both_ways(operator: Operator, embedded: Server) -> None:
    operator.write(C, f"{MOOD};", "DROP TABLE c; DROP TYPE mood;")
    operator.migrate()
    operator.database.execute("ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy'")
    operator.database.execute("ALTER TABLE c ALTER m SET DEFAULT 'ok'")
    output = find(operator, embedded, "--as-migration=keep it", check=4)
    assert "Verified on scratch: up produces this schema, down reverts it" in output
    with fresh_database(embedded) as elsewhere:
        other = Operator(operator.project.at(elsewhere.url), elsewhere)
        other.migrate()
        with operator.database.connect() as one, elsewhere.connect() as two:
            assert compare(read_catalog(one), read_catalog(two)).changes == ()
        elsewhere.execute("INSERT INTO c VALUES ('sad')")
        other.roll_back()
        assert elsewhere.query("SELECT m::text, enum_range(m)::text FROM c") == [("sad", "{sad,happy}")]


def test_what_may_be_renamed_is_not_dropped_without_an_answer(operator: Operator, embedded: Server) -> None:
    operator.database.execute("ALTER TABLE b RENAME id TO nr; ALTER TABLE a RENAME TO c")
    output = find(operator, embedded, "--as-migration=keep it", check=3)
    assert "column id of public.b is gone; it may be column nr of public.b" in output
    assert "--rename 'b.id=nr'   or   --drop 'b.id'" in output
    assert "--rename 'a=c'   or   --drop 'a'" in output
    assert list_files(operator) == []
    flags = ("--rename=b.id=nr", "--rename=a=c", "--as-migration=keep it")
    assert "down reverts it" in find(operator, embedded, *flags, check=4)
    up, down = (operator.project.migrations / path for path in reversed(list_files(operator)))
    assert "ALTER TABLE public.b RENAME COLUMN id TO nr;" in up.read_text()
    assert "DROP" not in up.read_text()
    assert "ALTER TABLE public.c RENAME TO a;" in down.read_text()


def test_an_answer_to_no_question_is_refused(operator: Operator, embedded: Server) -> None:
    operator.database.execute("ALTER TABLE b RENAME id TO nr")
    output = find(operator, embedded, "--as-migration=keep it", "--drop=b.id", "--rename=b.x=y", check=2)
    assert "nothing with the name b.x was removed" in output
    assert "is not of the form OLD=NEW" in find(operator, embedded, "--as-migration=keep it", "--rename=b", check=2)


def test_a_rename_is_asked_about_at_a_terminal(operator: Operator, embedded: Server) -> None:
    operator.database.execute("ALTER TABLE b RENAME id TO nr")
    env = {"SCRATCH_DATABASE_URL": embedded.url()}
    environment = {"PATH": os.environ["PATH"], "HOME": str(operator.project.root), "LC_ALL": "C.UTF-8", **env}
    environment |= {"DATABASE_URL": operator.database.url, "MIGRATIONS_DIR": str(operator.project.migrations)}
    command = [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), "db.drift", "--as-migration=keep it"]
    _, output = run_dialogue(command, ["1\n"], cwd=operator.project.root, environment=environment, question="Answer: ")
    assert "column id of public.b is gone.\nWas it renamed, or dropped with its rows?\n  1  renamed to nr\n" in output
    assert "down reverts it" in output


def test_what_cannot_be_changed_is_refused_before_anything_is_written(operator: Operator, embedded: Server) -> None:
    operator.write(C, "CREATE TABLE c (id int);", "DROP TABLE c;")
    operator.migrate()
    operator.database.execute("DROP TABLE c; CREATE TABLE c (id int) PARTITION BY LIST (id); ALTER TABLE a ADD x int")
    output = find(operator, embedded, "--as-migration=keep it", check=3)
    assert "changed table public.c: a table cannot become partitioned" in output
    assert list_files(operator) == []


def test_a_migration_that_is_not_proved_is_left_where_nothing_reads_it(operator: Operator, embedded: Server) -> None:
    operator.database.execute(
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        "CREATE EVENT TRIGGER watch ON ddl_command_start WHEN TAG IN ('CREATE SEQUENCE') EXECUTE FUNCTION f()"
    )
    output = find(operator, embedded, "--as-migration=keep it", check=3)
    assert "it is not proved" in output
    assert "CREATE EVENT TRIGGER watch" in output
    assert "Verified" not in output
    assert [path.rpartition("/")[0] for path in list_files(operator)] == ["_unproved/down", "_unproved/up"]
