"""Squashing many migrations into one: same schema and same rows, proved on scratch; a database that has them runs nothing."""

import hashlib
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tasks.legacy.events import FileChanged
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import FilesError, RefusedError, UsageError
from tasks.runner.events import Event, PlanMade, RunFinished
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.renames import RENAMES_FILE
from tasks.squash.events import SquashFinished, SquashPlanned
from tasks.squash.squash import plan_squash, refuse_difference, squash_files
from tasks.squash.state import read_state
from tasks.squash.varying import find_varying
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import Operator, list_done, pick

PLACES, ROUTES, STAFF, LATER = "20250101000000_places", "20250102000000_routes", "20250103000000_staff", "20250104000000_later"
SQUASHED = "20250103000000_squashed_schema"
FILES = {
    PLACES: "CREATE TYPE kind AS ENUM ('port', 'town'); CREATE TABLE places (id serial PRIMARY KEY, kind kind, name text);"
    " INSERT INTO places (kind, name) VALUES ('port', E'O''Hara;\\n--'), ('town', NULL);",
    ROUTES: "CREATE TABLE routes (start int REFERENCES places, stop int REFERENCES places, id int GENERATED ALWAYS AS IDENTITY);"
    " INSERT INTO routes VALUES (1, 2); CREATE VIEW ports AS SELECT * FROM places WHERE kind = 'port';",
    STAFF: "CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff, seen int DEFAULT 0);"
    " CREATE FUNCTION count_seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen = NEW.seen + 1; RETURN NEW; END; $$;"
    " INSERT INTO staff VALUES (1, NULL), (2, 1); UPDATE staff SET boss = 2 WHERE id = 1;"
    " CREATE TRIGGER seen BEFORE INSERT ON staff FOR EACH ROW EXECUTE FUNCTION count_seen();"
    " INSERT INTO staff VALUES (3, 3);",
    LATER: "ALTER TABLE staff ADD name text; INSERT INTO places (name) VALUES ('new');",
}
ROWS = "SELECT s.*, p.*, r.* FROM staff s, places p, routes r ORDER BY 1, 4, 7"


@pytest.fixture
def server(embedded: Server) -> Iterator[ScratchServer]:
    with ScratchServer(embedded.url()) as server:
        yield server


@pytest.fixture
def filled(operator: Operator) -> Operator:
    """Return the operator of a project with some migrations."""
    for version, text in FILES.items():
        operator.write(version, text, "SELECT 1;")
    return operator


def squash(operator: Operator, server: ScratchServer, to: str = "20250103", *, apply: bool = True) -> list[Event]:
    return list(squash_files(plan_squash(operator.project.migrations, to, server), apply=apply))


def test_the_squashed_migration_has_the_same_result_and_later_migrations_run_after_it(
    filled: Operator, server: ScratchServer, embedded: Server
) -> None:
    filled.migrate()
    rows = filled.database.query(ROWS)
    events = squash(filled, server)
    assert list(read_migrations(filled.project.migrations).checksums) == [SQUASHED, LATER]
    assert pick(events, SquashPlanned)[0].rows == 6
    assert list_done(filled.migrate()) == []
    assert filled.read_applied() == [SQUASHED, LATER]
    with fresh_database(embedded) as fresh:
        operator = replace(filled, database=fresh)
        assert list_done(operator.migrate()) == [SQUASHED, LATER]
        assert fresh.query(ROWS) == rows
        assert fresh.query("SHOW search_path") == [('"$user", public',)]


def test_the_squashed_migration_runs_on_older_servers(filled: Operator, any_database: Database) -> None:
    with ScratchServer(any_database.server.url()) as server:
        squash(filled, server)
    operator = replace(filled, database=any_database)
    assert list_done(operator.migrate()) == [SQUASHED, LATER]


def test_a_dry_run_shows_and_changes_nothing(filled: Operator, server: ScratchServer) -> None:
    before = {path: path.read_bytes() for path in filled.project.migrations.rglob("*.sql")}
    planned, finished = squash(filled, server, apply=False)
    assert isinstance(planned, SquashPlanned)
    assert planned.versions == (PLACES, ROUTES, STAFF)
    assert "INSERT INTO public.staff" in planned.text
    assert "-- migrate: irreversible" in planned.down
    assert finished == SquashFinished(SQUASHED, 3, applied=False)
    assert {path: path.read_bytes() for path in filled.project.migrations.rglob("*.sql")} == before


def test_a_squash_of_a_squash_replaces_the_original_versions(filled: Operator, server: ScratchServer) -> None:
    filled.migrate()
    squash(filled, server)
    squash(filled, server, LATER)
    later = "20250104000000_squashed_schema"
    assert list(read_migrations(filled.project.migrations).checksums) == [later]
    assert list_done(filled.migrate()) == []
    assert filled.read_applied() == [later]
    assert filled.read_states() == {later: "applied"}


def test_a_squash_that_was_interrupted_after_any_step_is_completed(filled: Operator, server: ScratchServer) -> None:
    folder = filled.project.migrations
    for steps in range(1, 9):
        events = squash_files(plan_squash(folder, "20250103", server), apply=True)
        done = pick(itertools.islice(events, 1 + steps), FileChanged)
        events.close()  # type: ignore[attr-defined]
        squash(filled, server)
        assert list(read_migrations(folder).checksums) == [SQUASHED, LATER]
        assert read_migrations(folder).downs == {SQUASHED, LATER}
        assert len(done) == steps
        for path in (*folder.rglob(f"{SQUASHED}.sql"), folder / "renames.toml"):
            path.unlink()
        for version, text in FILES.items():
            filled.write(version, text, "SELECT 1;")


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ("20250101", UsageError, "is the first migration"),
        ("2024", UsageError, "there is no version 2024"),
    ],
)
def test_an_invalid_target_is_refused(
    filled: Operator, server: ScratchServer, to: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        squash(filled, server, to)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE ROLE squash_test_role",
        "DO $$ BEGIN CREATE ROLE squash_test_role; END $$",
        "GRANT pg_monitor TO CURRENT_USER",
        "COMMENT ON DATABASE postgres IS 'x'; ALTER DATABASE postgres SET work_mem = '1MB'",
    ],
)
def test_a_statement_that_affects_more_than_the_database_is_refused(filled: Operator, server: ScratchServer, text: str) -> None:
    filled.write(ROUTES, f"SELECT 1;\n{text};")
    with pytest.raises(RefusedError, match=rf"{ROUTES}\.sql:2 affects more than the database"):
        squash(filled, server)


def test_a_statement_that_was_left_out_in_the_replay_is_refused(filled: Operator, server: ScratchServer) -> None:
    filled.write(ROUTES, "SELECT 1;\nCOMMENT ON DATABASE postgres IS 'x';")
    with pytest.raises(RefusedError, match=rf"would be lost:\n  .*{ROUTES}\.sql:2 COMMENT ON DATABASE") as refused:
        squash(filled, server)
    assert refused.value.exit_code == 3


def test_a_statement_that_needs_a_superuser_is_refused_unless_it_is_replayed_as_one(filled: Operator, embedded: Server) -> None:
    filled.write(ROUTES, "SELECT 1;\nCREATE FUNCTION f() RETURNS int LEAKPROOF LANGUAGE sql AS 'SELECT 1';")
    with ScratchServer(embedded.url()) as server, pytest.raises(RefusedError, match=rf"{ROUTES}\.sql:2 CREATE FUNC") as refused:
        squash(filled, server)
    assert refused.value.exit_code == 3
    assert "--as-superuser" in refused.value.hint
    with ScratchServer(embedded.url(), as_superuser=True) as server:
        (planned, _) = squash(filled, server, apply=False)
    assert isinstance(planned, SquashPlanned)
    assert "LEAKPROOF" in planned.text


def test_a_flat_folder_is_refused(operator: Operator, server: ScratchServer, tmp_path: Path) -> None:
    (tmp_path / f"{PLACES}.sql").write_text("SELECT 1;")
    with pytest.raises(UsageError, match="has no up/ and down/"):
        plan_squash(tmp_path, PLACES, server)
    (tmp_path / "no name.sql").write_text("SELECT 1;")
    with pytest.raises(FilesError):
        plan_squash(tmp_path, PLACES, server)


@pytest.mark.parametrize("tracked", [False, True])
def test_renames_toml_cannot_lead_to_the_removal_of_another_file(
    filled: Operator, server: ScratchServer, tmp_path: Path, tracked: bool
) -> None:
    folder = filled.project.migrations
    victim = folder.parent / "victim" / "precious.sql"
    victim.parent.mkdir()
    victim.write_text("SELECT 1;")
    if tracked:
        subprocess.run(["git", "init", "--quiet"], cwd=folder.parent, check=True)
        subprocess.run(["git", "add", "--all"], cwd=folder.parent, check=True)
    digest = hashlib.sha256((folder / "up" / f"{PLACES}.sql").read_bytes()).hexdigest()
    text = f'[squashed."{PLACES}"]\nchecksum = "{digest}"\nversions = ["../../victim/precious"]\n'
    (folder / RENAMES_FILE).write_text(text)
    with pytest.raises(FilesError, match=r"renames\.toml:3: '\.\./\.\./victim/precious' is not the name of a migration"):
        squash(filled, server)
    assert victim.exists()


@pytest.mark.parametrize("name", ["up", "down"])
def test_nothing_is_written_or_removed_in_a_folder_that_is_a_link(filled: Operator, server: ScratchServer, name: str) -> None:
    folder, other = filled.project.migrations, filled.project.root / "other"
    (folder / name).rename(other)
    (folder / name).symlink_to(other)
    before = sorted(filled.project.root.rglob("*"))
    with pytest.raises(RefusedError, match=f"migrations/{name} is a link to"):
        squash(filled, server)
    assert sorted(filled.project.root.rglob("*")) == before


def test_a_squash_with_a_different_result_is_refused_with_the_difference(operator: Operator, server: ScratchServer) -> None:
    rate = "CREATE OR REPLACE FUNCTION rate() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT {}';"
    table = "CREATE TABLE prices (net int, gross int GENERATED ALWAYS AS (net * rate()) STORED); INSERT INTO prices VALUES (1);"
    operator.write(PLACES, rate.format(2) + table)
    operator.write(ROUTES, rate.format(3))
    with pytest.raises(RefusedError, match=r"~ rows of public\.prices: 1 are missing, 1 are different"):
        squash(operator, server, ROUTES)
    assert list(read_migrations(operator.project.migrations).checksums) == [PLACES, ROUTES]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("CREATE TABLE t (id int, s uuid DEFAULT gen_random_uuid()); INSERT INTO t (id) VALUES (1);", "public.t.s"),
        ("CREATE TABLE t (n float DEFAULT random()); INSERT INTO t SELECT FROM generate_series(1, 3);", "public.t.n"),
        ("CREATE TABLE t (day text); INSERT INTO t VALUES (current_date::text);", "public.t.day"),
        ("CREATE TABLE t (x text); INSERT INTO t VALUES (txid_current()::text);", "public.t.x"),
        ("CREATE SEQUENCE s; SELECT setval('s', 1 + (random() * 1e9)::bigint);", "sequence public.s"),
        ("DO $$ BEGIN EXECUTE format('CREATE TABLE %I ()', gen_random_uuid()); END $$;", "table public."),
        (
            "CREATE TABLE t (k serial, v int); INSERT INTO t (v) SELECT g FROM generate_series(1, 99) g ORDER BY random();",
            "rows of",
        ),
    ],
    ids=["uuid", "random", "date as text", "transaction", "sequence", "name of a table", "order"],
)
def test_values_that_differ_between_replays_are_found(server: ScratchServer, text: str, named: str) -> None:
    varying = find_varying(server, [RehearsedMigration(PLACES, text, None, "up.sql")])
    assert any(named in line for line in varying.others)
    assert varying.version == PLACES


def test_a_squash_of_varying_values_is_refused_with_their_migration_unless_they_are_accepted(
    operator: Operator, server: ScratchServer
) -> None:
    operator.write(PLACES, "CREATE TABLE t (id int, secret uuid DEFAULT gen_random_uuid());")
    operator.write(ROUTES, "INSERT INTO t VALUES (1);")
    operator.write(STAFF, "SELECT 1;")
    with pytest.raises(RefusedError, match=rf"first at {ROUTES}:\n  public\.t\.secret"):
        squash(operator, server)
    made = plan_squash(operator.project.migrations, STAFF, server, keep_values=True)
    (planned, _) = squash_files(made, apply=False)
    assert isinstance(planned, SquashPlanned)
    assert planned.varying == ("public.t.secret",)


def test_points_in_time_are_named_and_constants_are_not(operator: Operator, server: ScratchServer) -> None:
    columns = "made timestamptz DEFAULT now(), day date DEFAULT current_date, fixed timestamptz DEFAULT '2025-01-01'"
    operator.write(PLACES, f"CREATE TABLE t (id int, {columns}, past date DEFAULT '2025-01-01'); INSERT INTO t VALUES (1);")
    operator.write(ROUTES, "SELECT 1;")
    (planned, _) = squash(operator, server, ROUTES, apply=False)
    assert isinstance(planned, SquashPlanned)
    assert planned.varying == ("public.t.day", "public.t.made")


def fill(database: ScratchDatabase, text: str) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(text)


def test_a_failed_proof_reports_the_difference(server: ScratchServer) -> None:
    with server.make() as wanted, server.make() as actual:
        fill(wanted, "CREATE TABLE a (id serial); CREATE TABLE b (); INSERT INTO a DEFAULT VALUES")
        fill(actual, "CREATE TABLE a (id serial); INSERT INTO a VALUES (7)")
        with pytest.raises(RefusedError) as refused:
            refuse_difference(read_state(wanted), read_state(actual))
    assert "- table public.b" in refused.value.message
    assert "~ rows of public.a: 1 are missing, 1 are different" in refused.value.message
    assert "~ sequence public.a_id_seq has another value" in refused.value.message


def test_a_file_that_is_no_migration_is_never_removed(filled: Operator, server: ScratchServer) -> None:
    folder = filled.project.migrations
    other = folder.parent / "other" / "precious.sql"
    other.parent.mkdir()
    other.write_text("SELECT 1;")
    checksum = hashlib.sha256((folder / "up" / f"{PLACES}.sql").read_bytes()).hexdigest()
    (folder / "renames.toml").write_text(f'[squashed."{PLACES}"]\nchecksum = "{checksum}"\nversions = ["../../other/precious"]\n')
    with pytest.raises(FilesError, match=r"'\.\./\.\./other/precious' is not the name of a migration"):
        squash(filled, server)
    assert other.exists()


def test_the_command_reports_a_squash_that_it_completes_without_a_proof(filled: Operator, embedded: Server) -> None:
    scratch = {"SCRATCH_DATABASE_URL": embedded.url()}
    with ScratchServer(embedded.url()) as server:
        events = squash_files(plan_squash(filled.project.migrations, "20250103", server), apply=True)
        list(itertools.islice(events, 4))
        events.close()  # type: ignore[attr-defined]
    for flags, last in (
        (["--dry-run"], f"✅ Dry run: nothing was changed; a run would complete the squash of 3 migrations into {SQUASHED}"),
        ([], f"✅ Completed the squash of 3 migrations into {SQUASHED}"),
    ):
        shown = filled.project.inv("db.squash", "--to=20250103", *flags, env=scratch, check=0).stdout
        assert f"3 migrations become {SQUASHED}, begun by an earlier run, not replayed again" in shown
        assert last in shown
        assert "proved" not in shown
    assert list(read_migrations(filled.project.migrations).checksums) == [SQUASHED, LATER]


def test_the_command_reports_the_proof(filled: Operator, embedded: Server) -> None:
    scratch = {"SCRATCH_DATABASE_URL": embedded.url()}
    shown = filled.project.inv("db.squash", "--to=20250103", "--dry-run", env=scratch, check=0).stdout
    assert f"3 migrations become {SQUASHED}, with 6 rows" in shown
    assert "✅ Dry run: nothing was changed; proved on scratch: the same schema, the same rows" in shown
    assert SQUASHED in filled.project.inv("db.squash", "--to=20250103", "--json", env=scratch, check=0).stdout
    filled.project.migrate(check=0)


def test_an_older_checkout_does_not_run_again_what_was_squashed(filled: Operator, server: ScratchServer, tmp_path: Path) -> None:
    shutil.copytree(filled.project.root, tmp_path / "older")
    filled.migrate()
    before = filled.database.query(ROWS)
    squash(filled, server)
    (plan,) = pick(filled.migrate(dry_run=True), PlanMade)
    (finding,) = plan.findings
    assert finding.message == "replaces 3 migrations that are applied; a run records it in their place"
    finished = filled.migrate()[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.steps, finished.renamed) == (0, 3)
    older = Operator(Project(tmp_path / "older", filled.project.database_url), filled.database)
    states = {PLACES: "applied", ROUTES: "applied", STAFF: "applied", SQUASHED: "missing", LATER: "applied"}
    assert older.read_states() == dict(sorted(states.items()))
    assert list_done(older.migrate()) == []
    assert filled.database.query(ROWS) == before


def test_what_the_scratch_server_lacks_refuses_the_squash(operator: Operator, server: ScratchServer) -> None:
    operator.write(PLACES, "CREATE TABLE a (id int);")
    operator.write(ROUTES, "CREATE EXTENSION nothing_like_it;")
    with pytest.raises(
        RefusedError, match="would be lost: the scratch server does not have the extension nothing_like_it"
    ) as refused:
        plan_squash(operator.project.migrations, ROUTES, server)
    assert "image: " in refused.value.hint
    assert "--without-extension" not in refused.value.hint


def test_a_role_that_the_scratch_server_lacks_stays_in_the_squashed_file(operator: Operator, server: ScratchServer) -> None:
    operator.write(PLACES, "CREATE TABLE a (id int);\nGRANT SELECT ON a TO squash_reader;")
    operator.write(ROUTES, "CREATE TABLE b (id int);")
    assert "GRANT SELECT ON TABLE public.a TO squash_reader" in plan_squash(operator.project.migrations, ROUTES, server).up
