"""Half-applied migrations that a run cannot continue: their file is absent, or no longer begins with what was committed."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

from tasks.runner.events import Finding
from tasks.runner.files.checkout import read_source, show_path
from tasks.runner.planning.plan import count_done, describe_changed

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Attempt, Ledger
    from tasks.runner.planning.choice import Choice


def find_half_applied(migrations: Migrations, ledger: Ledger, choice: Choice) -> tuple[Finding, ...]:
    """Return refusals of the half-applied migrations that a choice leaves out and a run could not finish either.

    The plan checks those that are chosen. Raises FilesError or ScriptError for a file that cannot be read.
    """
    changed = find_changed(migrations, ledger, choice.versions) if choice.action == "migrate" else ()
    return (*find_absent(migrations, ledger), *changed)


def find_absent(migrations: Migrations, ledger: Ledger) -> Iterator[Finding]:
    """Yield refusals of the half-applied migrations that this checkout has no file for."""
    for version, attempt in _list_half_applied(ledger):
        if version not in migrations.checksums:
            shown = f"{show_path(migrations.up_folder)}/{version}.sql"
            yield Finding(
                "interrupted",
                version,
                f"is partly applied: {attempt.segments_done} of {attempt.segments_total} segments are committed, "
                f"but {shown} does not exist",
                refuses=True,
                hint="Restore the file (git pull; or deploy the newer image), then finish it: inv db.migrate\n"
                "or revert what was committed manually, then clear the attempt: inv db.repair",
            )


def find_changed(migrations: Migrations, ledger: Ledger, planned: Container[str]) -> Iterator[Finding]:
    """Yield refusals of the half-applied migrations whose file has changed, without those that are planned."""
    for version, attempt in _list_half_applied(ledger):
        if version in migrations.checksums and version not in planned and attempt.segments_done:
            from tasks.runner.parsing import read_script

            source = read_source(migrations.up_path(version))
            script = read_script(source.content, file=source.shown, version=version)
            if count_done(script, attempt.segments_done, attempt.segments_checksum) is None:
                yield describe_changed(version, attempt, source.shown)


def merge_findings(*sources: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return all findings; of several interruptions of one version, the first."""
    merged: dict[tuple[str, ...], Finding] = {}
    for finding in (finding for findings in sources for finding in findings):
        key = (finding.kind, finding.version, "" if finding.kind == "interrupted" else finding.message)
        merged.setdefault(key, finding)
    return tuple(merged.values())


def _list_half_applied(ledger: Ledger) -> Iterator[tuple[str, Attempt]]:
    for version, attempt in ledger.attempts.items():
        if attempt.action == "migrate" and attempt.interrupted and version not in ledger.checksums:
            yield version, attempt
