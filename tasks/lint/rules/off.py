"""Squawk's rules that are off, each with the reason: what makes them moot here, or why a reviewer would wave them through."""

from __future__ import annotations

_LATER = "The number of values is known to the author; a reviewer waves most such columns through."
_DECIDED = "Our rule of the same name decides with the schema and a replay."

OFF = {
    "require-lock-timeout": "The run sets lock_timeout for each try, and tries again: LOCK_TIMEOUT.",
    "require-statement-timeout": "The forecast shows how long a statement takes; a limit would end a long backfill.",
    "require-timeout-settings": "The run sets lock_timeout for each try, and tries again: LOCK_TIMEOUT.",
    "prefer-robust-stmts": "A file runs in one transaction, or resumes after the last statement that finished.",
    "ban-concurrent-index-creation-in-transaction": "CONCURRENTLY runs outside of a transaction here, whatever "
    "else the file has.",
    "transaction-nesting": "BEGIN and COMMIT of a file are understood, and refused where they do not match.",
    "ban-uncommitted-transaction": "A BEGIN without a COMMIT is refused.",
    "syntax-error": "PostgreSQL's own parser and a replay decide what is valid.",
    "unused-ignore": "Our rule unused-ignore decides for all rules.",
    "changing-column-type": _DECIDED,
    "adding-not-nullable-field": _DECIDED,
    "prefer-bigint-over-int": _LATER,
    "prefer-bigint-over-smallint": _LATER,
    "prefer-identity": "A serial column works; the difference is one of style.",
    "prefer-text-field": "Widening a varchar does not rewrite the table.",
    "prefer-timestamp-tz": "Whether times have a zone is a convention of the whole schema.",
    "ban-char-field": "Codes of a fixed length are a matter of style.",
    "ban-drop-not-null": "Code that always writes the column does not notice, and old rows stay valid.",
    "ban-drop-constraint": "Queries do not name constraints; the rules about what replaces it stay.",
    "ban-create-domain-with-constraint": "A new domain has no column yet.",
    "ban-duplicate-column-assignments": "PostgreSQL refuses the statement.",
    "require-enum-value-ordering": "At the end is the usual place of a new value.",
    "require-table-schema": "The search_path of a run is that of the role, and the same in each environment.",
}
"""By the names of squawk 2.70: https://squawkhq.com/docs/rules

Its rules that are opt-in are off too: they forbid each change of a kind, not a danger.
"""
