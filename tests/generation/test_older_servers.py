"""What is written on the newest server for an older one runs there, and makes there what was wanted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.catalog import COLUMN_ORDER, Difference, compare
from tasks.generation.proposal import MigrationProposal, ProposalOptions
from tasks.generation.propose import propose
from tasks.generation.sources.schema_file import open_schema_file
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.opening import check_version
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RefusedError
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.servers import Server
from tests.models.zoo import list_cases
from tests.models.zoo_trial import ZooTrial
from tests.rehearsal.sql_diff.exact import make, read, run

CHANGES = {
    "columns": (
        "CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 1) STORED UNIQUE); CREATE VIEW v AS SELECT g FROM t;"
        "CREATE TABLE n (a int, b int NOT NULL); CREATE DOMAIN d AS int; CREATE TABLE s (a text, b text, c d);",
        "CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 2) STORED UNIQUE); CREATE VIEW v AS SELECT g FROM t;"
        "CREATE TABLE n (a int NOT NULL, b int); CREATE TABLE u (a text COMPRESSION pglz CONSTRAINT named NOT NULL);"
        "CREATE DOMAIN d AS int NOT NULL CHECK (VALUE > 0); CREATE TABLE s (a text, b text, c d);"
        "ALTER TABLE s ALTER a SET STORAGE EXTERNAL, ALTER b SET STATISTICS 10; CREATE STATISTICS st ON a, b FROM s;"
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT f.a + 1; END;",
    ),
    "privileges and sequences": (
        "CREATE TABLE t (a int); CREATE TABLE u (a int); GRANT SELECT ON t TO PUBLIC; GRANT ALL ON u TO PUBLIC;"
        "CREATE UNLOGGED TABLE x (id int GENERATED ALWAYS AS IDENTITY, n serial);"
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;",
        "CREATE TABLE t (a int); CREATE TABLE u (a int); GRANT ALL ON t TO PUBLIC; GRANT SELECT ON u TO PUBLIC;"
        "CREATE TABLE x (id int GENERATED ALWAYS AS IDENTITY, n serial); GRANT CREATE ON SCHEMA public TO PUBLIC;"
        "CREATE UNLOGGED TABLE y (id int GENERATED ALWAYS AS IDENTITY, n serial);"
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;",
    ),
    "partitions": (
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE p (a int NOT NULL, b int) PARTITION BY LIST (a);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);"
        "CREATE INDEX ON p (b);",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE p (a int NOT NULL, b int REFERENCES a) PARTITION BY LIST (a);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 (a int NOT NULL, b int); CREATE INDEX ON p (b);",
    ),
}


@pytest.fixture
def older(older_server: Server) -> Iterator[Database]:
    """Yield an empty database on a server that is older than the scratch server."""
    with fresh_database(older_server) as database:
        yield database


@pytest.fixture
def writing(running: OwnServer, older: Database) -> Iterator[ScratchServer]:
    """Yield the newest server as the scratch server of a project whose environments are older."""
    with ScratchServer(running.url()) as server:
        check_version(server, older.ask(lambda connection: connection.info.server_version))
        yield server


@pytest.mark.parametrize("name", CHANGES)
def test_files_for_an_older_server_run_there(writing: ScratchServer, older: Database, tmp_path: Path, name: str) -> None:
    before, after = CHANGES[name]
    path = tmp_path / "wanted.sql"
    path.write_text(after)
    base = [RehearsedMigration("20250101000000_base", before)]
    proposal = propose(writing, base, open_schema_file(writing, path), "change it", ProposalOptions(allow_loss=True))
    assert proposal.files != ()
    make(older, before)
    old = read(older)
    with fresh_database(older.server) as another:
        make(another, after)
        wanted = read(another)
    for file in proposal.files:
        run(older, file.up)
    assert compare(read(older), wanted).without([COLUMN_ORDER]) == Difference()
    undo(older, proposal)
    assert compare(read(older), old).without([COLUMN_ORDER]) == Difference()


@pytest.mark.newest  # Many cases: only with --majors.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", ["columns", "constraints"])
def test_files_for_models_run_on_an_older_server(writing: ScratchServer, older: Database, group: str) -> None:
    major = older.ask(lambda connection: connection.info.server_version) // 10000
    trial = ZooTrial(writing, list_cases(group, major))
    trial.migrate(f"BEFORE.{group}_{major}")
    created = len(trial.base)
    proposal = trial.migrate(f"AFTER.{group}_{major}", renames=trial.renames)
    for migration in trial.base[:created]:
        run(older, migration.up)
    old = read(older)
    for migration in trial.base[created:]:
        run(older, migration.up)
    undo(older, proposal)
    assert compare(read(older), old).without([COLUMN_ORDER]) == Difference()


@pytest.mark.only_newest
def test_what_the_older_version_does_not_have_is_refused(running: OwnServer, tmp_path: Path) -> None:
    path = tmp_path / "wanted.sql"
    path.write_text("CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a + 1) VIRTUAL);")
    with ScratchServer(running.url()) as server:
        check_version(server, 150000)
        with pytest.raises(RefusedError, match="not run on PostgreSQL 15") as raised:
            propose(server, [], open_schema_file(server, path), "change it", ProposalOptions())
    assert "  a virtual generated column: PostgreSQL 18 and later" in raised.value.message
    assert "OLDEST_POSTGRES=18" in raised.value.hint


def undo(database: Database, proposal: MigrationProposal) -> None:
    """Run the downs of the files, the last one first."""
    for file in reversed(proposal.files):
        run(database, file.down)
