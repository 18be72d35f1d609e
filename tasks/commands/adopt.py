"""The command db.adopt: compare a schema with a replay on scratch, and record what is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import build_runner, exit_on_error
from tasks.commands.dispatch import open_events
from tasks.commands.elsewhere import confirm_elsewhere
from tasks.commands.flags import JSON_HELP, ONE_ENV_HELP, REHEARSAL_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.commands.settle import compare_and_settle
from tasks.config.environments import LOCAL, Environment, load_environment
from tasks.console.prompts import confirm_by_typing, explain_no_prompt
from tasks.options import Options
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.schema_file import NAME
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.adopt.examine import Assumptions, Examination, Subject
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.files.checkout import Migrations

_STATE = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class _Adoptee:
    """What is adopted; there is no runner if the database is reached on Fly."""

    environment: Environment
    subject: Subject
    migrations: Migrations
    runner: MigrationRunner | None


@command(
    help={
        **ONE_ENV_HELP,
        **REHEARSAL_HELP,
        **JSON_HELP,
        "apply": "record the proposed migrations as applied, after confirmation",
        "assume_present": "this version was applied (repeatable)",
        "assume_absent": "this version was not applied (repeatable)",
        "verbose": "show the evidence object by object",
        "yes": "confirm beforehand what --apply asks",
    },
    iterable=["assume_present", "assume_absent", "without_extension"],
)
def adopt(
    _context: Context,
    assume_present: Sequence[str],
    assume_absent: Sequence[str],
    without_extension: Sequence[str],
    env: str = "local",
    apply: bool = False,
    verbose: bool = False,
    yes: bool = False,
    as_superuser: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Record which migrations an existing database has.

    A baseline: they are found out from its schema.
    """
    from tasks.adopt.examine import Assumptions
    from tasks.report.adoption import register_messages

    register_messages()
    assumed = Assumptions(tuple(assume_present), tuple(assume_absent))
    options = Options(json=json, verbose=verbose, yes=yes, start=start)
    with catch_signals() as stop, exit_on_error(json=json) as seen:
        case = _read_case(load_environment(env), options, stop, seen)
        accept_stranger = apply and not case.subject.has_ledger
        rehearse = partial(
            open_scratch,
            case.environment.settings,
            target=seen[-1] if seen else "",
            without=read_extensions(without_extension),
            as_superuser=as_superuser,
        )
        examination = _examine(case, assumed, options, rehearse, accept_stranger=accept_stranger)
        if apply and (examination.adoptions or not case.subject.has_ledger):
            case = replace(case, environment=confirm_elsewhere(case.environment, options, stop))
            _apply(case, examination, options, stop, seen)
            compare_and_settle(case.environment, options, stop, case.migrations, rehearse)


def _read_case(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> _Adoptee:
    from tasks.adopt.examine import read_subject
    from tasks.runner.files.checkout import read_migrations

    migrations = read_migrations(environment.settings.migrations_dir)
    if environment.fly_app:
        return _Adoptee(environment, _read_remote(environment, migrations, options, stop, seen), migrations, None)
    runner = build_runner(environment, stop)
    seen.append(runner.url)
    return _Adoptee(environment, read_subject(runner, migrations), migrations, runner)


def _read_remote(environment: Environment, migrations: Migrations, options: Options, stop: Stop, seen: list[str]) -> Subject:
    """Read the schema of a database on Fly."""
    from tasks.adopt.examine import Subject
    from tasks.runner.events import CatalogRead
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.operations.adopt import view_or_refuse
    from tasks.runner.operations.schema import build_catalog, build_record

    read = [
        event for event in open_events(environment, Request("catalog"), options, stop, seen) if isinstance(event, CatalogRead)
    ]
    if not read:
        hint = f"{compose_command('env.check', env=environment.name)} shows what is missing."
        raise RunnerError("the schema could not be read", hint=hint, state=_STATE)
    scripts = {script.version: script.checksum or None for script in read[-1].scripts}
    recorded = Ledger(checksums=scripts, replaced=read[-1].replaced)
    ledger = view_or_refuse(recorded, migrations)
    other = None if ledger.checksums else build_record(read[-1].record)
    live, versions, has_ledger = build_catalog(read[-1]), tuple(ledger.checksums), read[-1].has_ledger
    return Subject(read[-1].database, live, versions, environment.name, other, has_ledger, read[-1].elsewhere)


def _examine(
    case: _Adoptee, assumed: Assumptions, options: Options, rehearse: Callable[[], ScratchServer], *, accept_stranger: bool
) -> Examination:
    from tasks.adopt.examine import examine
    from tasks.adopt.live import LiveDatabase
    from tasks.report import report

    source = None if case.runner is None else LiveDatabase(case.runner.url)
    with rehearse() as server:
        examination = examine(case.subject, case.migrations, server, assumed, source, accept_stranger=accept_stranger)
    report([examination.answer, *note_stand_ins(server)], json=options.json, verbose=options.verbose)
    return examination


def _apply(case: _Adoptee, examination: Examination, options: Options, stop: Stop, seen: list[str]) -> None:
    from tasks.report import report
    from tasks.runner.operations.adopt import pack

    if examination.undecided:
        raise RefusedError(
            f"the schema does not decide about {', '.join(examination.undecided)}",
            hint="Decide for each: --assume-present VERSION or --assume-absent VERSION",
            state=_STATE,
        )
    number = len(examination.adoptions)
    what = f"record {number} as applied" if number else "create an empty ledger, so that every migration is pending,"
    other = case.subject.other
    if other is not None and other.is_in_the_way:
        what += f" and rename the schema_migrations of {other.tool.name}"
    _confirm(case.environment, what, options, stop)
    checksums = case.migrations.checksums
    adoptions = [replace(adoption, checksum=checksums[adoption.version]) for adoption in examination.adoptions]
    request = Request("adopt", version=case.subject.seen, agree=(pack(adoptions),))
    report(open_events(case.environment, request, options, stop, seen), json=options.json)
    # A file that exists would be out of date; the first run creates one.
    if case.runner is not None and case.environment.name == LOCAL and (case.runner.migrations_dir / NAME).exists():
        from tasks.commands.schema_file import write_schema_file

        report(write_schema_file(case.runner, case.environment.settings), json=options.json)


def _confirm(environment: Environment, what: str, options: Options, stop: Stop) -> None:
    """Ask for a yes, or in a guarded environment for its name; raises RefusedError for another answer."""
    if options.yes:
        return
    reason = explain_no_prompt(json=options.json)
    if reason:
        raise RefusedError(
            f"recording migrations as applied, or creating a ledger, asks for confirmation, but {reason}",
            hint="Check the table first, then confirm it: --apply --yes",
            state=_STATE,
        )
    wanted = environment.name if environment.guarded else "yes"
    confirm_by_typing(f"This will {what} in {environment.name}.", wanted, stop)
