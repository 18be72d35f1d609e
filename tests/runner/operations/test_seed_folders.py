"""The seeds of one environment: a folder in that of the seeds, with its name."""

from pathlib import Path

import pytest

from tasks.runner.errors import FilesError
from tasks.runner.events import Finding, PlanMade
from tasks.runner.files.seeds import describe_unknown_folders, read_seed_files
from tests.kit.checkouts import make_checkout
from tests.kit.databases import Database
from tests.runner.operating import A, Operator, list_done, pick

SEEDS = ("900_last_of_all", "001_for_all", "staging/001_for_all", "staging/000_first", "prod/001_for_all")
INSERT = "INSERT INTO note VALUES ('{}') ON CONFLICT DO NOTHING;"


@pytest.fixture
def seeding(operator: Operator) -> Operator:
    """Return an operator with seeds for all environments, for staging and for prod, each of which records its name."""
    operator.write(A, "CREATE TABLE note (seed text PRIMARY KEY);")
    operator.migrate()
    for name in SEEDS:
        operator.project.write_seed(name, INSERT.format(name))
    return operator


def test_the_seeds_of_an_environment_run_after_those_of_all(seeding: Operator) -> None:
    expected = ["001_for_all", "900_last_of_all", "staging/000_first", "staging/001_for_all"]
    assert list_done(seeding.seed(environment="staging")) == expected
    assert [name for (name,) in seeding.database.query("SELECT name FROM schema_migrations_seeds ORDER BY 1")] == expected
    assert list_done(seeding.seed(environment="staging")) == []
    seeding.project.write_seed("staging/000_first", INSERT.format("edited"))
    assert list_done(seeding.seed(environment="staging")) == ["staging/000_first"]


def test_seeds_of_one_name_for_all_and_for_one_environment_are_two_seeds(seeding: Operator) -> None:
    seeding.seed(environment="staging")
    assert {"001_for_all", "staging/001_for_all"} <= {name for (name,) in seeding.database.query("TABLE note")}
    assert [row.version for row in seeding.read_history(version="staging/001_for_all")] == ["staging/001_for_all"]


@pytest.mark.parametrize("environment", ["local", "Staging", "stag", "staging.1", "..", "../seeds/staging", "_drafts", ""])
def test_another_environment_has_the_seeds_of_all_only(tmp_path: Path, environment: str) -> None:
    for name in SEEDS:
        path = tmp_path / "seeds" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("SELECT 1;")
    files = read_seed_files(tmp_path / "seeds", environment)
    assert [file.name for file in files] == ["001_for_all", "900_last_of_all"]


def test_a_run_without_an_environment_names_the_folders_that_it_leaves_out(seeding: Operator) -> None:
    seeding.project.write_seed("_old/001_x", "SELECT 1;")
    (plan,) = pick(seeding.seed(dry_run=True), PlanMade)
    (finding,) = plan.findings
    assert isinstance(finding, Finding)
    assert finding.message.startswith("the environment is not known, so the seeds of one environment only do not run: ")
    assert finding.message.endswith(f"{seeding.project.seeds}/prod/, {seeding.project.seeds}/staging/")
    assert not finding.refuses
    (named,) = pick(seeding.seed(dry_run=True, environment="prod"), PlanMade)
    assert named.findings == ()


def test_the_script_of_a_server_runs_the_seeds_of_its_environment(seeding: Operator) -> None:
    seeding.project.migrate("seed", "--env=prod", check=0)
    assert ("prod/001_for_all",) in seeding.database.query("TABLE note")
    assert ("staging/001_for_all",) not in seeding.database.query("TABLE note")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("staging/users", "staging/users.sql: seeds are named NNN_description.sql"),
        (f"staging/001_{'x' * 247}", "longer than 255 characters with its folder (259)"),
    ],
)
def test_a_seed_of_an_environment_obeys_the_rules_of_all(seeding: Operator, name: str, fault: str) -> None:
    seeding.project.write_seed(name, "SELECT 1;")
    with pytest.raises(FilesError) as refused:
        read_seed_files(seeding.project.seeds, "staging")
    assert fault in refused.value.problems[0]
    assert read_seed_files(seeding.project.seeds, "prod")


def test_a_broken_link_and_a_file_in_place_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dev").symlink_to(tmp_path / "nowhere")
    (tmp_path / "prod").write_text("not a folder")
    for environment, fault in (("dev", "is a broken link"), ("prod", "cannot be read: Not a directory")):
        with pytest.raises(FilesError, match=r"1 file in .* cannot be used as seeds") as refused:
            read_seed_files(tmp_path, environment)
        assert refused.value.problems == (f"{tmp_path / environment}: {fault}",)


def test_a_folder_with_the_name_of_no_environment_is_named_with_the_nearest(tmp_path: Path, database: Database) -> None:
    checkout = make_checkout(tmp_path)
    for folder in ("stagin", "staging", "qa", "data"):
        (checkout.root / "seeds" / folder).mkdir(parents=True)
    for name in ("stagin/001_a.sql", "staging/001_a.sql", "qa/001_a.sql", "data/rows.csv"):
        (checkout.root / "seeds" / name).write_text("SELECT 1;")
    checkout.write_env("qa", DATABASE_URL=database.url)
    seeded = checkout.inv("db.seed", "--env=qa", check=0)
    expected = "seeds/stagin: no environment has this name, so its seeds do not run. Did you mean staging?"
    assert seeded.stderr == f"WARNING: {expected}\n"
    assert database.query("SELECT name FROM schema_migrations_seeds") == [("qa/001_a",)]
    assert list(describe_unknown_folders(checkout.root / "nowhere", ["local"])) == []
