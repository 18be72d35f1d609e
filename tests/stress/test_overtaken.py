"""Interleavings at the lock: a run waits while another one changes what it was to do."""

import hashlib
import json

import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.events import ErrorRaised, LockAwaited, PlanMade, RunFinished, StepFinished
from tests.kit.databases import Database
from tests.kit.processes import freeze, thaw
from tests.kit.projects import Project, make_project
from tests.runner.operating import A, B, C
from tests.stress import running
from tests.stress.blocking import PASS_GATE, await_waiting_at_gate, gate_closed
from tests.stress.running import RunningScript

ROWS = "SELECT version FROM schema_migrations ORDER BY version"


@pytest.fixture
def written(project: Project) -> Project:
    """Return a project of which two of three migrations are applied; the third, and each rollback, waits at the gate."""
    for version in (A, B, C):
        name = version[-1]
        project.write_up(version, f"CREATE TABLE {name} (id int); {PASS_GATE if version == C else ''}")
        project.write_down(version, f"{PASS_GATE} DROP TABLE {name};")
    project.migrate("migrate", f"--to={B}", check=0)
    return project


def overtake(
    project: Project, database: Database, first: tuple[str, ...], second: tuple[str, ...]
) -> tuple[RunningScript, RunningScript]:
    """Run one command while another has the lock, and return both after their end."""
    with gate_closed(database):
        running_first = running.start(project, *first)
        await_waiting_at_gate(database)
        waiting = running.start(project, *second)
        waiting.await_event(LockAwaited)
    return running_first.finish(), waiting.finish()


def assert_refused(run: RunningScript, *named: str) -> None:
    """Assert that a run was refused with both plans named, after the new plan was shown."""
    assert run.exit_code == 3
    assert run.pick(StepFinished) == []
    *_, made = run.pick(PlanMade)
    assert made.purpose == "changed"
    error = run.pick(ErrorRaised)[-1]
    assert error.state == "Nothing was changed."
    assert [name for name in named if name not in error.message] == []


def read_applied(database: Database) -> list[str]:
    return [row[0] for row in database.query(ROWS)]


CASES = {
    "a rollback waits for a migrate": (("migrate",), ("rollback",), (f"to roll back {B};", f"to roll back {C}"), [A, B, C]),
    "two rollbacks": (("rollback",), ("rollback",), (f"to roll back {B};", f"to roll back {A}"), [A]),
    "a rollback to a version waits for a migrate": (
        ("migrate",),
        ("rollback", f"--to={A}"),
        (f"to roll back {B};", f"to roll back {C}, {B}"),
        [A, B, C],
    ),
    "two rollbacks of everything": (
        ("rollback", "--to=0"),
        ("rollback", "--to=0"),
        (f"to roll back {B}, {A};", "nothing is left to roll back"),
        [],
    ),
    "a migrate waits for a rollback": (("rollback",), ("migrate",), (f"to apply {C};", f"to apply {B}, {C}"), [A]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_whose_choice_has_changed_is_refused(case: str, written: Project, database: Database) -> None:
    first, second, named, applied = CASES[case]
    done, refused = overtake(written, database, first, second)
    assert done.exit_code == 0
    assert_refused(refused, *named)
    assert read_applied(database) == applied


def test_a_migrate_whose_steps_are_done_succeeds(written: Project, database: Database) -> None:
    first, second = overtake(written, database, ("migrate",), ("migrate",))
    assert [event.version for event in first.pick(StepFinished)] == [C]
    assert (second.exit_code, second.pick(StepFinished)) == (0, [])
    assert isinstance(second.events[-1], RunFinished)


def test_a_plan_that_was_asked_for_by_its_id_is_refused_if_it_is_overtaken(written: Project, database: Database) -> None:
    dry_run = written.migrate("migrate", "--dry-run", "--json", check=0).stdout.splitlines()
    (plan_id,) = [event["plan_id"] for event in map(json.loads, dry_run) if event["kind"] == "plan_made"]
    first, second = overtake(written, database, ("migrate", f"--plan={plan_id}"), ("migrate", f"--plan={plan_id}"))
    assert first.exit_code == 0
    assert_refused(second, f"to apply {C};", "nothing is left to apply")
    written.migrate("rollback", f"--plan={plan_id}", check=3)
    assert read_applied(database) == [A, B, C]


def test_of_two_runs_of_the_seeds_each_seed_runs_in_one(written: Project, database: Database) -> None:
    for number in (1, 2):
        written.write_seed(f"00{number}_row", f"INSERT INTO a VALUES ({number}); {PASS_GATE}")
    first, second = overtake(written, database, ("seed",), ("seed",))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert database.query("SELECT id FROM a ORDER BY id") == [(1,), (2,)]


def test_a_squash_that_comes_while_an_old_checkout_waits_makes_nothing_run_twice(
    written: Project, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The new checkout has one file for A and B; its run renames their rows while the run of the old checkout is frozen."""
    one = "20250102120000_squashed"
    new = make_project(tmp_path_factory.mktemp("new") / "project", written.database_url)
    path = new.write_up(one, "CREATE TABLE a (id int); CREATE TABLE b (id int);")
    squash = {"checksum": hashlib.sha256(path.read_bytes()).hexdigest(), "versions": [A, B]}
    lines = [f'[squashed."{one}"]', *(f"{name} = {json.dumps(value)}" for name, value in squash.items())]
    (new.migrations / "renames.toml").write_text("\n".join(lines))
    with database.connect() as lock:
        lock.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        old = running.start(written)
        old.await_event(LockAwaited)
        freeze(old.process.pid)
    new.migrate(check=0)
    assert read_applied(database) == [one]
    thaw(old.process.pid)
    assert {event.version for event in old.finish().pick(StepFinished)} <= {C}
    assert old.exit_code in (0, 3)
    assert {one} <= set(read_applied(database)) <= {one, C}
