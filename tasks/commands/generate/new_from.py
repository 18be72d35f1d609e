"""The command db.new: from its name, or from a wanted schema."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import read_catalog
from tasks.commands.flags import SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import LOCAL, load_environment
from tasks.options import Options
from tasks.postgres.quoting import quote_qualified
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.events import CatalogRead, Event
from tasks.runner.operations.requests import parse_count
from tasks.runner.signals import catch_signals

if TYPE_CHECKING:
    from tasks.catalog import Key
    from tasks.generation.events import MigrationsCreated
    from tasks.generation.goal import Goal
    from tasks.generation.proposal import ProposalOptions
    from tasks.models.references import TableName
    from tasks.rehearsal.kept.schemas import KeptSchemas
    from tasks.rehearsal.model import RehearsedMigration
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.rehearsal.sql_diff.answers import Ask
    from tasks.rehearsal.sql_diff.renames import Question
    from tasks.runner.settings import Settings

_STATE = "Nothing was written."
_SOURCES = "--from-models, --from-schema or --from-env"
_TIMEOUT_S = "600"


@dataclass(frozen=True, slots=True)
class _SourceFlags:
    """Where the wanted schema comes from, and the other flags that need one."""

    models: str | bool | None
    schema: str | None
    env: str | None
    rename: tuple[str, ...]
    drop: tuple[str, ...]
    exclude: tuple[str, ...]
    allow_loss: bool
    without: tuple[str, ...]
    timeout: str
    as_superuser: bool
    json: bool
    start: bool

    def list_sources(self) -> list[str]:
        """Return the flags that name a source."""
        given = {"--from-models": self.models, "--from-schema": self.schema, "--from-env": self.env}
        return [flag for flag, value in given.items() if value is not None]

    def list_others(self) -> list[str]:
        """Return the flags that have no meaning without a source."""
        given = {
            "--rename": self.rename,
            "--drop": self.drop,
            "--exclude": self.exclude,
            "--allow-loss": self.allow_loss,
            "--without-extension": self.without,
            "--timeout": self.timeout != _TIMEOUT_S,
            "--as-superuser": self.as_superuser,
            "--json": self.json,
            "--start": self.start,
        }
        return [flag for flag, used in given.items() if used]

    def repeat(self, name: str, *more: str) -> str:
        """Return the command with more flags."""
        source = {"--from-schema": self.schema, "--from-env": self.env, "--from-models": self.models}
        words = [flag if value is True else f"{flag}={value}" for flag, value in source.items() if value]
        for flag, values in {
            "--rename": self.rename,
            "--drop": self.drop,
            "--exclude": self.exclude,
            "--without-extension": self.without,
        }.items():
            words += [f"{flag}={value}" for value in values]
        return compose_command("db.new", name, *words, *(["--as-superuser"] if self.as_superuser else []), *more)

    def list_excluded(self) -> tuple[TableName, ...]:
        """Return the schema and name of each table that is not compared; raises UsageError for what is no name."""
        from tasks.models.references import read_tables

        return read_tables(self.exclude)


@command(
    help={
        **SCRATCH_HELP,
        "name": "what the migration does, for example add_user_settings_table",
        "edit": "open the new files in the editor of VISUAL or EDITOR",
        "from_models": "write what leads to these SQLAlchemy models, comma-separated; without a value to those of MODELS",
        "from_schema": "write what leads to the schema that this SQL file makes",
        "from_env": "write what leads to the schema of this environment",
        "rename": "with a source: what has another name now, TABLE.OLD=NEW or OLD=NEW (repeatable)",
        "drop": "with a source: what is dropped and not renamed, TABLE.COLUMN or NAME (repeatable)",
        "exclude": "with a source: tables that are not compared (repeatable, or comma-separated)",
        "allow_loss": "with a source: write changes that lose rows or values",
        "start": "with --from-env: start a machine on Fly if none is started",
    },
    positional=["name"],
    optional=["from_models"],
    iterable=["rename", "drop", "exclude", "without_extension"],
)
def new(
    _context: Context,
    name: str,
    rename: Sequence[str],
    drop: Sequence[str],
    exclude: Sequence[str],
    without_extension: Sequence[str],
    edit: bool = False,
    from_models: str | None = None,
    from_schema: str | None = None,
    from_env: str | None = None,
    allow_loss: bool = False,
    timeout: str = _TIMEOUT_S,
    as_superuser: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Create the up and down file of a new migration.

    The name determines the statements, together with the tables of older migrations; or a wanted schema does: models, a schema
    file, an environment. Then the files are proved on scratch, and nothing is written where nothing differs.
    """
    from tasks.commands.new import create

    with exit_on_error(json=json, rehearses=True) as seen:
        flags = _SourceFlags(
            from_models,
            from_schema,
            from_env,
            tuple(rename),
            tuple(drop),
            tuple(exclude),
            allow_loss,
            read_extensions(without_extension),
            timeout,
            as_superuser,
            json,
            start,
        )
        if _has_source(flags):
            _write(name, flags, seen, edit=edit)
        else:
            create(name, edit=edit)


def _has_source(flags: _SourceFlags) -> bool:
    """Return True if the flags name a source; raises UsageError for several, and for flags that need one."""
    sources = flags.list_sources()
    if len(sources) > 1:
        raise UsageError(f"{' and '.join(sources)} exclude each other", hint="Name one source of the schema.", state=_STATE)
    if not sources and (others := flags.list_others()):
        raise UsageError(f"{others[0]} needs a source of the schema: {_SOURCES}", state=_STATE)
    if "" in (flags.schema, flags.env):
        raise UsageError(f"{sources[0]} has no value", hint=f"Name the source of the schema: {sources[0]}=…", state=_STATE)
    if flags.start and not flags.env:
        raise UsageError("--start needs --from-env", state=_STATE)
    return bool(sources)


def _write(name: str, flags: _SourceFlags, seen: list[str], *, edit: bool) -> None:
    import sys

    from tasks.commands.new import open_in_editor
    from tasks.generation.events import MigrationsCreated
    from tasks.report import report
    from tasks.report.generation import register_messages

    register_messages()
    paths: list[Path] = []

    def look(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, MigrationsCreated):
                paths.extend(Path(path) for migration in event.migrations for path in migration.paths)
            yield event

    report(look(_propose(name, flags, seen)), json=flags.json)
    if edit and paths:
        sys.stdout.flush()
        open_in_editor(paths, os.environ)


def _propose(name: str, flags: _SourceFlags, seen: list[str]) -> Iterator[Event]:
    from tasks.generation.events import ProposalStarted
    from tasks.generation.propose import propose
    from tasks.generation.writing import create_files, describe
    from tasks.rehearsal.kept.schemas import open_schemas
    from tasks.runner.files.versions import to_snake_case

    to_snake_case(name)
    options = _build_options(name, flags)
    settings = load_environment(LOCAL).settings
    base = _read_base(settings)
    read = None
    if flags.env:
        with catch_signals() as stop:
            reading = Options(json=flags.json, start=flags.start)
            read = yield from read_catalog(load_environment(flags.env), reading, stop, seen)
    target = seen[-1] if seen else ""
    with open_scratch(settings, target=target, without=flags.without, as_superuser=flags.as_superuser, writes=True) as server:
        options = replace(options, kept=open_schemas(server, os.environ))
        goal = _open_goal(server, base, flags, read, settings, options.kept)
        if not flags.json:
            yield ProposalStarted(goal.label, len(base), server.version)
        proposal = propose(server, base, goal, name, options)
        yield describe(proposal, len(base), server)
        if _read_base(settings) != base:
            raise RefusedError(
                "the migrations of this checkout changed while this one was proved", hint="Run the command again.", state=_STATE
            )
        for created in create_files(proposal, settings.migrations_dir):
            yield replace(created, notes=(*created.notes, *_list_marks(created, flags.env or "")))
        yield from note_stand_ins(server)


def _list_marks(created: MigrationsCreated, environment: str) -> Iterator[str]:
    """Yield how to record the migrations in the environment that has what they make."""
    if environment:
        yield f"{environment} has what {'they make' if len(created.migrations) > 1 else 'it makes'}. Record that there:"
        yield from (compose_command("db.mark", made.version, env=environment) for made in created.migrations)


def _build_options(name: str, flags: _SourceFlags) -> ProposalOptions:
    from tasks.generation.proposal import ProposalOptions
    from tasks.rehearsal.sql_diff.answers import read_answers

    answers = read_answers(flags.rename, flags.drop)
    timeout_s = parse_count("--timeout", flags.timeout)
    # The goal of models leaves out tables itself: it does not import them.
    exclude = () if flags.models is not None else tuple(quote_qualified(*name) for name in flags.list_excluded())
    allowing = flags.repeat(name, "--allow-loss")
    return ProposalOptions(answers, _choose_ask(json=flags.json), flags.allow_loss, timeout_s, exclude, allowing)


def _choose_ask(*, json: bool) -> Ask | None:
    """Return how questions about renames are asked. Only then is a signal a request: elsewhere it ends what runs on scratch."""
    from tasks.commands.generate.ask_renames import choose_ask

    def ask(question: Question) -> Key | bool | None:
        with catch_signals() as stop:
            asked = choose_ask(stop, json=json)
            return asked(question) if asked else None

    with catch_signals() as stop:
        return ask if choose_ask(stop, json=json) else None


def _read_base(settings: Settings) -> tuple[RehearsedMigration, ...]:
    """Return all migrations of the checkout in their order; none if there is no folder yet."""
    from tasks.rehearsal.model import read_migration_pairs
    from tasks.runner.files.checkout import read_migrations

    if not settings.migrations_dir.exists():
        return ()
    migrations = read_migrations(settings.migrations_dir)
    return read_migration_pairs(migrations, sorted(migrations.checksums), with_downs=False)


def _open_goal(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    flags: _SourceFlags,
    read: CatalogRead | None,
    settings: Settings,
    kept: KeptSchemas,
) -> Goal:
    from tasks.generation.sources.environment import open_environment
    from tasks.generation.sources.schema_file import open_schema_file
    from tasks.models.goal import open_goal
    from tasks.models.references import read_references

    timeout_s = parse_count("--timeout", flags.timeout)
    if read is not None:
        return open_environment(server, base, read)
    if flags.schema:
        return open_schema_file(server, Path(flags.schema), timeout_s=timeout_s)
    named = flags.models if isinstance(flags.models, str) else ""
    references = read_references(named, settings.models, flag="--from-models")
    return open_goal(server, base, references, flags.list_excluded(), kept=kept, timeout_s=timeout_s)
