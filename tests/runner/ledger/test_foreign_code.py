"""A ledger that was created while others had operators on search_path is refused, and repaired without calling them."""

from collections.abc import Iterator

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.events import RepairProposed
from tasks.runner.ledger.refusal import ForeignCodeError
from tasks.runner.ledger.replacing import compose_replacing, list_replaceable
from tasks.runner.operations.repair import repair
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.roles import make_roles, use_as
from tests.runner.ledger import format_2
from tests.runner.operating import A, B, Operator, list_done, pick

PLANTED = """
CREATE FUNCTION public.differs(varchar, varchar) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1::text <> $2::text $$;
CREATE FUNCTION public.matches(varchar, varchar) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT $1::text ~ $2::text $$;
CREATE OPERATOR public.<> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.differs);
CREATE OPERATOR public.~ (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.matches);
"""
REPLACED = """
CREATE OR REPLACE FUNCTION public.differs(varchar, varchar) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
 $$ BEGIN RAISE 'planted code ran as %', current_user; END $$;
CREATE OR REPLACE FUNCTION public.matches(varchar, varchar) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
 $$ BEGIN RAISE 'planted code ran as %', current_user; END $$;
"""
"""Operators with the types of the ledger's columns, which are innocent until the ledger has been created."""
DEFINITIONS = """
SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'schema_migrations%%'
UNION ALL
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid::regclass::text LIKE 'schema_migrations%%'
UNION ALL
SELECT adrelid::regclass || ' ' || adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY 1, 2
"""


@pytest.fixture
def operator(operator: Operator) -> Iterator[Operator]:
    """Yield an operator of a ledger that calls the operators of another role, which have been replaced since."""
    database = operator.database
    operator.write_tables(A, B)
    with make_roles(database) as make:
        with use_as(database, make("low", creates=True)).connect() as low:
            low.execute(PLANTED)
            database.execute(f"SET client_min_messages = warning; {format_2.LEDGER}")
            low.execute(REPLACED)
        yield operator


def read_definitions(database: Database) -> list[tuple[str, ...]]:
    """Return the constraints, indexes and defaults of the ledger."""
    return database.query(DEFINITIONS)


def test_it_is_refused_with_the_command_that_repairs_it(operator: Operator) -> None:
    for refused in (operator.read_status, operator.migrate, operator.roll_back):
        with pytest.raises(ForeignCodeError, match=r"calls operator public\.<>") as raised:
            refused()
        assert raised.value.hint.endswith("inv db.repair")


def test_repair_replaces_what_calls_foreign_code(operator: Operator) -> None:
    (proposed,) = pick(operator.repair(), RepairProposed)
    assert (proposed.version, proposed.change) == ("schema_migrations_log", "replace code")
    assert "the index schema_migrations_log_open of public.schema_migrations_log calls operator public.<>" in proposed.message
    assert "public." not in str(read_definitions(operator.database)).replace("public.schema_migrations", "")
    assert list_done(operator.migrate()) == [A, B]
    assert [row.action for row in operator.read_history()][-1] == "repair"
    assert list_done(operator.roll_back()) == [B]


def test_nothing_is_replaced_without_confirmation_or_if_more_was_added(operator: Operator) -> None:
    before = read_definitions(operator.database)
    operator.repair(lambda _: False)
    with pytest.raises(RefusedError, match="this needs confirmation"):
        operator.repair(None)

    def add(_: RepairProposed) -> bool:
        operator.database.execute("ALTER TABLE schema_migrations ADD CHECK (public.differs(version, 'x'))")
        return True

    with pytest.raises(RefusedError, match="the constraint"):
        list(repair(operator.make_runner(), add))
    operator.database.execute("ALTER TABLE schema_migrations DROP CONSTRAINT schema_migrations_version_check")
    assert read_definitions(operator.database) == before


def test_what_is_replaced_is_as_the_ledger_creates_it(project: Project, database: Database) -> None:
    Operator(project, database).make_runner().ensure_migration_table()
    before = read_definitions(database)
    database.execute(compose_replacing("public", list_replaceable()))
    assert read_definitions(database) == before
