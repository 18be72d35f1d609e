"""Choose the versions to run, by name and checksum: files, ledger and goal → Choice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.events import AFTER_DEPLOY, Finding
from tasks.runner.ledger.replaced import explain_older_checkout, refuse_replaced
from tasks.runner.planning.sections import find_both_directions

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Ledger

_RUNS_ANYWAY = "; it runs anyway (--strict refuses it)"
_MISSING = "is applied, but this checkout has no file for it (another branch?)"
_MISSING_HINT = "inv db.rollback can undo it from the stored text, if the ledger has it."


class MigrateGoal(NamedTuple):
    """The goal to apply all pending migrations, those up to one version, or only one; `strict` refuses late files.

    `atomic`: in one transaction, all of them or none. `before_deploy`: without those that are marked to run after the deployment.
    """

    to: str = ""
    only: str = ""
    strict: bool = False
    atomic: bool = False
    before_deploy: bool = False


@dataclass(frozen=True, slots=True)
class RollbackGoal:
    """The goal to roll back the last `steps` migrations, all after version `to` ("0" for all), or `only` one."""

    steps: int = 1
    to: str = ""
    only: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for a number below 1."""
        if self.steps < 1:
            raise UsageError(f"a rollback needs at least 1 step, not {self.steps}", state="Nothing was changed.")


Goal = MigrateGoal | RollbackGoal


@dataclass(frozen=True, slots=True)
class Choice:
    """The versions of a goal, in the order in which they will run, and the findings."""

    action: str
    versions: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def choose(migrations: Migrations, ledger: Ledger, goal: Goal) -> Choice:
    """Return the versions of a goal; raises UsageError for an unknown version."""
    if isinstance(goal, RollbackGoal):
        return _choose_rollback(migrations, ledger, goal)
    pending = [version for version in migrations.checksums if version not in ledger.checksums]
    newest = max(ledger.checksums, default="")
    findings = find_differences(migrations, ledger)
    if goal.to:
        limit = find_version(goal.to, migrations.checksums)
        pending = [version for version in pending if version <= limit]
    if goal.only:
        _refuse_unknown_file(goal.only, migrations)
        pending = [version for version in pending if version == goal.only]
    if goal.before_deploy:
        findings += [_describe_left(version, ledger.environment) for version in pending if version in migrations.after_deploy]
        pending = [version for version in pending if version not in migrations.after_deploy]
    findings += find_both_directions(migrations, ledger, tuple(pending))
    # A run before the deployment applies files behind one that is marked, so its place is no mistake.
    late = [version for version in pending if version < newest and version not in migrations.after_deploy]
    findings += [_describe_late(version, newest, goal.strict) for version in late]
    findings += _refuse_partly_reverted(ledger, [])
    return Choice("migrate", tuple(pending), tuple(explain_older_checkout(findings, ledger)))


def find_differences(migrations: Migrations, ledger: Ledger) -> list[Finding]:
    """Return findings for the applied versions whose file is edited or missing."""
    findings = []
    for version, recorded in ledger.checksums.items():
        checksum = migrations.checksums.get(version)
        if checksum is None:
            findings.append(Finding("missing", version, _MISSING, hint=_MISSING_HINT))
        elif recorded is not None and checksum != recorded:
            findings.append(
                Finding(
                    "edited",
                    version,
                    "differs from the text that was applied",
                    refuses=True,
                    hint="Restore the file and make a new migration for the change (inv db.new NAME),\n"
                    "or record the new text as the applied one: inv db.repair",
                )
            )
    return findings


def find_version(name: str, versions: Iterable[str]) -> str:
    """Return the version that an argument means: a version, its timestamp, or the beginning of one; raises UsageError."""
    wanted = name.removesuffix(".sql")
    known = list(versions)
    if wanted in known:
        return wanted
    found = [version for version in known if version.startswith(wanted)] if wanted else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{name} matches {len(found)} versions: {', '.join(found[:5])}{', …' if len(found) > 5 else ''}",
            hint="Write more digits.",
            state="Nothing was changed.",
        )
    near = _find_similar(wanted, known)
    raise UsageError(
        f"there is no version {name}",
        hint=f"Did you mean {' or '.join(near)}?" if near else "inv db.status lists the versions.",
        state="Nothing was changed.",
    )


def _find_similar(wanted: str, known: Sequence[str]) -> list[str]:
    """Return up to three versions that may be meant: those with the text in their description, else the most similar ones."""
    containing = [version for version in known if wanted and wanted.lower() in version.lower()]
    if containing:
        return containing[-3:]
    import difflib

    return difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)


def _choose_rollback(migrations: Migrations, ledger: Ledger, goal: RollbackGoal) -> Choice:
    applied = list(ledger.checksums)[::-1]
    if goal.only:
        chosen = [_find_applied(goal.only, migrations, ledger)]
    elif goal.to == "0":
        chosen = applied
    elif goal.to:
        limit = find_version(goal.to, sorted({*ledger.checksums, *migrations.checksums}))
        chosen = [version for version in applied if version > limit]
    else:
        chosen = applied[: goal.steps]
    findings = [
        Finding(
            "interrupted",
            version,
            f"is partly applied: {attempt.segments_done} of {attempt.segments_total} segments are committed",
            refuses=True,
            hint="Finish it first: inv db.migrate; or revert it manually, then clear the attempt: inv db.repair",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.action == "migrate" and attempt.interrupted and version not in ledger.checksums
    ]
    findings += _refuse_partly_reverted(ledger, chosen) if goal.only else []
    findings += refuse_replaced(ledger, chosen)
    refused = {finding.version for finding in findings if finding.refuses}
    return Choice("rollback", tuple(version for version in chosen if version not in refused), tuple(findings))


def _find_applied(name: str, migrations: Migrations, ledger: Ledger) -> str:
    """Return the applied version that an argument means; raises UsageError or, for one that is not applied, RefusedError."""
    version = find_version(name, sorted({*ledger.checksums, *migrations.checksums}))
    if version not in ledger.checksums:
        raise RefusedError(
            f"{version} is not applied, so that it cannot be rolled back",
            hint="inv db.status lists the versions.",
            state="Nothing was changed.",
        )
    return version


def _refuse_partly_reverted(ledger: Ledger, chosen: list[str]) -> list[Finding]:
    """Return refusals of other versions that are partly rolled back: what the schema has of them is not known."""
    return [
        Finding(
            "interrupted",
            version,
            f"is partly rolled back: {attempt.segments_done} of {attempt.segments_total} segments of its down file are committed",
            refuses=True,
            hint="Finish it first: inv db.rollback",
        )
        for version, attempt in ledger.attempts.items()
        if attempt.action == "rollback" and attempt.interrupted and version in ledger.checksums and version not in chosen
    ]


def _refuse_unknown_file(version: str, migrations: Migrations) -> None:
    if version not in migrations.checksums:
        raise UsageError(
            f"there is no migration file {version}.sql",
            hint=f"Use the name of a file in {migrations.up_folder}.",
            state="Nothing was changed.",
        )


def _describe_left(version: str, environment: str) -> Finding:
    return Finding(
        AFTER_DEPLOY,
        version,
        "is left pending: it runs after the deployment of the application",
        hint=f"After the deployment: {compose_command('db.migrate', env=environment)}",
    )


def _describe_late(version: str, newest: str, strict: bool) -> Finding:
    return Finding(
        "late",
        version,
        f"is older than {newest}, which is already applied{'' if strict else _RUNS_ANYWAY}",
        refuses=strict,
        hint="Rename it to a later timestamp, or run without --strict." if strict else "",
    )
