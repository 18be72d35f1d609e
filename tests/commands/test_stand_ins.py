"""A migration that needs uuid-ossp, in a checkout that has only the embedded server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.postgres.server.embedded import find_running, stop
from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.databases import Database, ask
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, Operator

UP = 'CREATE EXTENSION "uuid-ossp";\nCREATE TABLE t (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), n int);'
NOTE = "Rehearsed with the embedded server's stand-in for uuid-ossp"


@pytest.fixture
def clone(short_path: Path) -> Iterator[Checkout]:
    """Yield a checkout with one migration, and no server yet."""
    checkout = make_checkout(short_path / "clone")
    checkout.write_up(A, UP)
    checkout.write_down(A, 'DROP TABLE t;\nDROP EXTENSION "uuid-ossp";')
    yield checkout
    stop(checkout.root / ".postgres")


def test_a_migration_with_uuid_ossp_is_verified_applied_and_compared_on_the_embedded_server(clone: Checkout) -> None:
    verified = clone.inv("db.verify", check=0).stdout
    assert f"✅ {A}: up, down, up" in verified
    assert NOTE in " ".join(verified.split())
    again = clone.inv("db.verify", check=0).stdout
    assert f"✅ {A}: up, down, up (verified before, unchanged)" in again
    assert NOTE in " ".join(again.split())
    clone.inv("db.migrate", check=0)
    url = find_running(clone.root / ".postgres")
    assert url is not None
    assert ask(url, "WITH made AS (INSERT INTO t (n) VALUES (1) RETURNING id) SELECT uuid_extract_version(id) FROM made") == 4
    compared = clone.inv("db.drift", check=0).stdout
    assert "No drift" in compared
    assert NOTE in " ".join(compared.split())


@pytest.mark.parametrize(
    "command",
    [["db.adopt"], ["db.squash", f"--to={B}", "--dry-run"], ["db.cleanup-legacy", "--folder=old"]],
    ids=lambda each: each[0],
)
def test_every_command_that_rehearses_reports_the_stand_ins(
    command: list[str], project: Project, database: Database, embedded: Server
) -> None:
    operator = Operator(project, database)
    operator.write(A, UP)
    operator.write_tables(B)
    operator.migrate()
    (project.root / "old").mkdir()
    (project.root / "old" / "001_ids.sql").write_text(UP)
    result = project.inv(*command, "--json", env={"SCRATCH_DATABASE_URL": embedded.url()}, check=0)
    assert json.loads(result.stdout.splitlines()[-1]) == {"kind": "stand_ins_used", "extensions": ["uuid-ossp"]}
