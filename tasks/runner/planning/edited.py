"""The next step for an edited file of a local database: apply the new text, where only this database has the old one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.runner.command_lines import compose_command
from tasks.runner.settings import LOCAL

if TYPE_CHECKING:
    from tasks.runner.events import Finding
    from tasks.runner.ledger.reading import Ledger


def offer_redo(findings: Iterable[Finding], ledger: Ledger) -> Iterator[Finding]:
    """Yield the findings, those of edited files with what applies the new text, if the database has the label `local`.

    The newest migration can be redone; for an older one, those after it must be rolled back too.
    """
    applied = list(ledger.checksums)
    for finding in findings:
        if ledger.environment != LOCAL or finding.kind != "edited" or finding.version not in ledger.checksums:
            yield finding
            continue
        place = applied.index(finding.version)
        if place == len(applied) - 1:
            way = compose_command("db.redo")
        else:
            steps = compose_command("db.rollback", f"--steps={len(applied) - place}")
            way = f"{steps}, then {compose_command('db.migrate')}"
        yield replace(finding, hint=f"{finding.hint}\nor, if only your database has the old text, apply the new one: {way}")
