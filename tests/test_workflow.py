"""The GitHub workflow: its structure, and the steps that do not need GitHub, run as GitHub runs them."""

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A, B

PATH = REPOSITORY / ".github" / "workflows" / "migrations.yml"
ENVIRONMENTS = ["dev", "staging", "prod"]
SECRET = "secrets."


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """Return the workflow; PyYAML reads its key `on` as a boolean, as YAML 1.1 does."""
    read: dict[Any, Any] = yaml.safe_load(PATH.read_text())
    return {"on" if key is True else str(key): value for key, value in read.items()}


def list_steps(workflow: dict[str, Any], *jobs: str) -> list[dict[str, Any]]:
    """Return the steps of these jobs, or of all jobs."""
    return [step for job in jobs or workflow["jobs"] for step in workflow["jobs"][job]["steps"]]


def test_pull_requests_are_tested_and_planned_and_merges_go_from_dev_to_prod(workflow: dict[str, Any]) -> None:
    assert workflow["on"] == {"pull_request": None, "push": {"branches": ["main"]}}
    jobs = workflow["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "test": None,
        "plan": None,
        "dev": "test",
        "staging": "dev",
        "prod": "staging",
    }
    assert [jobs[name].get("if") for name in ("test", "plan", "dev")] == [
        None,
        "github.event_name == 'pull_request'",
        "github.event_name == 'push'",
    ]
    assert [jobs[name]["environment"] for name in ENVIRONMENTS] == ["dev", "staging", "production"]


def test_only_the_job_that_github_has_approved_confirms_in_advance(workflow: dict[str, Any]) -> None:
    commands = [step["run"] for step in list_steps(workflow, *ENVIRONMENTS) if "deploy.sh" in step.get("run", "")]
    assert commands == [
        "./scripts/deploy.sh dev --upload",
        "./scripts/deploy.sh staging --upload",
        "./scripts/deploy.sh prod --upload --yes",
    ]


def test_a_migration_is_never_cancelled_by_the_next_merge(workflow: dict[str, Any]) -> None:
    groups = [workflow["jobs"][name]["concurrency"] for name in ENVIRONMENTS]
    assert groups == [{"group": f"migrations-{name}", "cancel-in-progress": False} for name in ENVIRONMENTS]


def test_the_token_may_only_read_and_secrets_are_for_the_deploying_steps(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    with_secrets = [step for step in list_steps(workflow) if SECRET in str(step)]
    assert [step["run"].split()[0] for step in with_secrets] == ["./scripts/deploy.sh"] * 3
    assert PATH.read_text().count(SECRET) == sum(str(step).count(SECRET) for step in with_secrets)
    checkouts = [step for step in list_steps(workflow) if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(workflow["jobs"])


def test_requirements_are_installed_before_the_step_with_secrets(workflow: dict[str, Any]) -> None:
    for job in ENVIRONMENTS:
        *_, installing, deploying = list_steps(workflow, job)
        assert installing["run"] == "source scripts/venv.sh && ensure_venv"
        assert SECRET in str(deploying)
        assert SECRET not in str(installing)


def test_the_head_demands_branches_and_a_token_for_each_level() -> None:
    head = PATH.read_text().partition("name: migrations")[0]
    assert "deployment branches      selected branches: main" in head
    assert "--org gaia-dev" in head


def test_third_party_actions_are_pinned_to_a_commit() -> None:
    uses = [line.strip().removeprefix("- ") for line in PATH.read_text().splitlines() if "uses:" in line]
    assert uses
    assert [line for line in uses if not re.fullmatch(r"uses: [\w./-]+@[0-9a-f]{40} # v?\d[\d.]*", line)] == []


def test_the_tests_run_on_each_python_that_the_scripts_look_for(workflow: dict[str, Any]) -> None:
    names = re.findall(r"\bpython(3\.\d+)\b(?=[ )])", (REPOSITORY / "scripts" / "venv.sh").read_text())
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == sorted(names, key=lambda name: int(name.partition(".")[2]))
    assert [
        step["with"]["python-version"] for step in list_steps(workflow, "test") if "setup-python" in step.get("uses", "")
    ] == ["${{ matrix.python }}"]
    # Jobs of one concurrency group would cancel each other.
    assert "${{ matrix.python }}" in job["concurrency"]["group"]
    assert workflow["env"]["PYTHON"] == "python", "the Python of setup-python"
    oldest = job["strategy"]["matrix"]["python"][0]
    tools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]
    assert (tools["mypy"]["python_version"], tools["ruff"]["target-version"]) == (oldest, f"py{oldest.replace('.', '')}")


def test_no_shell_command_contains_an_expression(workflow: dict[str, Any]) -> None:
    assert [step for step in list_steps(workflow) if "${{" in step.get("run", "")] == []


def test_every_command_exists(workflow: dict[str, Any], project: Project) -> None:
    commands = "\n".join(step.get("run", "") for step in list_steps(workflow))
    scripts = set(re.findall(r"\./(scripts/\S+)", commands))
    assert scripts == {"scripts/test.sh", "scripts/deploy.sh"}
    assert all(os.access(REPOSITORY / script, os.X_OK) for script in scripts)
    listed = set(re.findall(r"^  (\w+\.\w+)", project.inv("--list", check=0).stdout, re.MULTILINE))
    assert set(re.findall(r"\b(?:db|env|alerts)\.\w+", commands)) <= listed


@dataclass(frozen=True)
class Runner:
    """A machine that runs the job `plan` on the merge commit of a pull request."""

    checkout: Checkout
    database: Database
    temporary: Path

    @property
    def summary(self) -> str:
        """Return the job's summary."""
        return (self.temporary / "summary.md").read_text()

    def commit(self) -> None:
        """Commit all files."""
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=more")

    def git(self, *arguments: str) -> None:
        """Run git with an identity."""
        identity = ("-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "init.defaultBranch=main")
        self.checkout.run(["git", *identity, *arguments], check=0)

    def run(self, step: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
        """Run a step: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell."""
        script = self.temporary / "step.sh"
        script.write_text(step["run"])
        variables = {"RUNNER_TEMP": str(self.temporary), "GITHUB_STEP_SUMMARY": str(self.temporary / "summary.md")}
        variables |= {"DATABASE_URL": self.database.url, "SCRATCH_DATABASE_URL": self.database.server.url()}
        return self.checkout.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], env=variables)


@pytest.fixture
def runner(tmp_path: Path, database: Database) -> Runner:
    """Return a machine with a pull request that adds the migration B, and a base branch that has A."""
    checkout = make_checkout(tmp_path / "checkout")
    (tmp_path / "temporary").mkdir()
    runner = Runner(checkout, database, tmp_path / "temporary")
    runner.git("init", "--quiet")
    checkout.write_up(A, "CREATE TABLE a ();")
    runner.commit()
    runner.git("checkout", "--quiet", "-b", "more")
    checkout.write_up(B, "CREATE TABLE b ();\nVACUUM;")
    checkout.write_down(B, "DROP TABLE b;")
    runner.commit()
    return runner


def merge(runner: Runner) -> None:
    """Merge the pull request, as GitHub does before it runs the tests."""
    runner.git("checkout", "--quiet", "main")
    runner.git("merge", "--quiet", "--no-ff", "--message=merge", "more")


def test_the_summary_shows_the_plan_for_the_migrations_of_the_pull_request(workflow: dict[str, Any], runner: Runner) -> None:
    merge(runner)
    for step in list_steps(workflow, "plan"):
        if "run" in step:
            result = runner.run(step)
            assert result.returncode == 0, (step, result.stdout, result.stderr)
    plan, _, verified = runner.summary.partition("## Findings of verify\n")
    head, fence, *lines, end = plan.splitlines()
    assert (head, fence, end) == ("## Migrations of this pull request", "~~~~", "~~~~")
    assert f"✅ {B}: up, down, up, with rows" in verified
    assert "Dry run: 1 migration would be applied" in lines
    assert f"  1. {B}" in lines
    assert "       line 2  VACUUM" in lines
    assert runner.database.query("SELECT version FROM schema_migrations ORDER BY 1") == [(A,), (B,)]


def test_a_pull_request_that_edits_an_applied_migration_fails_and_shows_the_difference(
    workflow: dict[str, Any], runner: Runner
) -> None:
    runner.checkout.write_up(A, "CREATE TABLE a (id int);")
    runner.commit()
    merge(runner)
    first, second, *_ = (step for step in list_steps(workflow, "plan") if "run" in step)
    assert runner.run(first).returncode == 0
    assert runner.run(second).returncode == 3
    assert "-CREATE TABLE a ();" in runner.summary
    assert runner.summary.endswith("~~~~\n")


def test_a_pull_request_whose_down_file_does_not_undo_the_up_file_fails(workflow: dict[str, Any], runner: Runner) -> None:
    runner.checkout.write_down(B, "SELECT 1;")
    runner.commit()
    merge(runner)
    base, _, verify, _ = (step for step in list_steps(workflow, "plan") if "run" in step)
    assert runner.run(base).returncode == 0
    assert runner.run(verify).returncode == 4
    assert "table public.b" in runner.summary
