"""An open ledger is closed by a repair, and the check of an environment names who may use it."""

from typing import Any

import pytest
from psycopg import sql

from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.runner.errors import PlanChangedError, RefusedError
from tasks.runner.events import CheckMade, ProbeRead, RepairProposed
from tasks.runner.operations.probe import probe
from tasks.runner.operations.repair import repair
from tests.kit.databases import Database
from tests.kit.roles import MakeRole, use_as
from tests.runner.ledger import format_2
from tests.runner.ledger.test_privileges import HELPERS, ODD, list_grants
from tests.runner.operating import A, Operator, list_done, operate_as, pick

WARNING = "ledger privileges"
TABLES = ("schema_migrations", *HELPERS)


def grant(database: Database, text: str, *roles: str) -> None:
    """Run statements with the roles in their places."""
    database.execute(sql.SQL(text).format(*map(sql.Identifier, roles)).as_string())


def set_up(operator: Operator, make_role: MakeRole) -> Operator:
    """Migrate as the owner of the database, who is not a superuser, and return the operator as that owner."""
    operator.write_tables(A)
    owner = make_role("owner", creates=True)
    grant(operator.database, "ALTER DATABASE {} OWNER TO {}", operator.database.name, owner)
    owned = operate_as(operator, owner)
    owned.migrate()
    return owned


def name_owner(operator: Operator) -> str:
    return str(operator.database.query("SELECT relowner::regrole FROM pg_class WHERE relname = 'schema_migrations'")[0][0]).strip(
        '"'
    )


def propose(operator: Operator, **options: Any) -> list[RepairProposed]:
    """Return the changes that a repair proposes, without making them."""
    return pick(operator.repair(lambda _: False, **options), RepairProposed)


def check_ledger(operator: Operator, **options: Any) -> dict[str, CheckMade]:
    (event,) = probe(operator.make_runner(**options))
    assert isinstance(event, ProbeRead)
    return {check.name: check for check in event.checks if check.name.startswith("ledger")}


def test_an_open_ledger_is_closed_by_a_repair_that_shows_what_it_revokes(any_operator: Operator, make_role: MakeRole) -> None:
    owned, database = set_up(any_operator, make_role), any_operator.database
    app, odd, other = make_role("app"), make_role(ODD), make_role("other")
    everything = f"TABLE {', '.join(TABLES)}"
    grant(database, f"GRANT ALL ON {everything} TO {{}}, PUBLIC", app)
    grant(database, f"GRANT ALL ON {everything} TO {{}} WITH GRANT OPTION", odd)
    grant(database, "GRANT USAGE ON SEQUENCE schema_migrations_log_id_seq TO {}", odd)
    grant(database, "GRANT UPDATE (checksum), SELECT (version) ON schema_migrations TO {}", other)
    with use_as(database, odd).connect() as connection:
        connection.execute(sql.SQL(f"GRANT INSERT ON {everything} TO {{}}").format(sql.Identifier(other)))
    before = list_grants(database)
    assert [each.change for each in propose(owned)] == ["revoke privileges"] * 4
    assert list_grants(database) == before
    shown = propose(owned)
    assert "REVOKE UPDATE ON public.schema_migrations FROM " in "".join(each.message for each in shown)
    assert shown[0].message.startswith("PUBLIC has privileges on the ledger")
    warned = check_ledger(owned)[WARNING]
    assert (warned.passed, warned.warning, warned.hint) == (True, True, "Revoke that: inv db.repair")
    for line in ("PUBLIC has ", f'"{app}" has ', "UPDATE on public.schema_migrations"):
        assert line in warned.found
    owned.repair()
    reading = [("schema_migrations", who, "SELECT") for who in (odd, app, other, "PUBLIC")]
    assert sorted(list_grants(database)) == sorted(reading)
    assert propose(owned) == []
    assert list(check_ledger(owned)) == ["ledger"]


def test_a_superuser_closes_the_ledger_of_its_owner(operator: Operator, make_role: MakeRole) -> None:
    set_up(operator, make_role)
    app = make_role("app")
    grant(operator.database, f"GRANT ALL ON {', '.join(TABLES)} TO {{}}", app)
    operator.repair()
    assert list_grants(operator.database) == [("schema_migrations", app, "SELECT")]


def test_what_is_declined_stays(operator: Operator, make_role: MakeRole) -> None:
    owned, app, deployer = set_up(operator, make_role), make_role("app"), make_role("deployer")
    grant(operator.database, "GRANT UPDATE ON schema_migrations TO {}, {}", app, deployer)
    owned.repair(lambda proposal: f'"{app}"' in proposal.message)
    assert list_grants(operator.database) == [("schema_migrations", deployer, "UPDATE")]


def test_a_ledger_of_an_older_tool_is_closed(any_operator: Operator, make_role: MakeRole) -> None:
    owner, app = make_role("owner", creates=True), make_role("app")
    with use_as(any_operator.database, owner).connect() as connection:
        connection.execute(format_2.LEDGER.encode())
    grant(any_operator.database, f"GRANT ALL ON {', '.join(TABLES)} TO {{}}", app)
    operate_as(any_operator, owner).repair()
    assert list_grants(any_operator.database) == [("schema_migrations", app, "SELECT")]


def test_what_a_member_of_the_owner_passed_on_is_revoked(operator: Operator, make_role: MakeRole) -> None:
    owned, database = set_up(operator, make_role), operator.database
    member, app = make_role("member", "LOGIN NOINHERIT"), make_role("app")
    grant(database, "GRANT {} TO {}", name_owner(operator), member)
    grant(database, "GRANT UPDATE, SELECT ON schema_migrations_scripts TO {} WITH GRANT OPTION", member)
    with use_as(database, member).connect() as connection:
        connection.execute(sql.SQL("GRANT UPDATE ON schema_migrations_scripts TO {}").format(sql.Identifier(app)))
    (proposal,) = propose(owned)
    assert f'REVOKE GRANT OPTION FOR UPDATE ON public.schema_migrations_scripts FROM "{member}" CASCADE;' in proposal.message
    owned.repair()
    assert {grantee for _, grantee, _ in list_grants(database)} == {member}
    assert propose(owned) == []


def test_nothing_is_revoked_from_a_role_of_the_current_user(operator: Operator, make_role: MakeRole) -> None:
    owned, team = set_up(operator, make_role), make_role("team", "NOLOGIN")
    grant(operator.database, "GRANT {} TO {}", team, name_owner(operator))
    grant(operator.database, "GRANT INSERT ON schema_migrations_log TO {}", team)
    assert propose(owned) == []
    warned = check_ledger(owned)[WARNING]
    assert f'REVOKE INSERT ON public.schema_migrations_log FROM "{team}" CASCADE;' in warned.hint
    assert "inv db.repair" not in warned.hint


def test_a_runner_that_works_by_grants_stays_able_to_run(operator: Operator, make_role: MakeRole) -> None:
    set_up(operator, make_role)
    runner, app = make_role("runner", creates=True), make_role("app")
    grant(operator.database, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(TABLES)} TO {{}}", runner)
    grant(operator.database, "GRANT DELETE ON schema_migrations TO {}", app)
    working = operate_as(operator, runner)
    assert propose(working) == []
    assert check_ledger(working)[WARNING].found.splitlines()[1:] == [f'"{app}" has DELETE on public.schema_migrations']
    working.repair()
    working.write_tables("20250109000000_create_i")
    assert list_done(working.migrate()) == ["20250109000000_create_i"]


def test_members_of_the_owner_and_superusers_are_no_danger(operator: Operator, make_role: MakeRole) -> None:
    owned = set_up(operator, make_role)
    member, admin = make_role("member"), make_role("admin", "LOGIN SUPERUSER")
    grant(operator.database, "GRANT {} TO {}", name_owner(operator), member)
    grant(operator.database, "GRANT ALL ON schema_migrations_log TO {}, {}", member, admin)
    assert propose(owned) == []
    assert list(check_ledger(owned)) == ["ledger"]


def test_a_grant_that_is_made_after_the_question_is_refused(operator: Operator, make_role: MakeRole) -> None:
    owned, app = set_up(operator, make_role), make_role("app")
    grant(operator.database, "GRANT INSERT ON schema_migrations TO {}", app)

    def approve() -> None:
        grant(operator.database, "GRANT DELETE ON schema_migrations TO {}", app)

    with pytest.raises(PlanChangedError):
        list(repair(owned.make_runner(), lambda _: True, approve))
    assert len(list_grants(operator.database)) == 2


def test_closing_leaves_the_expected_schema_as_it_is(operator: Operator, make_role: MakeRole) -> None:
    owned, app = set_up(operator, make_role), make_role("app")
    owned.write_tables("20250109000000_create_i")
    owned.migrate(watch_drift=True)
    grant(operator.database, "GRANT INSERT ON schema_migrations TO {}", app)
    owned.repair(watch_drift=True)
    assert owned.read_status(watch_drift=True).findings == ()


def test_readers_are_granted_what_they_lack(operator: Operator, make_role: MakeRole) -> None:
    owned, reader = set_up(operator, make_role), make_role("reader")
    readers = (reader,)
    grant(operator.database, "GRANT SELECT ON schema_migrations_log TO PUBLIC")
    assert check_ledger(owned, ledger_readers=readers)["ledger readers"].hint.endswith("inv db.repair")
    _, proposal = propose(owned, ledger_readers=readers)
    tables = ("schema_migrations", "schema_migrations_log", "schema_migrations_meta")
    assert f'{", ".join(f"public.{table}" for table in tables)} TO "{reader}";' in proposal.message
    owned.repair(ledger_readers=readers)
    assert list_grants(operator.database) == [(table, reader, "SELECT") for table in tables]
    assert propose(owned, ledger_readers=readers) == []
    assert list(check_ledger(owned, ledger_readers=readers)) == ["ledger"]
    assert [each.change for each in propose(owned)] == ["revoke privileges"]


def test_a_repair_with_an_unknown_reader_is_refused(operator: Operator, make_role: MakeRole) -> None:
    owned = set_up(operator, make_role)
    with pytest.raises(RefusedError, match="nobody"):
        owned.repair(ledger_readers=("nobody",))


def test_a_warning_is_printed_with_the_next_step() -> None:
    check = CheckMade(
        WARNING,
        True,
        "roles other than the owner have privileges on it:\napp has INSERT on t",
        "Revoke that: inv db.repair",
        True,
    )
    text = [line.text for line in format_event(ProbeRead((check,)), Style())]
    assert text[0].startswith("⚠️")
    assert text[-1].strip() == "Next:  Revoke that: inv db.repair"
