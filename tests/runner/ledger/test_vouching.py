"""Stored texts that another role may have written: only those that the log vouches for run."""

import hashlib
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from psycopg import sql

from tasks.runner.errors import RefusedError
from tasks.runner.events import CatalogRead, PlanMade, RepairProposed, StoredScript
from tasks.runner.ledger.vouching import StoredTexts, Trust, Voucher, mask_text
from tasks.runner.operations.migrate import RunMode, rollback
from tasks.runner.operations.schema import read_schema
from tasks.runner.parsing import read_script
from tasks.runner.planning.choice import RollbackGoal
from tests.kit.databases import Database
from tests.runner.ledger import format_2
from tests.runner.ledger.test_format import OldTool
from tests.runner.operating import A, B, C, Operator, list_done, pick

FORGED = "99990101000000_x"
CANARY = "CREATE TABLE owned AS SELECT current_user"
UP, DOWN = "CREATE TABLE a (id int);", "DROP TABLE a;"
SECRET = "geheim-92"
ROLE_UP = f"CREATE TABLE a (id int);\nCOMMENT ON TABLE a IS 'host=x password={SECRET}';\n"
ROLE_DOWN = f"COMMENT ON TABLE a IS 'postgresql://me:{SECRET}@h/db';\nDROP TABLE a;\n"


class Application:
    """The application's role, which may write to every table, as default privileges of an owner allow."""

    def __init__(self, database: Database, name: str) -> None:
        self.name = name
        self._database = database

    def execute(self, text: str, *values: object) -> None:
        """Run SQL as this role."""
        grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
        self._database.execute(sql.SQL(grant).format(sql.Identifier(self.name)).as_string())
        with psycopg.connect(self._database.url, user=self.name, autocommit=True) as connection:
            connection.execute(text.encode(), values or None)

    def forge(self, version: str, up: str, down: str | None, checksum: str = "a" * 64) -> None:
        """Insert a row with texts, as if the version had been applied last."""
        self.execute("INSERT INTO schema_migrations VALUES (%s, now() + interval '1 day', 'someone', %s, 1)", version, checksum)
        self.plant(version, up, down)

    def plant(self, version: str, up: str, down: str | None) -> None:
        """Store texts of a version that has none."""
        self.execute("INSERT INTO schema_migrations_scripts VALUES (%s, %s, %s)", version, up, down)


@pytest.fixture
def app(operator: Operator) -> Iterator[Application]:
    """Yield a role that may log in and nothing else."""
    database = operator.database
    role = sql.Identifier(f"{database.name}_app")
    database.server.administer(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    yield Application(database, f"{database.name}_app")
    database.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role).as_string())


@pytest.fixture
def old(operator: Operator) -> OldTool:
    """Return the tool as it was before digests were logged, with A applied by it."""
    old = OldTool(operator.database)
    old.create_tables()
    operator.database.execute(UP)
    old.write(format_2.APPLIED, A, up_text=UP, down_text=DOWN, checksum=digest(UP))
    return old


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_scripts(operator: Operator) -> dict[str, StoredScript]:
    """Return what drift gets to see of each applied version."""
    (read,) = pick(read_schema(operator.make_runner()), CatalogRead)
    return {script.version: script for script in read.scripts}


def refuse_rollback(operator: Operator) -> RefusedError:
    """Return the refusal of a rollback, which changed nothing."""
    before = operator.read_applied(), operator.read_tables()
    with pytest.raises(RefusedError) as refused:
        operator.roll_back()
    assert (refused.value.exit_code, refused.value.state) == (3, "Nothing was changed.")
    assert (operator.read_applied(), operator.read_tables()) == before
    return refused.value


VOUCHED = Voucher(True, digest(UP), digest(DOWN))
OTHER_BYTES = Voucher(True, digest("\ufeffx"), "", digest(UP))


@pytest.mark.parametrize(
    ("stored", "checksum", "up", "down"),
    [
        (StoredTexts(UP, DOWN, VOUCHED), digest(UP), Trust.VOUCHED, Trust.VOUCHED),
        (StoredTexts(UP, DOWN, VOUCHED), "another, after a header was written", Trust.VOUCHED, Trust.VOUCHED),
        (StoredTexts(None, None, VOUCHED), digest(UP), Trust.ABSENT, Trust.ABSENT),
        (StoredTexts(UP + " ", DOWN.lower(), VOUCHED), digest(UP + " "), Trust.REFUSED, Trust.REFUSED),
        (StoredTexts(DOWN, UP, VOUCHED), digest(UP), Trust.REFUSED, Trust.REFUSED),
        (StoredTexts(UP, DOWN, Voucher(True, digest(UP))), digest(UP), Trust.VOUCHED, Trust.REFUSED),
        (StoredTexts(UP, "", Voucher(True, digest(UP))), digest(UP), Trust.VOUCHED, Trust.REFUSED),
        (StoredTexts(UP, None, OTHER_BYTES), digest("\ufeffx"), Trust.VOUCHED, Trust.ABSENT),
        (StoredTexts("\ufeffx", None, OTHER_BYTES), digest("\ufeffx"), Trust.REFUSED, Trust.ABSENT),
        (StoredTexts(UP, DOWN, Voucher(True)), digest(UP), Trust.VOUCHED, Trust.UNKNOWN),
        (StoredTexts(UP, DOWN, Voucher(True)), digest(DOWN), Trust.REFUSED, Trust.UNKNOWN),
        (StoredTexts(UP, DOWN, Voucher(True)), None, Trust.REFUSED, Trust.UNKNOWN),
        (StoredTexts(UP, DOWN), digest(UP), Trust.REFUSED, Trust.REFUSED),
        (StoredTexts(mask_text(ROLE_UP), mask_text(ROLE_DOWN), VOUCHED), digest(UP), Trust.MASKED, Trust.MASKED),
        (StoredTexts(mask_text(ROLE_UP), DOWN, Voucher(True)), digest(UP), Trust.MASKED, Trust.UNKNOWN),
    ],
)
def test_a_stored_text_counts_by_what_the_log_recorded(stored: StoredTexts, checksum: str | None, up: Trust, down: Trust) -> None:
    assert (stored.judge_up(checksum).trust, stored.judge_down().trust) == (up, down)


def test_a_stored_down_text_that_another_role_changed_does_not_run(operator: Operator, app: Application) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.remove(A)
    app.execute(f"UPDATE schema_migrations_scripts SET down_text = '{DOWN} {CANARY}'")
    refused = refuse_rollback(operator)
    assert "the stored text is not one that this tool applied: its SHA-256 begins with" in refused.message
    assert app.name in refused.hint
    assert f"down/{A}.sql from git" in refused.hint
    operator.write_tables(A)
    assert list_done(operator.roll_back()) == [A]
    assert operator.read_tables() == []


def test_a_row_that_another_role_inserted_does_not_run(operator: Operator, app: Application) -> None:
    operator.write_tables(A)
    operator.migrate()
    app.forge(FORGED, "SELECT 1", f"DROP TABLE a; {CANARY}")
    refused = refuse_rollback(operator)
    assert f"{FORGED} cannot be rolled back" in refused.message
    assert "the log has no record that this tool applied the migration" in refused.message
    assert "drop its row: inv db.repair" in refused.hint
    assert [each.change for each in pick(operator.repair(), RepairProposed)] == ["drop row", "revoke privileges"]
    assert list_done(operator.roll_back()) == [A]


def test_neither_the_text_of_another_version_nor_an_earlier_one_runs(operator: Operator, app: Application) -> None:
    operator.write(A, UP, "SELECT 1;")
    operator.migrate()
    earlier = operator.database.query("SELECT down_text FROM schema_migrations_scripts")[0][0]
    operator.roll_back()
    operator.database.execute("DROP TABLE a")
    operator.write_tables(A)
    operator.write(B, "CREATE TABLE b ();")
    operator.migrate()
    operator.remove(A)
    operator.remove(B)
    app.execute("UPDATE schema_migrations_scripts SET down_text = %s WHERE version = %s", DOWN, B)
    assert "there was none when this tool applied the migration" in refuse_rollback(operator).message
    operator.database.execute("DELETE FROM schema_migrations WHERE version = %s", B)
    app.execute("UPDATE schema_migrations_scripts SET down_text = %s WHERE version = %s", earlier, A)
    assert "its SHA-256 begins with" in refuse_rollback(operator).message


def test_drift_gets_only_the_texts_for_which_the_log_vouches(operator: Operator, app: Application) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    app.execute(f"UPDATE schema_migrations_scripts SET up_text = '{CANARY}' WHERE version = %s", B)
    app.execute("UPDATE schema_migrations SET checksum = %s WHERE version = %s", digest(CANARY), B)
    app.forge(FORGED, CANARY, None, digest(CANARY))
    scripts = read_scripts(operator)
    assert [script.vouched for script in scripts.values()] == [True] * 3
    assert (scripts[A].up_text, scripts[A].down_text, scripts[A].reason) == (UP, DOWN, "")
    assert (scripts[B].up_text, scripts[B].down_text) == (None, "DROP TABLE b;")
    assert scripts[B].reason.startswith("its SHA-256 begins with")
    assert (scripts[FORGED].up_text, scripts[FORGED].down_text) == (None, None)
    assert "no record that this tool applied" in scripts[FORGED].reason


def test_a_planted_text_does_not_hide_an_edit(operator: Operator, app: Application) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id bigint);\r\n-- mixed\n")
    app.execute("UPDATE schema_migrations_scripts SET up_text = %s", "CREATE TABLE a (id bigint);\n-- mixed\n")
    assert operator.read_states() == {A: "edited"}


def test_a_repair_stores_the_texts_of_the_files_again(operator: Operator, app: Application) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    app.execute(f"UPDATE schema_migrations_scripts SET up_text = '{CANARY}', down_text = '{CANARY}'")
    operator.remove(B)
    proposal, *_ = pick(operator.repair(lambda each: each.change == "store texts"), RepairProposed)
    assert (proposal.version, proposal.change) == ("schema_migrations_scripts", "store texts")
    assert A in proposal.message
    assert B not in proposal.message
    assert (read_scripts(operator)[A].up_text, read_scripts(operator)[A].down_text) == (UP, DOWN)
    assert read_scripts(operator)[B].up_text is None
    operator.repair()
    operator.remove(A)
    assert list_done(operator.roll_back()) == [A]


def test_an_old_text_under_the_name_of_a_squash_does_not_run(operator: Operator, app: Application) -> None:
    from tests.runner.ledger.test_squashes import ONE, squash

    operator.write_tables(A, B)
    operator.migrate()
    squash(operator)
    operator.migrate()
    app.plant(ONE, UP, DOWN)
    assert read_scripts(operator)[ONE].up_text is None
    assert "there was none" in refuse_rollback(operator).message


@pytest.mark.parametrize("header", [False, True])
def test_a_renamed_version_keeps_its_texts(operator: Operator, header: bool) -> None:
    operator.write_tables(A)
    operator.migrate()
    text = f"-- header\n{UP}" if header else UP
    operator.remove(A)
    operator.write(B, text, DOWN)
    headers = f'[headers]\n"{A}" = ["{digest(UP)}", "{digest(text)}"]\n' if header else ""
    (operator.project.migrations / "renames.toml").write_text(f'[renames]\n"{A}" = "{B}"\n{headers}')
    operator.migrate()
    assert operator.read_applied() == [B]
    assert (read_scripts(operator)[B].up_text, read_scripts(operator)[B].down_text) == (UP, DOWN)
    (operator.project.migrations / "down" / f"{B}.sql").unlink()
    assert list_done(operator.roll_back()) == [B]


@pytest.mark.parametrize("around", [(b"\xef\xbb\xbf", b""), (b"", b"\r\n"), (b"SET NAMES latin1; -- \xe4\n", b"")])
def test_digests_are_of_the_bytes_of_the_files(operator: Operator, around: tuple[bytes, bytes]) -> None:
    data, down = UP.encode().join(around), DOWN.encode().join(around)
    operator.project.write_up(A, data)
    operator.project.write_down(A, down)
    operator.migrate()
    logged = "SELECT up_digest, down_digest FROM schema_migrations_log WHERE version = %s AND outcome = 'finished'"
    assert operator.database.query(logged, A) == [(hashlib.sha256(data).hexdigest(), hashlib.sha256(down).hexdigest())]
    assert UP in str(read_scripts(operator)[A].up_text)
    operator.remove(A)
    assert list_done(operator.roll_back()) == [A]


def test_an_adopted_version_rolls_back_by_its_stored_text(operator: Operator) -> None:
    from tasks.adopt.examine import read_subject
    from tasks.runner.files.checkout import read_migrations
    from tasks.runner.ledger.takeover import Adoption
    from tasks.runner.operations.adopt import adopt, pack

    operator.write_tables(A)
    operator.database.execute(UP)
    runner = operator.make_runner()
    subject = read_subject(runner, read_migrations(operator.project.migrations))
    list(adopt(runner, subject.seen, [pack([Adoption(A, "seen")])]))
    operator.remove(A)
    assert list_done(operator.roll_back()) == [A]


def test_a_text_from_before_digests_runs_after_a_question(operator: Operator, old: OldTool) -> None:
    assert read_scripts(operator)[A].up_text == UP
    refused = refuse_rollback(operator)
    assert f"the stored down text of {A} needs a confirmation" in refused.message
    assert "--yes" in refused.hint
    with pytest.raises(RefusedError, match="needs a confirmation"):
        operator.make_runner().rollback()
    (made,) = pick(operator.roll_back(dry_run=True), PlanMade)
    assert made.steps[0].file == f"(stored) down/{A}.sql"
    assert [(finding.kind, finding.version, finding.refuses) for finding in made.findings if finding.kind == "unverified"] == [
        ("unverified", A, False)
    ]
    asked: list[RepairProposed] = []

    def decline(proposal: RepairProposed) -> bool:
        asked.append(proposal)
        return False

    run = partial(rollback, operator.make_runner(), RollbackGoal())
    with pytest.raises(RefusedError, match="was not confirmed"):
        list(run(RunMode(confirm=decline)))
    assert [(each.version, each.change) for each in asked] == [(A, "run the stored down text")]
    assert operator.read_applied() == [A]
    assert list_done(run(RunMode(confirm=lambda _: True))) == [A]
    assert operator.read_tables() == []


def test_the_plan_that_was_shown_needs_no_other_question(operator: Operator, old: OldTool, app: Application) -> None:
    (made,) = pick(operator.roll_back(dry_run=True), PlanMade)
    app.execute("UPDATE schema_migrations_scripts SET down_text = %s", CANARY)
    with pytest.raises(RefusedError, match=f"the plan is no longer {made.plan_id}"):
        operator.roll_back(plan=made.plan_id)
    app.execute("UPDATE schema_migrations_scripts SET down_text = %s", DOWN)
    assert list_done(operator.roll_back(plan=made.plan_id)) == [A]


def test_a_down_file_needs_no_question(operator: Operator, old: OldTool) -> None:
    operator.write_tables(A)
    assert list_done(operator.roll_back()) == [A]


def test_an_older_up_text_counts_by_the_recorded_checksum(operator: Operator, old: OldTool, app: Application) -> None:
    app.execute("UPDATE schema_migrations_scripts SET up_text = %s", CANARY)
    assert (read_scripts(operator)[A].up_text, read_scripts(operator)[A].reason) == (
        None,
        "its SHA-256 is not the recorded checksum",
    )
    app.forge(FORGED, CANARY, CANARY, digest(CANARY))
    assert read_scripts(operator)[FORGED].up_text is None
    assert "the log has no record" in refuse_rollback(operator).message


def test_what_the_old_tool_applies_in_a_newer_ledger_needs_a_question(operator: Operator, old: OldTool) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    old.write(format_2.APPLIED, C, up_text="SELECT 1", down_text="SELECT 2", checksum=digest("SELECT 1"))
    assert read_scripts(operator)[C].up_text == "SELECT 1"
    assert "needs a confirmation" in refuse_rollback(operator).message


def test_passwords_are_stored_masked_and_their_texts_never_run(operator: Operator) -> None:
    operator.write(A, ROLE_UP, ROLE_DOWN)
    operator.migrate()
    assert SECRET not in str(operator.database.query("SELECT s::text FROM schema_migrations_scripts s"))
    assert SECRET not in str(operator.database.query("SELECT l::text FROM schema_migrations_log l"))
    (script,) = read_scripts(operator).values()
    assert (script.up_text, script.down_text, script.reason) == (None, None, "its passwords are masked")
    assert pick(operator.repair(), RepairProposed) == []
    operator.remove(A)
    refused = refuse_rollback(operator)
    assert "the passwords in the stored text are masked" in refused.message
    assert f"down/{A}.sql" in refused.hint
    operator.write(A, ROLE_UP, ROLE_DOWN)
    assert list_done(operator.roll_back()) == [A]


def test_an_older_tool_does_not_run_a_masked_text() -> None:
    with pytest.raises(RefusedError, match="unknown directive"):
        read_script(mask_text(ROLE_DOWN), file="down.sql", version=A)
    assert mask_text(mask_text(ROLE_DOWN)) == mask_text(ROLE_DOWN)
    assert mask_text(DOWN) == DOWN


def test_a_repair_masks_the_passwords_of_an_older_ledger(operator: Operator, old: OldTool) -> None:
    old.write(format_2.APPLIED, B, up_text=ROLE_UP, down_text=ROLE_DOWN, checksum=digest(ROLE_UP))
    operator.write(A, UP, DOWN)
    operator.write(B, ROLE_UP, ROLE_DOWN)
    (proposal,) = pick(operator.repair(), RepairProposed)
    assert (proposal.version, proposal.change) == ("schema_migrations_scripts", "mask passwords")
    assert B in proposal.message
    assert A not in proposal.message
    assert SECRET not in repr(proposal)
    assert SECRET not in str(operator.database.query("SELECT s::text FROM schema_migrations_scripts s"))
    assert pick(operator.repair(), RepairProposed) == []
    assert operator.read_states() == {A: "applied", B: "applied"}


def test_a_lost_row_of_a_masked_text_gets_the_checksum_of_its_file(operator: Operator) -> None:
    operator.write(A, ROLE_UP, ROLE_DOWN)
    operator.migrate()
    operator.database.execute("TRUNCATE schema_migrations")
    operator.repair()
    assert operator.database.query("SELECT checksum FROM schema_migrations") == [(digest(ROLE_UP),)]


def test_the_difference_of_an_edited_file_shows_no_password_and_not_the_mark(operator: Operator) -> None:
    operator.write(A, ROLE_UP)
    operator.migrate()
    operator.write(A, ROLE_UP.replace("92", "93"))
    (finding,) = operator.read_status().findings
    assert finding.diff == "only spaces, passwords or line ends differ"
    operator.write(A, f"{ROLE_UP}SELECT 1;\n")
    (finding,) = operator.read_status().findings
    assert [line for line in finding.diff.splitlines()[3:] if line[0] != " "] == ["+SELECT 1;"]
