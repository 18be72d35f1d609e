"""The state of the ledger that a script expects before each step: a digest of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from tasks.runner.ledger.renames import Rename
from tasks.runner.planning.plan import Plan

DIGEST = """
encode(sha256(convert_to(
           coalesce(string_agg(concat_ws(' ', version, checksum), '/' ORDER BY version COLLATE "C"), ''), 'UTF8')), 'hex')
""".strip()
"""The digest of the rows of schema_migrations, under our own search_path."""

Rows = Mapping[str, str | None]
"""The checksums of the ledger by the version that is recorded."""


def digest_rows(rows: Rows) -> str:
    """Return what DIGEST returns for these rows."""
    parts = [version if checksum is None else f"{version} {checksum}" for version, checksum in rows.items()]
    ordered = (part for _, part in sorted(zip(rows, parts, strict=True)))
    return hashlib.sha256("/".join(ordered).encode(errors="surrogateescape")).hexdigest()


def rename_rows(rows: Rows, renames: Iterable[Rename]) -> dict[str, str | None]:
    """Return the rows after the renames of a plan."""
    renamed = dict(rows)
    for rename in renames:
        checksum = renamed.pop(rename.recorded, None)
        if not rename.drops:
            renamed[rename.version] = rename.checksum or checksum
    return renamed


def list_digests(rows: Rows, plan: Plan) -> list[str]:
    """Return the digest that is expected before each step of a plan, given the rows after its renames."""
    known, digests = dict(rows), []
    for step in plan.steps:
        digests.append(digest_rows(known))
        known[step.version] = step.source.checksum
    return digests
