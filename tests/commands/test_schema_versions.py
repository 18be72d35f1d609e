"""migrations/schema.sql with every version of PostgreSQL: the same bytes, and the same schema once it is loaded."""

from pathlib import Path

import pytest

from tasks.catalog import compare, read_catalog
from tasks.commands.schema_file import write_schema_file
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.schema_replay import replay_schema
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.events import SchemaWritten
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.schema_file import NAME, SchemaFile
from tasks.runner.operations.load import load_schema
from tasks.runner.settings import RawSettings, validate
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import make_project
from tests.kit.servers import Server
from tests.runner.operating import A, Operator

SCHEMA = r"""
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);
ALTER TABLE users RENAME TO people;
ALTER TABLE people RENAME email TO mail;
CREATE TABLE parts (id int NOT NULL, kind int) PARTITION BY LIST (kind);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parent (a int NOT NULL, c int);
CREATE TABLE child (b int) INHERITS (parent);
ALTER TABLE child ALTER c SET NOT NULL;
CREATE TABLE identities (id int GENERATED ALWAYS AS IDENTITY, kind varchar(9) CHECK (kind IN ('x', 'y')), "json" text,
                         CHECK ("json" <> '{}'));
CREATE VIEW mails AS SELECT people.mail FROM people WHERE people.id > 0;
CREATE MATERIALIZED VIEW counts AS SELECT mail, count(*) AS number FROM people GROUP BY mail;
CREATE VIEW jsons AS SELECT "json" FROM identities;
CREATE FUNCTION "json_value"(x int) RETURNS int LANGUAGE sql RETURN x;
CREATE TABLE "json_table" (a int DEFAULT public."json_value"(1));
GRANT ALL ON people TO pg_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE pg_signal_backend GRANT SELECT ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_read_all_stats;
CREATE TABLE returns (a text CHECK (a <> E'\r'), b text DEFAULT E'a\r\nb', c text DEFAULT E'\\\r\'',
                      d text DEFAULT E'\f\u2028\u0085');
COMMENT ON TABLE returns IS E'one\r\ntwo\rthree';
CREATE VIEW lines AS SELECT replace(a, E'\r\n', E'\n') AS line FROM returns;
DO $do$ BEGIN
    EXECUTE E'CREATE FUNCTION on_windows() RETURNS int LANGUAGE plpgsql AS $$\r\nBEGIN\r\n  -- it''s \\ \r\nEND\r\n$$';
    EXECUTE E'CREATE TABLE "a\rb" ("c\r\nd\\" int)';
END $do$;
"""
"""What the versions and roles write in different ways, and carriage returns wherever there can be one."""
PRIVILEGES = """
CREATE SCHEMA app;
CREATE TABLE t (id int);
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO pg_monitor;
REVOKE ALL ON t FROM CURRENT_USER;
GRANT SELECT ON t TO CURRENT_USER;
REVOKE ALL ON parent FROM CURRENT_USER;
CREATE POLICY mine ON people FOR SELECT TO CURRENT_USER, pg_monitor USING (id > 0);
"""


@pytest.fixture
def any_operator(any_database: Database, embedded: Server, tmp_path: Path) -> Operator:
    """Return an operator who has migrated SCHEMA on each of the servers, with the embedded one as the scratch server."""
    operator = Operator(make_project(tmp_path / "any", any_database.url, embedded.url()), any_database)
    operator.write(A, SCHEMA)
    operator.migrate()
    return operator


def write_file(operator: Operator) -> bytes:
    """Write the schema file as a run on the local database does; the database has nothing that is not in it."""
    settings = validate(RawSettings({"SCRATCH_DATABASE_URL": operator.project.scratch_url}))
    (event,) = write_schema_file(operator.make_runner(), settings)
    assert isinstance(event, SchemaWritten)
    assert (event.problem, event.differences) == ("", ())
    return (operator.project.migrations / NAME).read_bytes()


def test_the_file_is_the_same_from_every_server_and_contains_no_carriage_return(any_operator: Operator, embedded: Server) -> None:
    data = write_file(any_operator)
    with ScratchServer(embedded.url()) as server:
        assert data.decode().endswith(replay_schema(server, [RehearsedMigration(A, SCHEMA)]).text)
    assert b"\r" not in data
    assert b"ALTER DEFAULT PRIVILEGES FOR ROLE pg_signal_backend GRANT SELECT ON TABLES TO pg_monitor;" in data
    assert b"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_read_all_stats;" in data


@pytest.mark.parametrize("line_ends", [b"\n", b"\r\n"], ids=["as written", "converted by a checkout"])
def test_the_loaded_schema_is_the_migrated_one(any_operator: Operator, line_ends: bytes) -> None:
    data = write_file(any_operator)
    (any_operator.project.migrations / NAME).write_bytes(data.replace(b"\n", line_ends))
    with fresh_database(any_operator.database.server) as empty:
        newcomer = Operator(any_operator.project.at(empty.url), empty)
        list(load_schema(newcomer.make_runner()))
        with any_operator.database.connect() as one, empty.connect() as other:
            assert compare(read_catalog(one), read_catalog(other)).changes == ()


def test_a_privilege_that_only_newer_servers_have_is_not_loaded_into_older_ones(any_database: Database, tmp_path: Path) -> None:
    operator = Operator(make_project(tmp_path / "any", any_database.url), any_database)
    operator.write(A, "CREATE TABLE a (id int);")
    text = (
        "CREATE TABLE public.a (id int);\nGRANT SELECT,TRIGGER,MAINTAIN,UPDATE ON TABLE public.a TO pg_monitor;\n"
        "COMMENT ON TABLE public.a IS 'MAINTAIN,';\n"
    )
    checksum = read_migrations(operator.project.migrations).checksums[A]
    (operator.project.migrations / NAME).write_text(SchemaFile(text, {A: checksum}).write())
    list(load_schema(operator.make_runner()))
    question = "SELECT has_table_privilege('pg_monitor', 'a', 'UPDATE'), obj_description('a'::regclass)"
    assert any_database.query(question) == [(True, "MAINTAIN,")]


def test_scratch_servers_of_all_versions_give_the_same_text(older_server: Server, embedded: Server) -> None:
    migrations = [RehearsedMigration(A, SCHEMA + PRIVILEGES)]
    with ScratchServer(older_server.url()) as older, ScratchServer(embedded.url()) as newest:
        text = replay_schema(older, migrations).text
        assert text == replay_schema(newest, migrations).text
    assert "migrate_rehearsal" not in text
