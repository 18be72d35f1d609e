"""The GitHub workflow and the action: their structure, and the step that does not need GitHub, run as GitHub runs it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
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
ACTION = REPOSITORY / "action.yml"
CHECK = REPOSITORY / "scripts" / "check-pull-request.sh"
_TIMEOUT_S = 480
"""For the action, which runs seven commands."""
ENVIRONMENTS = ["dev", "staging", "prod"]
SECRET = "secrets."


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """Return the workflow; PyYAML reads its key `on` as a boolean, as YAML 1.1 does."""
    read: dict[Any, Any] = yaml.safe_load(PATH.read_text())
    return {"on" if key is True else str(key): value for key, value in read.items()}


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    """Return the reusable action."""
    read: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return read


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
        "./scripts/deploy.sh dev --after-deploy",
        "./scripts/deploy.sh staging --upload",
        "./scripts/deploy.sh staging --after-deploy",
        "./scripts/deploy.sh prod --upload --yes",
        "./scripts/deploy.sh prod --after-deploy --yes",
    ]


def test_a_migration_is_never_cancelled_by_the_next_merge(workflow: dict[str, Any]) -> None:
    groups = [workflow["jobs"][name]["concurrency"] for name in ENVIRONMENTS]
    assert groups == [{"group": f"migrations-{name}", "cancel-in-progress": False} for name in ENVIRONMENTS]


def test_the_token_may_only_read_and_secrets_are_for_the_deploying_steps(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())
    with_secrets = [step for step in list_steps(workflow) if SECRET in str(step)]
    assert [step["run"].split()[0] for step in with_secrets] == ["./scripts/deploy.sh", "flyctl", "./scripts/deploy.sh"] * 3
    assert PATH.read_text().count(SECRET) == sum(str(step).count(SECRET) for step in with_secrets)
    checkouts = [step for step in list_steps(workflow) if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(workflow["jobs"])


def test_requirements_are_installed_before_the_step_with_secrets(workflow: dict[str, Any]) -> None:
    for job in ENVIRONMENTS:
        *_, installing, before, deploying, after = list_steps(workflow, job)
        assert installing["run"] == "source scripts/venv.sh && ensure_venv"
        assert all(SECRET in str(step) for step in (before, deploying, after))
        assert SECRET not in str(installing)


def test_the_app_is_deployed_between_the_two_migrations_if_the_checkout_has_one(workflow: dict[str, Any]) -> None:
    for job in ENVIRONMENTS:
        *_, before, deploying, after = list_steps(workflow, job)
        assert "if" not in before
        assert deploying["if"] == after["if"] == "hashFiles('fly.toml') != ''"
        assert deploying["run"].startswith("flyctl deploy ")


def test_the_head_demands_branches_and_a_token_for_each_level() -> None:
    head = PATH.read_text().partition("name: migrations")[0]
    assert "deployment branches      selected branches: main" in head
    assert "--org gaia-dev" in head


def test_third_party_actions_are_pinned_to_a_commit() -> None:
    text = PATH.read_text() + ACTION.read_text().partition("\nname: ")[2]
    uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    assert uses.pop(uses.index("uses: ./")), "the action of this repository"
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


def test_no_shell_command_contains_an_expression(workflow: dict[str, Any], action: dict[str, Any]) -> None:
    steps = [*list_steps(workflow), *action["runs"]["steps"]]
    assert [step for step in steps if "${{" in step.get("run", "")] == []


def test_every_input_of_the_action_is_described_has_a_default_and_is_used(action: dict[str, Any]) -> None:
    assert set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text())) == set(action["inputs"])
    assert all(each["description"] and "default" in each for each in action["inputs"].values())


def test_every_command_exists(workflow: dict[str, Any], project: Project) -> None:
    commands = "\n".join([*(step.get("run", "") for step in list_steps(workflow)), CHECK.read_text()])
    scripts = set(re.findall(r"\./(scripts/\S+)", commands))
    assert scripts == {"scripts/test.sh", "scripts/deploy.sh", "scripts/check-pull-request.sh"}
    assert all(os.access(REPOSITORY / script, os.X_OK) for script in scripts)
    listed = set(re.findall(r"^  (\w+\.\w+)", project.inv("--list", check=0).stdout, re.MULTILINE))
    assert set(re.findall(r"\b(?:db|env|alerts)\.\w+", commands)) <= listed


@dataclass(frozen=True)
class Runner:
    """A machine that runs the action on the merge commit of a pull request."""

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

    def merge(self) -> None:
        """Merge the pull request, as GitHub does before it runs the jobs."""
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--message=merge", "more")

    def run(
        self, action: dict[str, Any], *, tool: Path | None = None, check: int, **inputs: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the action's own step: https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax."""
        given = {name: each["default"] for name, each in action["inputs"].items()} | inputs
        given["scratch-database-url"] = self.database.server.url()
        step = action["runs"]["steps"][-1]
        variables = {name: fill_in(value, given, str(tool or self.checkout.root)) for name, value in step["env"].items()}
        variables |= {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.checkout.root)}
        variables |= {"GITHUB_STEP_SUMMARY": str(self.temporary / "summary.md"), "DATABASE_URL": self.database.url}
        script = self.temporary / "step.sh"
        script.write_text(step["run"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return self.checkout.run(command, env=variables | {"PYTHON": sys.executable}, check=check, timeout=_TIMEOUT_S)


def fill_in(value: str, inputs: Mapping[str, str], path: str) -> str:
    """Return a value with its expressions evaluated."""
    filled = re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: inputs[match[1]], value)
    return filled.replace("${{ github.action_path }}", path)


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


def test_the_summary_shows_the_order_the_plan_and_the_findings(action: dict[str, Any], runner: Runner) -> None:
    runner.merge()
    result = runner.run(action, check=0)
    order, plan, drawn, verified, linted = runner.summary.split("## ")[1:]
    assert order.splitlines()[2] == f"    ✅ 1 new migration: newer than {A}, the newest of HEAD^1"
    assert plan.startswith("Migrations of this pull request\n\n")
    lines = [line.removeprefix("    ") for line in plan.splitlines()]
    assert "Dry run: 1 migration would be applied" in lines
    assert "       line 2  VACUUM" in lines
    assert '```mermaid\nerDiagram\n    "b"["b (+ new)"] {\n    }\n```\n' in drawn
    assert f"    ✅ {B}: up, down, up, with rows" in verified
    assert "No findings in 1 migration" in linted
    assert "::" not in result.stdout
    assert runner.database.query("SELECT version FROM schema_migrations ORDER BY 1") == [(A,), (B,)]


def test_a_pull_request_that_edits_an_applied_migration_fails_and_shows_the_difference(
    action: dict[str, Any], runner: Runner
) -> None:
    runner.checkout.write_up(A, "CREATE TABLE a (id int);")
    runner.commit()
    runner.merge()
    runner.run(action, check=3)
    assert "-CREATE TABLE a ();" in runner.summary


def test_findings_are_annotations_on_the_lines_of_the_pull_request(action: dict[str, Any], runner: Runner) -> None:
    runner.checkout.write_down(B, "SELECT 1;")
    runner.commit()
    runner.merge()
    result = runner.run(action, check=4)
    assert "table public.b" in runner.summary
    annotations = [line for line in result.stdout.splitlines() if line.startswith("::")]
    assert annotations[0].startswith(f"::error file=migrations/down/{B}.sql,line=1,title=db.verify::down does not restore")
    assert "::error" not in runner.summary
    assert runner.database.query("SELECT version FROM schema_migrations ORDER BY 1") == [(A,)], "the base only"


def test_a_migration_that_is_older_than_the_newest_one_of_the_base_fails(action: dict[str, Any], runner: Runner) -> None:
    older = "20240101000000_older"
    runner.checkout.write_up(older, "CREATE TABLE older ();")
    runner.checkout.write_down(older, "DROP TABLE older;")
    runner.commit()
    runner.merge()
    result = runner.run(action, check=4)
    assert f"❌ {older} is not newer than {A}, the newest migration of HEAD^1" in runner.summary
    assert f"::error file=migrations/up/{older}.sql,line=1,title=db.check-order::not newer than {A}" in result.stdout


def test_the_action_checks_a_repository_that_does_not_contain_the_tool(
    action: dict[str, Any], runner: Runner, tmp_path: Path
) -> None:
    runner.git("checkout", "--quiet", "main")
    tool = make_checkout(tmp_path / "action").root
    for name in ("tasks", "tasks.py", "scripts", "requirements.lock", ".venv", "seeds"):
        path = runner.checkout.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (runner.checkout.root / "tasks.py").write_text("raise SystemExit('not this one')")
    runner.git("mv", "migrations", "schema")
    runner.commit()
    runner.git("checkout", "--quiet", "-b", "other")
    (runner.checkout.root / "schema" / "up" / f"{B}.sql").write_text("SELECT 1 / 0;")
    runner.commit()
    result = runner.run(action, tool=tool, check=4, migrations="schema", base="main")
    assert f"::error file=schema/up/{B}.sql,line=1,title=db.verify::up fails" in result.stdout
    assert f"✅ 1 new migration: newer than {A}, the newest of main" in runner.summary


def test_a_diagram_that_cannot_be_drawn_is_explained_and_does_not_hide_the_findings(
    action: dict[str, Any], runner: Runner
) -> None:
    runner.checkout.write_up(B, "CREATE TABLE b (id nonsense);")
    runner.commit()
    runner.merge()
    result = runner.run(action, check=4)
    assert 'type "nonsense" does not exist' in result.stdout
    assert "could not be drawn: the log has the reason.\n\n## Findings of verify\n" in runner.summary
    assert len([line for line in result.stdout.splitlines() if line.startswith("::error")]) == 1
