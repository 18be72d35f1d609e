"""The command db.rollback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import open_events, run_request
from tasks.commands.flags import BLOCKING_HELP, REHEARSAL_HELP, RUN_HELP
from tasks.commands.rehearse.foresight import foresee
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import Environment, load_environment
from tasks.options import Options
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError, RunnerError, UsageError
from tasks.runner.events import CatalogRead, Event, PlanMade
from tasks.runner.files.checkout import Migrations, read_migrations, read_source
from tasks.runner.files.decoding import skip_encoding
from tasks.runner.operations.requests import Request, parse_count, parse_plan
from tasks.runner.planning.choice import Choice
from tasks.runner.planning.plan import Plan, Source, plan
from tasks.runner.planning.renewal import describe_basis, identify_plan
from tasks.runner.planning.unverified import build_unverified_error, list_unverified
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.rehearsal.model import RehearsedMigration

E = TypeVar("E", bound=Event)
_UNCHANGED = "Nothing was changed."


@command(
    help={
        **RUN_HELP,
        **BLOCKING_HELP,
        "steps": "how many migrations to roll back (1)",
        "to": "roll back everything after this version; 0 rolls back all",
        "only": "roll back only this version, once a scratch database has proved that no later migration needs it",
        **REHEARSAL_HELP,
        "timeout": "with --only: seconds that one migration may take on scratch (600)",
    },
    iterable=["without_extension"],
)
def rollback(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "local",
    steps: str = "1",
    to: str = "",
    only: str = "",
    dry_run: bool = False,
    json: bool = False,
    verbose: bool = False,
    yes: bool = False,
    start: bool = False,
    upload: bool = False,
    plan: str | None = None,
    timeout: str = "600",
    as_superuser: bool = False,
    allow_blocking: bool = False,
) -> None:
    """Roll back the newest migrations, or only one.

    Their down files run. One that is older than others is proved on a scratch database first.
    """
    options = Options(json, verbose, yes, start, upload, allow_blocking=allow_blocking)
    with exit_on_error(json=json):
        number = parse_count("--steps", steps)
        known = parse_plan(plan)
        request = Request("rollback", to=to, steps=number, only=only, dry_run=dry_run, plan=known, verbose=verbose)
        timeout_s = parse_count("--timeout", timeout)
    if only:
        scratch = _Scratch(read_extensions(without_extension), timeout_s, as_superuser)
        request = _prove(env, request, options, scratch)
    run_request(env, request, options, foresee)


@dataclass(frozen=True, slots=True)
class _Scratch:
    """The flags of the scratch server."""

    without: tuple[str, ...]
    timeout_s: int
    as_superuser: bool


def _prove(env: str, request: Request, options: Options, scratch: _Scratch) -> Request:
    """Return the request for exactly the plan that was proved on scratch; raises Exit if it is refused."""
    with catch_signals() as stop, exit_on_error(json=options.json) as seen:
        if "," in env:
            raise UsageError("--only works on one environment at a time", hint="Run it for each of them.", state=_UNCHANGED)
        environment = load_environment(env)
        made = _read(PlanMade, environment, replace(request, dry_run=True, plan=""), options, stop, seen)
        request = replace(request, plan=request.plan or made.plan_id)
        if any(finding.refuses for finding in made.findings) or not made.steps:
            return request  # The run itself reports that.
        unverified = list_unverified(made.findings)
        if unverified and not options.yes:
            raise build_unverified_error(unverified)
        read = _read(CatalogRead, environment, Request("catalog"), options, stop, seen)
        if read.scripts and read.scripts[-1].version != made.steps[0].version:
            _prove_on_scratch(environment, read, made, options, scratch, seen)
        return request


def _read(kind: type[E], environment: Environment, request: Request, options: Options, stop: Stop, seen: list[str]) -> E:
    """Return the event of a kind; raises RunnerError if there is none."""
    found = [event for event in open_events(environment, request, options, stop, seen) if isinstance(event, kind)]
    if not found:
        raise RunnerError(f"{environment.name} did not return what was asked", state=_UNCHANGED)
    return found[-1]


def _choose_texts(
    environment: Environment, read: CatalogRead, made: PlanMade
) -> tuple[tuple[RehearsedMigration, ...], RehearsedMigration]:
    """Return the applied migrations, and the one to roll back with the down text of the plan, which is known by the plan's id."""
    from tasks.rehearsal.drift.drift import choose_texts

    files = read_migrations(environment.settings.migrations_dir)
    applied = choose_texts(read.scripts, files, read.unknown, environment=environment.name)
    step, basis = made.steps[0], describe_basis({script.version: script.checksum for script in read.scripts})
    target = next((migration for migration in applied if migration.name == step.version), None)
    sources = list(_list_downs(files, step.version, target.down if target else None))
    for source in sources:
        (known,) = plan(Choice("rollback", (step.version,)), {step.version: source}, {}).steps
        proved = Plan("rollback", (replace(known, done=step.done),), basis=basis)
        if target is not None and identify_plan(proved) == made.plan_id:
            return applied, replace(target, down=source.text, shown_down=source.shown)
    raise RefusedError(
        f"not proved: the rollback would run a down text of {step.version} that this checkout does not have, "
        "or the ledger changed just now",
        hint="Check out the revision that was deployed, then run the command again. If migrations were renamed, apply that\n"
        f"first: {compose_command('db.migrate', env=environment.name)}",
        state=_UNCHANGED,
    )


def _list_downs(files: Migrations, version: str, stored: str | None) -> Iterator[Source]:
    """Yield the down texts that a rollback may run: that of the file, and the stored one."""
    if version in files.downs:
        file = read_source(files.down_path(version))
        yield Source(file.shown, file.content, file.checksum)
    if stored is not None:
        yield Source(f"(stored) down/{version}.sql", skip_encoding(stored))


def _prove_on_scratch(
    environment: Environment, read: CatalogRead, made: PlanMade, options: Options, scratch: _Scratch, seen: list[str]
) -> None:
    """Print the proof that the rollback of the plan is as if the migration had never been applied; raises RefusedError."""
    from tasks.rehearsal.scratch.opening import check_version
    from tasks.rehearsal.verify.single_rollback import SingleRollback
    from tasks.report import report
    from tasks.report.verification import register_messages

    register_messages()
    applied, target = _choose_texts(environment, read, made)
    settings = environment.settings
    with open_scratch(
        settings, target=settings.database_url, without=scratch.without, as_superuser=scratch.as_superuser
    ) as server:
        seen.append(server.url)
        check_version(server, read.server_version)
        migrations = tuple(target if each.name == target.name else each for each in applied)
        report([SingleRollback(server, migrations, target.name, timeout_s=scratch.timeout_s).prove()], json=options.json)
        report(note_stand_ins(server), json=options.json)
