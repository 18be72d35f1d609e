"""Which models are meant, and which tables are left out, as they are written in a flag or a setting."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tasks.postgres.quoting import fold_identifier
from tasks.postgres.tokens import NAME
from tasks.runner.errors import UsageError

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_TABLE = re.compile(rf"(?:(?P<schema>{NAME})\.)?(?P<table>{NAME})")
_EXAMPLE = "app.models:Base"
_STATE = "Nothing was changed."

TableName = tuple[str, str]
"""The schema and the name of a table, without quotes."""


def read_references(given: str, setting: str, *, flag: str = "--models") -> tuple[str, ...]:
    """Return the references of a `flag`, or of the setting MODELS; raises UsageError without any, or for another form."""
    references = tuple(dict.fromkeys(part.strip() for part in (given or setting).split(",") if part.strip()))
    if not references:
        raise UsageError(
            "it is not known where the models are",
            hint=f"Set MODELS={_EXAMPLE} in .env, or name them in the command: {flag}={_EXAMPLE}",
            state=_STATE,
        )
    for reference in references:
        if not _REFERENCE.fullmatch(reference):
            raise UsageError(
                f"{reference} does not name models: the form is module:attribute",
                hint=_correct(reference),
                state=_STATE,
            )
    return references


def _correct(reference: str) -> str:
    """Return a hint with what was probably meant."""
    module, _, attribute = reference.partition(":")
    module = module.strip().removesuffix(".py").replace("/", ".").replace("\\", ".").strip(".").removesuffix(".__init__")
    meant = f"{module}:{attribute.strip() or 'Base'}"
    meant = meant if _REFERENCE.fullmatch(meant) else _EXAMPLE
    return (
        f"For example {meant}: a module as in import, and in it a MetaData, a declarative Base, or a function that returns one."
    )


def read_tables(given: Iterable[str]) -> tuple[TableName, ...]:
    """Return the tables of --exclude; a name without a schema is one of public. Raises UsageError for what is no name."""
    return tuple(_read_table(part.strip()) for text in given for part in text.split(",") if part.strip())


def _read_table(text: str) -> TableName:
    match = _TABLE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--exclude: {text} is not the name of a table",
            hint="Write the tables as in SQL, comma-separated: --exclude spatial_ref_sys,audit.events",
            state=_STATE,
        )
    return fold_identifier(match["schema"] or "public"), fold_identifier(match["table"])
