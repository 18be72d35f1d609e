"""The version table of another tool that cannot be read: the schema decides, and the answer names the table and the reason."""

from dataclasses import replace
from io import StringIO

import pytest

from tasks.adopt.examine import read_subject
from tasks.report import report
from tasks.report.adoption import register_messages
from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger import foreign, guard, takeover
from tests.adopt.adopting import EMAIL, FILES, USERS, VIEW, Adopter, read_verdicts
from tests.kit.roles import MakeRole, use_as

ALEMBIC = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('5a0c')"
VERDICTS = dict(zip(FILES, ["present", "present", "absent", "cannot tell", "present", "absent"], strict=True))


@pytest.fixture
def alembic(adopter: Adopter) -> Adopter:
    """Return a user whose database has some of the migrations, and Alembic's version table, but no ledger."""
    adopter.write()
    adopter.run(USERS, EMAIL, VIEW)
    adopter.operator.database.execute(ALEMBIC)
    return adopter


def use_role(adopter: Adopter, make_role: MakeRole, privileges: str = "") -> Adopter:
    """Return the user as a role with these privileges on Alembic's table, which may create a ledger."""
    database = adopter.operator.database
    role = make_role("adopter", creates=True)
    if privileges:
        database.execute(f'GRANT {privileges} ON alembic_version TO "{role}"')
    return replace(adopter, operator=replace(adopter.operator, url=use_as(database, role).url))


def test_a_record_that_the_role_may_not_read_is_named_and_the_schema_decides(alembic: Adopter, make_role: MakeRole) -> None:
    limited = use_role(alembic, make_role)
    examination = limited.examine()
    assert read_verdicts(examination) == VERDICTS
    assert examination.answer.unread == "public.alembic_version: permission denied for table alembic_version"
    register_messages()
    shown = StringIO()
    report([examination.answer], stream=shown)
    assert "the version table of Alembic was not read" in " ".join(shown.getvalue().split())
    assert limited.adopt().versions == (USERS, EMAIL, VIEW)


def test_a_record_that_another_session_has_locked_is_not_waited_for(alembic: Adopter, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (foreign, guard):
        monkeypatch.setattr(module, "LOCK_TIMEOUT", "100ms")
    runner, migrations = alembic.operator.make_runner(), read_migrations(alembic.operator.project.migrations)
    with alembic.operator.database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE alembic_version")
        subject = read_subject(runner, migrations)
        assert subject.other is not None
        assert subject.other.unread == "another session has locked the table"
        assert alembic.operator.read_status().rows
    subject = read_subject(runner, migrations)
    assert subject.other is not None
    assert [row.version for row in subject.other.rows] == ["5a0c"]


def test_a_role_that_may_only_read_the_record_adopts(alembic: Adopter, make_role: MakeRole) -> None:
    limited = use_role(alembic, make_role, "SELECT")
    assert limited.adopt().versions == (USERS, EMAIL, VIEW)


def test_a_table_that_has_to_be_renamed_and_is_in_use_is_refused(adopter: Adopter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "_LOCK_TIMEOUT", "100ms")
    adopter.write()
    adopter.run(USERS)
    database = adopter.operator.database
    database.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    with database.connect(autocommit=False) as other:
        other.execute("TABLE schema_migrations")
        with pytest.raises(RefusedError, match=r"another session has locked public\.schema_migrations"):
            adopter.adopt()
    assert adopter.adopt().kept == "schema_migrations_old"
