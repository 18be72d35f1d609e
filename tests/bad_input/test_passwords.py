"""No password is ever shown: not in output, events, errors or the log."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tasks.runner import MigrationRunner
from tasks.runner.database.addresses import describe_database
from tasks.runner.errors import ConnectError
from tests.bad_input.refusals import V, refuse, snapshot
from tests.kit.databases import Database
from tests.kit.projects import Project

ODD = "p@ss:w/or$d %s'\"\\&=é"
PIECES = ("p@ss", "w/or", "p%40ss", "%3Aw", "or$d", "or%24d")


def as_url(user: str, password: str, host: str, name: str) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@/{name}?host={quote(host, safe='')}&port=5432"


def as_parameter(user: str, password: str, host: str, name: str) -> str:
    return f"postgresql:///{name}?host={quote(host, safe='')}&port=5432&user={user}&password={quote(password, safe='')}"


def as_conninfo(user: str, password: str, host: str, name: str) -> str:
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    return f"host={host} port=5432 dbname={name} user={user} password='{escaped}'"


@pytest.mark.parametrize("spell", [as_url, as_parameter, as_conninfo])
def test_a_password_of_special_characters_works_and_is_never_shown(
    project: Project,
    guarded_database: Database,
    make_role: Callable[..., str],
    spell: Callable[[str, str, str, str], str],
) -> None:
    user = make_role(ODD, "LOGIN SUPERUSER")
    url = spell(user, ODD, str(guarded_database.server.cluster.socket_folder), guarded_database.name)
    quoted = url.replace("'", "''")
    project.write_up(V, f"SELECT 1 AS \"{ODD[:3]}\", '{quoted}';\nSELECT nix, '{quoted}';\n")
    refusal = refuse(project.at(url), "migrate", "--verbose", code=1)
    assert 'column "nix" does not exist' in refusal.error.message
    assert refusal.place == (f"{V}.sql", 2, 8)
    history = project.at(url).migrate("history", check=0).stdout
    log = str(guarded_database.query("SELECT l::text FROM schema_migrations_log l"))
    for text in (refusal.stdout, refusal.stderr, history, log):
        assert "nix" in text
        assert not [piece for piece in PIECES if piece in text]


@pytest.mark.parametrize("password", ["a", "no", "postgres"])
def test_a_password_that_occurs_in_other_words_does_not_hide_them(
    project: Project, guarded_database: Database, make_role: Callable[..., str], password: str
) -> None:
    user = make_role(password, "LOGIN SUPERUSER")
    url = as_url(user, password, str(guarded_database.server.cluster.socket_folder), guarded_database.name)
    project.write_up(V, f"SELECT nowhere, '{url}';\n")
    refusal = refuse(project.at(url), code=1)
    assert 'column "nowhere" does not exist' in refusal.error.message
    assert f"{user}:***@" in refusal.error.source
    assert f":{password}@" not in refusal.stdout + refusal.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p@ss:w/or$d@localhost/db",
        "me:or$d@localhost/db",
        "host=localhost password=or$d p@ss user=me",
        "postgresql://me:or$d%zz@localhost/db",
    ],
)
def test_a_password_in_a_url_that_cannot_be_read_is_never_shown(project: Project, url: str) -> None:
    refusal = refuse(project.at(url), code=2)
    assert refusal.error.message.startswith("DATABASE_URL: ")
    assert "postgresql://user:password@host:5432/database" in refusal.stderr
    assert not [piece for piece in PIECES if piece in refusal.stdout + refusal.stderr]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("ALTER ROLE nobody_known PASSWORD 'geheim-92'", 1),
        ("ALTER ROLE nobody_known WITH ENCRYPTED PASSWORD $x$geheim-92$x$ VALID UNTIL 'infinity'", 1),
        ("ALTER ROLE postgres\n  PASSWORD\n  'geheim-92' NIX", 3),
        ("ALTER ROLE postgres PASSWORT 'geheim-92'", 3),
        ("ALTER ROLE postgres PASSWORD 'x' 'geheim-92'", 3),
        ("CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 user=me password=geheim-92' PUBLICATION p", 1),
        ("CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 password=''geheim-92'' user=me' PUBLICATION p", 1),
        ("CREATE SUBSCRIPTION s CONNECTION 'postgresql://me:geheim-92@127.0.0.1:1/db' PUBLICATION p", 1),
        ("CREATE USER MAPPING FOR nobody_known SERVER nowhere OPTIONS (user 'me', password 'geheim-92')", 1),
        ("DO $$ BEGIN\n  EXECUTE 'ALTER ROLE nobody_known PASSWORD ''geheim-92''';\nEND $$", 1),
        ("DO $$ BEGIN RAISE NOTICE 'use %', 'postgresql://me:geheim-92@h/db'; PERFORM 1/0; END $$", 1),
    ],
)
def test_a_password_in_a_statement_is_never_shown(project: Project, database: Database, statement: str, code: int) -> None:
    project.write_up(V, f"SELECT 1;\n{statement};\n")
    refusal = refuse(project, "migrate", "--verbose", code=code)
    assert "geheim" not in refusal.stdout + refusal.stderr
    assert "geheim" not in str(snapshot(database))


def test_a_password_in_a_plan_is_never_shown(project: Project) -> None:
    project.write_up(V, "ALTER ROLE nobody_known PASSWORD 'geheim-92';\n")
    for output in ("--json", "--verbose"):
        result = project.migrate("migrate", "--dry-run", output, check=0)
        assert "ALTER ROLE nobody_known PASSWORD ***" in result.stdout
        assert "geheim" not in result.stdout + result.stderr


def test_the_diff_of_an_edited_file_and_the_stored_text_hide_passwords(project: Project, database: Database) -> None:
    text = "CREATE TABLE t ();\nCOMMENT ON TABLE t IS 'host=x password=geheim-92';\n"
    project.write_up(V, text)
    project.migrate(check=0)
    project.write_up(V, text.replace("92", "93") + "SELECT 1;\n")
    refusal = refuse(project)
    assert "+SELECT 1;" in refusal.stdout
    assert "geheim" not in refusal.stdout + refusal.stderr
    assert "geheim" not in str(database.query("SELECT up_text FROM schema_migrations_scripts"))


def test_a_password_in_the_query_of_a_blocker_is_never_shown(project: Project, database: Database) -> None:
    project.write_up(V, "ALTER TABLE held ADD a int;\n")
    database.execute("CREATE TABLE held ()")
    with database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE held; COMMENT ON TABLE held IS 'postgresql://me:geheim-92@h/db'")
        env = {"LOCK_TIMEOUT": "100ms", "LOCK_PATIENCE": "1s"}
        refusal = refuse(project, code=1, env=env)
    assert '"held_back"' in refusal.stdout
    assert "postgresql://me:***@h/db" in refusal.stdout
    assert "geheim" not in refusal.stdout + refusal.stderr


@pytest.mark.parametrize("url", ["postgresql://me:p@ss:w/or$d@127.0.0.1/db", "me:or$d@localhost/db"])
def test_a_password_in_a_url_passed_in_python_is_never_shown(url: str) -> None:
    assert describe_database(url) == "a database whose URL cannot be read"
    with pytest.raises(ConnectError) as refused:
        MigrationRunner(url).get_applied_migrations()
    assert not [piece for piece in PIECES if piece in str(refused.value) + refused.value.hint]


OVER_LINES = "CREATE ROLE nobody_known\n  LOGIN\n  PASSWORD\n    'geheim-91'\n  VALID UNTIL 'infinity'"
"""A literal that is not on the line of the word that makes it a password."""
IN_FORMAT = "EXECUTE format('CREATE ROLE nobody_known LOGIN PASSWORD %L', 'geheim-91')"
NESTED = f"DO $$BEGIN {IN_FORMAT}; PERFORM 1/0; END$$"
_FAILING = {
    "over lines": f"{OVER_LINES} NIX",
    "in format()": NESTED,
    "in a variable": "DO $$ DECLARE v text := 'geheim-91';\nBEGIN EXECUTE format('ALTER ROLE nobody PASSWORD %L', v); END $$",
    "in a function": f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN {IN_FORMAT}; PERFORM 1/0; END$$;\nSELECT f()",
    "in doubled quotes": "DO 'BEGIN EXECUTE ''CREATE ROLE nobody_known NIX PASSWORD ''''geheim-91''''''; END'",
    "in a notice": "DO $$ DECLARE password text := 'geheim-91'; BEGIN RAISE WARNING 'using %', password; PERFORM 1/0; END $$",
    "in a setting": "SET app.password TO 'geheim-91'; SELECT 1/0",
    "in a setting without quotes": "SET app.token = geheim91, 1 NIX",
    "in set_config": "SELECT set_config('app.password', 'geheim-91', false), 1/0",
    "in a key": "CREATE TABLE t (token text UNIQUE);\nINSERT INTO t (token) VALUES ('ge91heim'), ('ge91heim')",
    "in a row": "CREATE TABLE t (passwd text, a int NOT NULL);\nINSERT INTO t (passwd) SELECT 'geheim-' || 91",
    "in a value": "CREATE TABLE t (a int);\nINSERT INTO t SELECT ('geheim-' || 91)::int AS secret",
    "in data": "CREATE TABLE t (api_key int);\nCOPY t (api_key) FROM stdin;\ngeheim-91\n\\.",
    "in a word": 'ALTER ROLE nobody_known PASSWORD "geheim-91"',
    "in an open literal": "ALTER ROLE nobody_known PASSWORD 'geheim-91",
    "after a quote too many": "SELECT 'it's';\nALTER ROLE nobody_known PASSWORD 'geheim-91'",
    "in a comment": "-- ALTER ROLE nobody_known PASSWORD\n-- 'geheim-91'\nSELECT 1/0",
}


@pytest.mark.parametrize("statement", _FAILING.values(), ids=_FAILING)
def test_a_secret_in_a_statement_that_fails_is_nowhere(project: Project, database: Database, statement: str) -> None:
    project.write_up(V, f"SELECT 1;\n{statement};\n")
    outputs = [project.migrate("migrate", "--dry-run", "--verbose"), project.migrate("migrate", "--json")]
    outputs += [project.migrate("migrate", "--verbose"), project.migrate("status"), project.migrate("history", "--json")]
    assert outputs[2].returncode in (1, 3)
    for output in outputs:
        assert "heim" not in output.stdout + output.stderr
        assert "Traceback" not in output.stderr
    assert "heim" not in str(snapshot(database))


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t ();\nCOMMENT ON TABLE t IS\n  'password:'\n  'geheim-91';\n",
        f"CREATE TABLE t ();\nDO $$BEGIN IF false THEN {IN_FORMAT}; END IF; END$$;\n",
        "CREATE TABLE t (a text);\nSET app.password TO\n  'geheim-91';\n",
        "CREATE TABLE t (passwd text);\nCOPY t (passwd) FROM stdin;\ngeheim-91\n\\.\n",
    ],
    ids=["over lines", "in format()", "in a setting", "in data"],
)
def test_an_edited_secret_is_an_edit_that_does_not_show_it(project: Project, database: Database, text: str) -> None:
    project.write_up(V, text)
    project.migrate(check=0)
    project.write_up(V, text.replace("heim-91", "heim-92"))
    for command in ("status", "migrate", "repair", "rollback"):
        for more in ((), ("--json",), ("--verbose",)):
            arguments = (command, *more, *(() if command == "status" else ("--dry-run",)))
            output = project.migrate(*arguments)
            assert "heim" not in output.stdout + output.stderr
            if command in ("status", "migrate"):
                assert "only spaces, passwords or line ends differ" in output.stdout + output.stderr


def test_secrets_in_the_log_of_an_older_version_are_not_shown(project: Project, database: Database) -> None:
    project.write_up(V, "SELECT 1/0;\n")
    project.migrate(check=1)
    database.execute(
        """UPDATE schema_migrations_log SET error = 'CONTEXT: "ALTER ROLE a PASSWORD ''geheim''"' WHERE error <> ''"""
    )
    for arguments in (("status",), ("status", "--json"), ("history",), ("history", "--json")):
        output = project.migrate(*arguments)
        assert "ALTER ROLE a PASSWORD ***" in output.stdout
        assert "heim" not in output.stdout + output.stderr


def test_the_query_of_a_blocker_is_masked_before_it_is_cut(project: Project, database: Database) -> None:
    project.write_up(V, "ALTER TABLE held ADD a int;\n")
    database.execute("CREATE TABLE held ()")
    with database.connect(autocommit=False) as holder:
        holder.execute(f"LOCK TABLE held; DO $$ DECLARE v text := 'geheim-91'; BEGIN /* {'x' * 300} */ v := 'password'; END $$")
        refusal = refuse(project, code=1, env={"LOCK_TIMEOUT": "100ms", "LOCK_PATIENCE": "1s"})
    assert "DECLARE v text := ***" in refusal.stdout
    assert "heim" not in refusal.stdout + refusal.stderr
