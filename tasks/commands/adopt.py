"""The task db.adopt, thin: a database's schema beside a replay here, the verdicts, and the ledger written when agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from tasks.commands.context import build_runner, exit_on_error
from tasks.commands.dispatch import open_events
from tasks.commands.scratch import open_scratch
from tasks.config.environments import PROJECT, Environment, load_environment
from tasks.console.prompts import confirm_by_typing, explain_no_prompt
from tasks.options import Options
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.adopt.examine import Assumptions, Examination, Subject
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.files.checkout import Migrations

_STATE = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class _Case:
    """Hold what is adopted, and through whom it is written; there is no runner where the database is on another machine."""

    environment: Environment
    subject: Subject
    migrations: Migrations
    runner: MigrationRunner | None


@task(
    help={
        "env": "the environment: local (default), dev, staging, prod, or another that has a .env.NAME",
        "apply": "write the ledger that is proposed, after asking",
        "assume_present": "this version was applied (repeat it)",
        "assume_absent": "this version was not applied (repeat it)",
        "verbose": "show the evidence object by object",
        "yes": "agree beforehand to what --apply asks",
        "json": "JSON lines on stdout and nothing else there",
        "start": "start a machine on Fly where none is started",
    },
    iterable=["assume_present", "assume_absent"],
)
def adopt(
    _context: Context,
    assume_present: Sequence[str],
    assume_absent: Sequence[str],
    env: str = "local",
    apply: bool = False,
    verbose: bool = False,
    yes: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Find out by the schema which migrations a database has, and record them."""
    from tasks.adopt.examine import Assumptions
    from tasks.report.adoption import register_words

    register_words()
    assumed = Assumptions(tuple(assume_present), tuple(assume_absent))
    options = Options(json=json, verbose=verbose, yes=yes, start=start)
    with catch_signals() as stop, exit_on_error(json=json) as seen:
        case = _read_case(load_environment(env), options, stop, seen)
        examination = _examine(case, assumed, options, seen)
        if apply and examination.adoptions:
            _apply(case, examination, options, stop, seen)


def _read_case(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> _Case:
    from tasks.adopt.examine import read_subject
    from tasks.runner.files.checkout import read_migrations

    migrations = read_migrations(environment.settings.migrations_dir)
    if environment.fly_app:
        return _Case(environment, _read_far(environment, migrations, options, stop, seen), migrations, None)
    runner = build_runner(environment, stop)
    seen.append(runner.url)
    return _Case(environment, read_subject(runner, migrations), migrations, runner)


def _read_far(environment: Environment, migrations: Migrations, options: Options, stop: Stop, seen: list[str]) -> Subject:
    """Have the schema of a database on Fly carried here."""
    from tasks.adopt.examine import Subject
    from tasks.runner.events import CatalogRead
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.ledger.renames import apply_renames, read_renames
    from tasks.runner.ledger.takeover import leave_out_records
    from tasks.runner.operations.schema import build_catalog, build_record

    read = [
        event for event in open_events(environment, Request("catalog"), options, stop, seen) if isinstance(event, CatalogRead)
    ]
    if not read:
        hint = f"inv env.check --env={environment.name} looks at what is missing."
        raise RunnerError("the schema could not be read", hint=hint, state=_STATE)
    scripts = {script.version: script.checksum or None for script in read[-1].scripts}
    ledger, _ = apply_renames(Ledger(checksums=scripts), read_renames(migrations.folder, migrations.checksums))
    other = None if ledger.checksums else build_record(read[-1].record)
    live = leave_out_records(build_catalog(read[-1]), other)
    return Subject(read[-1].database, live, tuple(ledger.checksums), environment.name, other)


def _examine(case: _Case, assumed: Assumptions, options: Options, seen: list[str]) -> Examination:
    from tasks.adopt.examine import examine
    from tasks.rehearsal.scratch.dump import dump_schema
    from tasks.report import report

    here, runner = PROJECT / ".postgres", case.runner
    dump = None if runner is None else lambda: dump_schema(runner.url, embedded_directory=here)
    with open_scratch(case.environment.settings, target=seen[-1] if seen else "") as server:
        examination = examine(case.subject, case.migrations, server, assumed, dump)
    report([examination.answer], json=options.json, verbose=options.verbose)
    return examination


def _apply(case: _Case, examination: Examination, options: Options, stop: Stop, seen: list[str]) -> None:
    from tasks.report import report
    from tasks.runner.operations.adopt import pack

    if examination.undecided:
        raise RefusedError(
            f"the schema cannot tell about {', '.join(examination.undecided)}",
            hint="Say for each what is true: --assume-present VERSION or --assume-absent VERSION",
            state=_STATE,
        )
    _confirm(case.environment, len(examination.adoptions), options, stop)
    request = Request("adopt", version=case.subject.seen, agree=(pack(examination.adoptions),))
    report(open_events(case.environment, request, options, stop, seen), json=options.json)


def _confirm(environment: Environment, number: int, options: Options, stop: Stop) -> None:
    """Ask for a yes, or in a guarded environment for its name; raises RefusedError for another answer."""
    if options.yes:
        return
    reason = explain_no_prompt(json=options.json)
    if reason:
        raise RefusedError(
            f"recording migrations as applied asks for confirmation, but {reason}",
            hint="Check the table first, then confirm it: --apply --yes",
            state=_STATE,
        )
    wanted = environment.name if environment.guarded else "yes"
    confirm_by_typing(f"This will record {number} as applied in {environment.name}.", wanted, stop)
