"""The schema as SQL: readable, loadable, and the same from every server."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tasks.catalog import compare, read_catalog
from tasks.rehearsal.scratch.dump import clean_dump, dump_as_is
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

SCHEMA = """
CREATE SCHEMA "Odd one";
CREATE TYPE mood AS ENUM ('sad', 'so so');
CREATE TABLE "Odd one".a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, how mood DEFAULT 'sad', kind varchar(9) NOT NULL,
                          CHECK (kind IN ('x', 'it''s')));
CREATE TABLE b (id serial, a_id int REFERENCES "Odd one".a ON DELETE CASCADE, note text DEFAULT ';');
CREATE VIEW v AS SELECT a.id, a.kind FROM "Odd one".a WHERE a.kind <> '--';
CREATE INDEX ON b (lower(note));
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    -- doubles it
    RETURN x * 2;
END
$$;
CREATE FUNCTION half(x int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN x > 1 THEN x / 2 ELSE 0 END; END;
COMMENT ON TABLE b IS 'a; b -- c';
GRANT SELECT ON b TO PUBLIC;
"""


def dump(database: Database) -> str:
    return dump_as_is(database.url)


def test_a_dump_of_the_projects_schema_loads_into_an_empty_database_and_is_equal(database: Database, embedded: Server) -> None:
    for path in sorted((REPOSITORY / "migrations" / "up").glob("*.sql")):
        database.execute(path.read_text().replace("CONCURRENTLY ", ""))
    text = dump(database)
    with fresh_database(embedded) as other:
        other.execute(text)
        with database.connect() as one, other.connect() as two:
            assert compare(read_catalog(one), read_catalog(two)).changes == ()
        assert dump(other) == text


def test_the_server_that_the_environment_names_is_dumped(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute("CREATE TABLE found ()")
    for variable, name in (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "user")):
        monkeypatch.setenv(variable, str(conninfo_to_dict(database.url).get(name, "5432")))
    assert "CREATE TABLE public.found" in dump_as_is(f"dbname={database.name}")


def test_the_server_that_a_service_file_names_is_dumped(
    database: Database, older_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(older_server) as older:
        older.execute("CREATE TABLE found ()")
        options = "".join(f"{name}={value}\n" for name, value in conninfo_to_dict(older.url).items())
        (tmp_path / "services").write_text(f"[older]\n{options}")
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        for variable, name in (("PGHOST", "host"), ("PGDATABASE", "dbname")):
            monkeypatch.setenv(variable, str(conninfo_to_dict(database.url)[name]))
        assert "CREATE TABLE public.found" in dump_as_is("service=older")


def test_the_same_schema_gives_the_same_bytes_from_an_older_server(database: Database, older_server: Server) -> None:
    database.execute(SCHEMA)
    with fresh_database(older_server) as other:
        other.execute(SCHEMA)
        assert dump(other) == dump(database)


SECRETS = """
CREATE FOREIGN DATA WRAPPER w OPTIONS (plain 'seen1', api_token 'geheim');
CREATE SERVER s FOREIGN DATA WRAPPER w
    OPTIONS (host 'seen2', sslpassword 'geheim', "it's a (pwd)" 'geheim', url 'http://a:geheim@b');
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS ("user" 'me', password 'geheim');
CREATE USER MAPPING FOR CURRENT_USER SERVER s;
ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (ADD password 'R3al-geheim', ADD plain 'geheim');
CREATE FOREIGN TABLE f
    (a int OPTIONS (column_name 'seen3', secret 'geheim'), b text OPTIONS ("accessKey" 'geheim') DEFAULT 'seen4')
    SERVER s OPTIONS (table_name 'seen5', access_key 'geheim');
CREATE SUBSCRIPTION sub CONNECTION 'host=h password=geheim' PUBLICATION p WITH (connect = false);
ALTER SUBSCRIPTION sub SET (slot_name = NONE);
"""
"""A secret in every column of the catalog that can contain one: fdwoptions, srvoptions, umoptions, ftoptions, attfdwoptions,
subconninfo."""


def test_options_that_are_secret_leave_the_dump_as_drift_leaves_them_out(
    database: Database, embedded: Server, older_server: Server
) -> None:
    database.execute(SECRETS)
    try:
        text = dump(database)
        assert "heim" not in text
        assert all(f"'seen{number}'" in text for number in range(1, 6))
        assert "-- The options of this user mapping are left out" in text
        with database.connect() as connection:
            live = read_catalog(connection)
        assert "heim" not in str(live.objects)
        with fresh_database(embedded) as other, fresh_database(older_server) as older:
            other.execute(text)
            with other.connect() as loaded:
                assert compare(live, read_catalog(loaded)).changes == ()
            older.execute(SECRETS)
            assert dump(older) == text
            older.execute("DROP SUBSCRIPTION sub")
    finally:
        database.execute("DROP SUBSCRIPTION sub")


def test_the_comment_of_an_extension_is_dumped_only_if_it_is_not_that_of_its_package(database: Database) -> None:
    database.execute("CREATE EXTENSION vector")
    assert "COMMENT ON EXTENSION" not in dump(database)
    database.execute("COMMENT ON EXTENSION vector IS 'made by a migration'")
    assert "COMMENT ON EXTENSION vector IS 'made by a migration';" in dump(database)


def test_statements_are_kept_unchanged_and_everything_else_is_removed(database: Database) -> None:
    database.execute(SCHEMA)
    database.execute("CREATE TABLE schema_migrations (version text PRIMARY KEY)")
    text = dump(database)
    assert "    -- doubles it\n" in text
    assert "COMMENT ON TABLE public.b IS 'a; b -- c';\n" in text
    assert "schema_migrations" not in text
    assert [line for line in text.splitlines() if line.startswith(("--", "\\", "SET default", "SET statement"))] == []


@pytest.mark.parametrize(
    ("dumped", "kept"),
    [
        ("SET row_security = off;\n\n--\n-- Name: t\n--\n\nCREATE TABLE t ();\n", "CREATE TABLE t ();"),
        ("\\restrict abc\nCREATE TABLE t ();\n\\unrestrict abc\n", "CREATE TABLE t ();"),
        ("CREATE SCHEMA public;\nCREATE SCHEMA publicity;\n", "CREATE SCHEMA publicity;"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE me IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC;\n",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC;",
        ),
        (
            'ALTER DEFAULT PRIVILEGES FOR ROLE "me too" GRANT SELECT ON TABLES TO me;\n',
            'ALTER DEFAULT PRIVILEGES FOR ROLE "me too" GRANT SELECT ON TABLES TO CURRENT_USER;',
        ),
        ("GRANT SELECT(me) ON TABLE public.me TO me;\n", "GRANT SELECT(me) ON TABLE public.me TO CURRENT_USER;"),
        (
            "CREATE POLICY p ON public.me FOR SELECT TO other, me USING ((me > 0));\n",
            "CREATE POLICY p ON public.me FOR SELECT TO other, CURRENT_USER USING ((me > 0));",
        ),
        (
            "CREATE USER MAPPING FOR me SERVER me OPTIONS (me 'me');\n",
            "CREATE USER MAPPING FOR CURRENT_USER SERVER me OPTIONS (me 'me');",
        ),
        (
            "\\restrict k\nCREATE FUNCTION f() AS $$\n\\restrict x\n$$;\n\\unrestrict k\n",
            "CREATE FUNCTION f() AS $$\n\\restrict x\n$$;",
        ),
    ],
    ids=[
        "settings and comments",
        "commands of psql",
        "what every database has",
        "owners",
        "another role's default privileges",
        "grants to the owner",
        "policies for the owner",
        "user mappings of the owner",
        "a line of a function like a command of psql",
    ],
)
def test_settings_comments_and_owners_are_removed(dumped: str, kept: str) -> None:
    assert clean_dump(dumped, owner="me").partition("\n\n")[2].strip() == kept
