"""The rows that a safe form fills: triggers that run meanwhile, values that do not fit, and statements that have no such form."""

from pathlib import Path

import pytest

from tasks.generation.proposal import ProposalOptions
from tasks.generation.propose import propose
from tasks.generation.safe import make_safe
from tasks.generation.sources.schema_file import open_schema_file
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect

pytestmark = pytest.mark.only_newest

KEYS = "CREATE TABLE keys (id int PRIMARY KEY, n int, updated_at timestamptz); CREATE TABLE other (id int PRIMARY KEY, a int);"
TRIGGER = """
CREATE TABLE audit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$;
CREATE TRIGGER act BEFORE UPDATE ON keys FOR EACH ROW EXECUTE FUNCTION act();
"""
CHANGES = "ALTER TABLE keys ALTER n TYPE bigint; CREATE INDEX a ON other (a);"
TRIGGERS = {
    "another value": ("NEW.updated_at := now(); RETURN NEW;", "which may change updated_at"),
    "rows of another table": ("INSERT INTO audit (n) VALUES (NEW.n); RETURN NEW;", "which may change the rows of public.audit"),
}
KEPT = {
    "an error": ("RAISE 'append only';", "its safe form is not proved: up fails on scratch: append only"),
    "no row": (
        "RETURN NULL;",
        "its safe form is not proved: the up changes rows that it should keep: the values of n in public.keys",
    ),
}


def run(scratch: ScratchServer, tmp_path: Path, body: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the ups of a change of two tables, of which one has a trigger, and the risks."""
    before = KEYS + TRIGGER.format(body)
    path = tmp_path / "wanted.sql"
    path.write_text(before + CHANGES)
    base = RehearsedMigration("20250101000000_base", before, shown="base.sql")
    proposal = propose(scratch, [base], open_schema_file(scratch, path), "change it", ProposalOptions())
    return [file.up for file in proposal.files], proposal.risks


@pytest.mark.parametrize("name", TRIGGERS)
def test_what_triggers_change_is_no_loss_but_a_note(scratch: ScratchServer, tmp_path: Path, name: str) -> None:
    body, effect = TRIGGERS[name]
    ups, risks = run(scratch, tmp_path, body)
    assert "UPDATE public.keys" in "".join(ups)
    assert risks == (f"the UPDATE of all rows of public.keys runs its trigger act, {effect}",)
    assert f"--   {risks[0]}\n" in ups[0]


@pytest.mark.parametrize("name", KEPT)
def test_only_the_statement_whose_safe_form_is_not_proved_stays_as_it_is(
    scratch: ScratchServer, tmp_path: Path, name: str
) -> None:
    body, reason = KEPT[name]
    ups, risks = run(scratch, tmp_path, body)
    assert "CREATE INDEX CONCURRENTLY a" in ups[0]
    assert "ALTER TABLE public.keys ALTER COLUMN n TYPE bigint;" in ups[1]
    assert len(ups) == 2
    assert [risk.count(reason) for risk in risks] == [1]


@pytest.mark.parametrize(("old", "new"), [("varchar(9)", "varchar(4)"), ("char(9)", "char(4)"), ("varbit(9)", "bit(4)")])
def test_a_value_that_is_too_long_fails_as_it_does_without_the_safe_form(scratch: ScratchServer, old: str, new: str) -> None:
    base = [RehearsedMigration("20250101000000_base", f"CREATE TABLE t (id int PRIMARY KEY, a {old});")]
    change = RehearsedMigration("20250101000001_change", f"ALTER TABLE t ALTER a TYPE {new};")
    safe = [RehearsedMigration(f"2025_{number}", file.up) for number, file in enumerate(make_safe(scratch, base, change).files)]
    assert len(safe) > 1
    states = []
    for files in ([change], safe):
        with state_after(scratch, base) as database, Rehearsal(database) as rehearsal:
            with connect(database.url, name="test") as connection:
                connection.execute("INSERT INTO public.t VALUES (1, '10101')")
            states.append(next(error.sqlstate for file in files if (error := rehearsal.run(file, "up").error)))
    assert states[0] == states[1] != ""
