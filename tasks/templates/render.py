"""The migrations that a name makes, with the text of their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from tasks.runner.files.new import Draft, MigrationText, NewMigration, create_migrations
from tasks.runner.files.versions import MAX_DESCRIPTION_LENGTH, to_snake_case
from tasks.templates.bodies import UPDATE_FUNCTION, Body, write_bodies
from tasks.templates.empty_bodies import write_empty_body
from tasks.templates.known_schema import KnownSchema
from tasks.templates.readings import read_name
from tasks.templates.schema_reader import read_known_schema

_HEADER = """\
-- Migration: {file}
-- Description: {description}
--
-- No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool begins the transaction and records the migration.

"""


def create_from_name(directory: Path, name: str, *, now: datetime) -> tuple[NewMigration, ...]:
    """Create the migrations that a name means in a folder: one, or several that must run one after the other.

    Raises UsageError for an invalid name, and RunnerError if the files cannot be created.
    """
    known = read_known_schema(directory, to_snake_case(name), UPDATE_FUNCTION)
    return create_migrations(directory, draft(name, known), now=now)


def draft(name: str, known: KnownSchema) -> tuple[Draft, ...]:
    """Return the migrations that a name means; one with an empty body if it does not determine the statements."""
    description = to_snake_case(name)
    reading = read_name(name, known)
    if isinstance(reading, str):
        bodies: tuple[Body, ...] = (write_empty_body(description, reading),)
    else:
        bodies = write_bodies(reading, known)
    first, *others = bodies
    later = (replace(body, description=to_snake_case(body.description)[:MAX_DESCRIPTION_LENGTH]) for body in others)
    return tuple(Draft(body.description, _compose(body)) for body in (replace(first, description=description), *later))


def _compose(body: Body) -> Callable[[str], MigrationText]:
    return partial(_write_text, body)


def _write_text(body: Body, version: str) -> MigrationText:
    words = body.description.replace("_", " ")
    up = _HEADER.format(file=f"{version}.sql", description=words.capitalize())
    down = _HEADER.format(file=f"{version}.sql", description=f"Undo: {words}")
    return MigrationText(up + body.up, down + body.down)
