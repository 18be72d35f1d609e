"""`inv` itself: the list of commands, help, and wrong usage, as a process."""

import re

import pytest

from tasks.commands.shell.groups import CUT, GROUPS, OTHERS, WIDTH
from tasks.commands.shell.usage import put_optional_last
from tasks.runner.events import ErrorRaised, from_json
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    operator = Operator(project, database)
    operator.write_tables(A)
    return operator


def list_commands(output: str) -> list[str]:
    """Return the commands that a list has, each with a description."""
    return re.findall(r"^  ([a-z]+\.[a-z-]+) +\S", output, re.MULTILINE)


def test_bare_inv_lists_every_command_in_a_group_with_one_line_of_80_columns(project: Project) -> None:
    printed = project.inv(check=0).stdout
    assert all(len(line) <= WIDTH and not line.endswith(CUT) for line in printed.splitlines()[1:])
    commands = list_commands(printed)
    assert len(commands) == len(set(commands)) > 15
    assert commands == list_commands(project.inv("--list", check=0).stdout)
    titles = [line.removesuffix(":") for line in printed.splitlines() if line.endswith(":")]
    assert titles == [title for title, _ in GROUPS if title in titles]
    assert OTHERS not in titles


@pytest.mark.parametrize("arguments", [("db",), ("db", "--help"), ("--help", "db"), ("--list", "db")], ids=" ".join)
def test_a_bare_collection_lists_its_commands(project: Project, arguments: tuple[str, ...]) -> None:
    commands = list_commands(project.inv(*arguments, check=0).stdout)
    assert "db.migrate" in commands
    assert {command.partition(".")[0] for command in commands} == {"db"}


def test_the_flags_of_invoke_itself_are_still_explained(project: Project) -> None:
    assert "--print-completion-script" in project.inv("--help", check=0).stdout


def test_the_help_of_every_command_fits_80_columns_and_explains_every_flag(project: Project) -> None:
    for command in list_commands(project.inv(check=0).stdout):
        printed = project.inv("--help", command, check=0).stdout
        usage, summary, *_ = printed.split("\n\n")
        assert usage.startswith(f"Usage: inv {command}"), command
        assert len(summary.splitlines()) == 1, command
        assert all(len(line) <= WIDTH for line in printed.splitlines()), command
        unexplained = [line for line in printed.splitlines() if re.match(r" +-", line) and not re.search(r"\S {3,}\S", line[6:])]
        assert not unexplained, command


def test_the_help_names_what_a_flag_is_followed_by(project: Project) -> None:
    printed = project.inv("db.rollback", "-h", check=0).stdout
    assert re.search(r"^  -e, --env=NAME +the environment", printed, re.MULTILINE)
    assert re.search(r"^      --to=VERSION +", printed, re.MULTILINE)
    for flag in ("-h", "--help"):
        assert "Usage: inv db.new NAME [FLAGS]\n" in project.inv("db.new", flag, check=0).stdout


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("db.migrat",), "there is no command db.migrat", "Did you mean db.migrate?"),
        (("migrate",), "there is no command migrate", "Did you mean db.migrate?"),
        (("db:migrate",), "there is no command db:migrate", "Did you mean db.migrate?"),
        (("DB.Migrate",), "there is no command DB.Migrate", "Did you mean db.migrate?"),
        (("db", "migrate"), "there is no command db", "Did you mean db.migrate?"),
        (("db.up",), "there is no command db.up", "Did you mean db.migrate?"),
        (("db.test_crash",), "there is no command db.test_crash", "Did you mean db.test-crash?"),
        (("db.migrate", "db.statsu"), "there is no command db.statsu", "Did you mean db.status?"),
        (("zzzzz",), "there is no command zzzzz", "inv lists the commands."),
        (("--help", "db.migrat"), "there is no command db.migrat", "Did you mean db.migrate?"),
        (("--list", "dbb"), "there is no collection dbb", "The collections are db, env, alerts."),
        (("--list", "--list-format=x"), "there is no format x", "The formats are flat"),
        (("db.migrate", "--dryrun"), "db.migrate has no flag --dryrun", "Did you mean --dry-run?"),
        (("db.migrate", "--dry_run"), "db.migrate has no flag --dry_run", "Did you mean --dry-run?"),
        (("db.migrate", "--evn=staging"), "db.migrate has no flag --evn", "Did you mean --env=staging?"),
        (("db.migrate", "-t"), "db.migrate has no flag -t", "Did you mean --to?"),
        (("db.status", "--limt", "5"), "db.status has no flag --limt", "Did you mean --limit=5?"),
        (("db.migrate", "--zzzzz"), "db.migrate has no flag --zzzzz", "inv --help db.migrate explains its flags."),
        (("--strict", "db.migrate"), "inv has no flag --strict", "Write flags after the command: inv db.migrate --strict"),
        (("--zzzzz", "db.migrate"), "inv has no flag --zzzzz", "inv --help lists the flags"),
        (("db.migrate", "--to"), "--to needs a value", "Write --to=VERSION: stop after this version"),
        (("db.migrate", f"--to={A}", "--to"), "--to needs a value", "Write --to=VERSION: stop after this version"),
        (("db.import-alembic", "-x"), "-x needs a value", "Write -x KEY=VALUE: what env.py"),
        (("db.import-alembic", "--record", "--dry-run"), "--record needs a value", "Write --record=REVISION: write"),
        (("db.import-alembic", "--record", "--dry-rnu"), "--record needs a value", "Write --record=REVISION: write"),
        (("db.migrate", "--dry-run=yes"), "--dry-run takes no value", "Write it without =yes."),
        (("db.migrate", "staging"), "db.migrate takes no argument staging", "Did you mean --env=staging?"),
        (("db.migrate", "dev,prod"), "db.migrate takes no argument dev,prod", "Did you mean --env=dev,prod?"),
        (("db.migrate", A), f"db.migrate takes no argument {A}", f"Did you mean --to={A}?"),
        (("db.history", A), f"db.history takes no argument {A}", f"Did you mean --version={A}?"),
        (("db.rollback", "3"), "db.rollback takes no argument 3", "Did you mean --steps=3?"),
        (("--env=staging", "db.migrate"), "inv has no flag --env", "after the command: inv db.migrate --env=staging"),
        (("-e", "staging", "db.migrate"), "there is no command staging", "after the command, as --env=staging."),
        (("db.new", "add", "zzzzz"), "db.new takes no argument zzzzz", "Quote an argument that contains spaces."),
        (("db.migrate", "zzzzz qq"), "db.migrate takes no argument 'zzzzz qq'", "inv --help db.migrate explains its flags."),
        (("db.new",), "db.new needs NAME", "Run: inv db.new NAME"),
        (("db.new", "--from-models"), "db.new needs NAME", "Run: inv db.new NAME"),
        (("db.new", "--from-models=a:b", "--edit"), "db.new needs NAME", "Run: inv db.new NAME"),
        (("db.new", "--nmae=x"), "db.new has no flag --nmae", "Did you mean --name=x?"),
        (("db.squash", "--dryrun", A), "db.squash has no flag --dryrun", "Did you mean --dry-run?"),
        (("db.migrate", "-d"), "-d is Invoke's own flag --debug, not a flag of this command", "use --dry-run"),
        (("db.migrate", "--version"), "--version is Invoke's own flag, not a flag of this command", "inv --version"),
        (("db.migrate", "-T", "5"), "-T is Invoke's own flag --command-timeout", "Write it before the command"),
        (("db.migrate", "--env=stagin"), "there is no environment stagin", "Did you mean staging?"),
        (("db.migrate", "db.status", "--env=stagin"), "there is no environment stagin", "Did you mean staging?"),
        (("db.migrate", "--to=20250101000000_frist"), "there is no version 20250101000000_frist", "Did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_names_what_may_be_meant_exits_with_2_and_runs_nothing(
    operator: Operator, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    refused = operator.project.inv(*arguments, check=2)
    assert f"❌ {message}" in refused.stderr
    assert hint in refused.stderr
    assert "Applied" not in refused.stdout
    assert operator.read_tables() == []


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        ("db.new x --from-models a", "db.new x --from-models a"),
        ("db.new --from-models x", "db.new x --from-models"),
        ("db.new --from-models a:b x --edit", "db.new x --edit --from-models a:b"),
        ("db.new --edit --from-models=a:b x db.migrate -y", "db.new --edit x --from-models=a:b db.migrate -y"),
        ("db.new --from-models --rename=a:b=c x", "db.new --rename=a:b=c x --from-models"),
    ],
)
def test_a_flag_whose_value_is_optional_may_precede_the_argument(words: str, ordered: str) -> None:
    assert " ".join(put_optional_last(words.split(), {"db.new", "db.migrate"})) == ordered


def test_wrong_usage_with_json_is_an_event(operator: Operator) -> None:
    refused = operator.project.inv("db.migrate", "--json", "--dryrun", check=2)
    error = from_json(refused.stdout)
    assert isinstance(error, ErrorRaised)
    assert (error.message, error.exit_code) == ("db.migrate has no flag --dryrun", 2)
    assert refused.stderr == ""


def test_a_message_of_invoke_that_is_not_known_is_printed_as_it_is(operator: Operator) -> None:
    refused = operator.project.inv("db.migrate", "--list", "db.status", check=2)
    assert "'db.status' is ambiguous when given after an optional-value flag" in refused.stderr
