"""The whole script of a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.runner.errors import Place, RefusedError
from tasks.runner.planning.plan import Plan, Step
from tasks.runner.sql_script.opening import PSQL_SETTINGS, Expected, write_end, write_opening, write_path_check, write_session
from tasks.runner.sql_script.psql_text import write_comment
from tasks.runner.sql_script.segments import StepWriter
from tasks.runner.sql_script.state import list_digests

_NEW_DEFAULTS = re.compile(r"\balter\s+(?:role|user|database|system)\b", re.IGNORECASE)
"""What may change the settings with which sessions start: the next file needs a new session."""


def write_script(writer: StepWriter, plan: Plan, expected: Expected, heading: str) -> str:
    """Return the script of a plan; raises RefusedError for a file that psql cannot run as a run does."""
    for step in plan.steps:
        _refuse(step)
    return "\n".join([*_write_lines(writer, plan, expected, heading), ""])


def _write_lines(writer: StepWriter, plan: Plan, expected: Expected, heading: str) -> Iterator[str]:
    yield from write_comment(heading.encode("ascii", "backslashreplace").decode())
    yield PSQL_SETTINGS
    if not plan.steps and not plan.renames:
        yield "\\echo Nothing to do: the database is up to date."
        return
    yield from write_session(writer)
    changes_path = any("search_path" in step.source.text.lower() for step in plan.steps)
    if not changes_path:
        yield write_path_check(expected)
    yield from write_opening(writer, plan, expected)
    for step, digest in zip(plan.steps, list_digests(expected.renamed, plan), strict=True):
        yield from writer.write(step, digest)
        if _NEW_DEFAULTS.search(step.source.text) and step is not plan.steps[-1]:
            yield from ["\\connect", "\\encoding UTF8", *write_session(writer)]
    yield from write_end(writer, plan)


def _refuse(step: Step) -> None:
    """Raise RefusedError for a text that the parser does not know, and that a run sends outside a transaction as a whole."""
    statements = step.script.statements
    if not step.script.parsed and not all(statement.transactional for statement in statements):
        raise RefusedError(
            f"{step.source.shown} cannot be parsed and runs outside a transaction: psql would divide it into other statements",
            hint="Run it with inv db.migrate, or write the script with --to, without this file.",
            state="Nothing was changed.",
            place=Place(step.source.shown, 1),
        )
