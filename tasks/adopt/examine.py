"""Find out from a schema which migrations a database has, and propose those that its ledger lacks."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasks.adopt.events import AdoptionRead, AdoptionRow
from tasks.adopt.forecast import foresee
from tasks.adopt.investigate import SearchResult, investigate
from tasks.adopt.live import LiveDatabase
from tasks.adopt.row_changes import list_row_changes
from tasks.adopt.verdicts import Verdict
from tasks.catalog import Catalog
from tasks.rehearsal.model import RehearsedMigration, read_migration_pairs
from tasks.rehearsal.scratch.opening import check_version
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.addresses import describe_connection
from tasks.runner.errors import RefusedError
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import Migrations
from tasks.runner.ledger.alembic import find_version_table, map_record
from tasks.runner.ledger.elsewhere import find_distant_ledgers
from tasks.runner.ledger.foreign import OtherLedger
from tasks.runner.ledger.foreign_versions import describe_matches
from tasks.runner.ledger.takeover import Adoption
from tasks.runner.operations.adopt import fingerprint_state, read_state
from tasks.runner.planning.choice import find_version

_FEW = 10
"""A schema belongs to another application if less than one in so many of its objects comes from the files."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The database to examine: its schema, the versions of its ledger, and the version table of another tool."""

    database: str
    live: Catalog
    recorded: tuple[str, ...] = ()
    environment: str = ""
    other: OtherLedger | None = None
    has_ledger: bool = True
    elsewhere: tuple[str, ...] = ()
    """Without a ledger: the schemas, not on search_path, that have one."""

    @property
    def seen(self) -> str:
        """Return a digest of all of this: the adoption is written only to a database in the same state."""
        return fingerprint_state(self.live, self.recorded, self.other)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Assumptions about migrations on the command line, by version or timestamp."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Examination:
    """The verdicts, and the adoptions that would be written."""

    answer: AdoptionRead
    adoptions: tuple[Adoption, ...]

    @property
    def undecided(self) -> tuple[str, ...]:
        """Return the versions that need a decision before anything is recorded."""
        return tuple(row.version for row in self.answer.rows if row.undecided)


def read_subject(runner: MigrationRunner, migrations: Migrations) -> Subject:
    """Read a database in one READ ONLY transaction."""
    with runner.read(version_table=find_version_table(migrations.folder)) as connection:
        database = describe_connection(connection)
        live, ledger, other = read_state(connection, runner, migrations)
        distant = () if ledger.exists or ledger.helpers else find_distant_ledgers(connection, ledger)
    environment = runner.environment or ledger.environment
    elsewhere = tuple(each.schema for each in distant)
    return Subject(database, live, tuple(ledger.checksums), environment, other, ledger.exists, elsewhere)


def examine(
    subject: Subject,
    migrations: Migrations,
    server: ScratchServer,
    assumed: Assumptions,
    source: LiveDatabase | None = None,
    *,
    accept_stranger: bool = False,
) -> Examination:
    """Find out which migrations a database has and which its ledger lacks; only scratch databases are written.

    `source` is the database itself, if it is reached directly, for a rehearsal of the pending migrations on a copy of its schema.
    Raises RefusedError if nothing in the database comes from these migrations, unless that is accepted, and UsageError for an
    assumption about an unknown version.
    """
    _refuse_both_directions(subject, migrations)
    check_version(server, subject.live.server_version)
    rehearsed = read_migration_pairs(migrations, with_downs=False)
    decided = _read_assumptions(assumed, [migration.name for migration in rehearsed])
    if subject.elsewhere:
        return _examine_nothing(subject, decided, migrations)
    claims = _read_claims(subject, migrations, decided)
    answers = {version: version not in claims.absent for version in claims.by} | decided
    finding = investigate(server, rehearsed, subject.live, forced=answers)
    if not accept_stranger:
        _refuse_stranger(subject, finding)
    rows = tuple(_build_row(subject, verdict, claims.by, decided, answers, finding) for verdict in finding.verdicts)
    rows, not_rehearsed = _foresee(server, finding, rehearsed, rows, source)
    answer = AdoptionRead(
        subject.environment,
        subject.database,
        rows,
        finding.proved,
        finding.own == 0,
        finding.strangers,
        finding.lacking,
        subject.other.tool.name if subject.other else "",
        claims.unmatched,
        finding.tried,
        subject.has_ledger,
        subject.elsewhere,
        not_rehearsed,
        _explain_unread(subject.other),
    )
    return Examination(answer, tuple(_make_adoption(row, claims.matched) for row in rows if row.proposed))


def _refuse_both_directions(subject: Subject, migrations: Migrations) -> None:
    places = [place for version, place in migrations.both_directions.items() if version not in subject.recorded]
    if places:
        raise RefusedError(
            "these files contain both directions:\n" + "\n".join(places),
            hint="Split them into up/ and down/: inv db.cleanup-legacy",
            state="Nothing was changed.",
        )


def _examine_nothing(subject: Subject, decided: Mapping[str, bool], migrations: Migrations) -> Examination:
    """Return what is assumed: of a database with a ledger elsewhere, the schema shows what that ledger's migrations created."""
    rows = tuple(
        AdoptionRow(
            version,
            "cannot tell",
            "not examined: the objects of this database may belong to the other ledger",
            proposed=decided.get(version, False),
            claimed="you" if version in decided else "",
        )
        for version in migrations.checksums
    )
    answer = AdoptionRead(
        subject.environment, subject.database, rows, proved=False, empty=not rows, has_ledger=False, elsewhere=subject.elsewhere
    )
    return Examination(answer, tuple(_make_adoption(row, {}) for row in rows if row.proposed))


@dataclass(frozen=True, slots=True)
class _Claims:
    """Who claims which versions to be applied, or to be absent, and the claims that match no version."""

    by: Mapping[str, str]
    matched: Mapping[str, Adoption] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()


def _read_claims(subject: Subject, migrations: Migrations, decided: Container[str]) -> _Claims:
    """Return what the ledger and another tool's record claim.

    Raises RefusedError if another tool recorded only some of the migrations that a squash replaced.
    """
    claims = dict.fromkeys((version for version in subject.recorded if version in migrations.checksums), "the ledger")
    if subject.other is None:
        return _Claims(claims)
    mapped, absent_versions = map_record(subject.other, migrations)
    for version, (present, absent) in mapped.partial.items():
        if version not in decided:
            raise RefusedError(
                f"{version} replaces {len(present) + len(absent)} migrations, of which {subject.other.tool.name} recorded only "
                f"{len(present)}; it lacks {', '.join(absent)}",
                hint="Check out the revision before the squash, run inv db.adopt and inv db.migrate there, then check out this\n"
                "revision again. Or decide about the squash: --assume-present VERSION or --assume-absent VERSION",
                state="Nothing was changed.",
            )
    matched = {adoption.version: adoption for adoption in describe_matches(subject.other, mapped.matched)}
    claims |= dict.fromkeys((*absent_versions, *matched), subject.other.tool.name)
    unmatched = tuple(f"{each.row.name or each.row.version}: {each.reason}" for each in mapped.unmatched)
    return _Claims(claims, matched, unmatched, frozenset(absent_versions))


def _explain_unread(other: OtherLedger | None) -> str:
    return f"{other.schema}.{other.tool.table}: {other.unread}" if other is not None and other.unread else ""


def _read_assumptions(assumed: Assumptions, versions: Sequence[str]) -> dict[str, bool]:
    decided = {find_version(text, versions): True for text in assumed.present}
    absent = {find_version(text, versions): False for text in assumed.absent}
    both = sorted(decided.keys() & absent.keys())
    if both:
        raise RefusedError(
            f"{both[0]} is assumed present and absent", hint="Use only one of the two flags.", state="Nothing was changed."
        )
    return decided | absent


def _refuse_stranger(subject: Subject, finding: SearchResult) -> None:
    if finding.own and finding.known * _FEW < finding.own and finding.known * _FEW < max(finding.made, 1):
        raise RefusedError(
            f"the schema does not match these migrations: of the {finding.own} objects in {subject.database}, "
            f"{finding.known} are as one of the files creates them",
            hint="Check --env, DATABASE_URL and MIGRATIONS_DIR: this may be the wrong database or folder."
            + ("" if subject.has_ledger else "\nIf it is the right one, create an empty ledger in it: inv db.adopt --apply"),
            state="Nothing was changed.",
        )


def _build_row(
    subject: Subject,
    verdict: Verdict,
    claims: Mapping[str, str],
    decided: Mapping[str, bool],
    claimed_present: Mapping[str, bool],
    finding: SearchResult,
) -> AdoptionRow:
    version = verdict.version
    recorded = version in subject.recorded
    claimed = "you" if version in decided else claims.get(version, "")
    answers = claimed_present.get(version, False)
    against = verdict.kind in ("absent", "partial") if answers else verdict.kind == "present"
    contradicted = bool(claimed) and (against or (version in finding.contradicted and verdict.kind != "cannot tell"))
    # An assumption counts even against the evidence; another tool's record does not.
    wanted = decided.get(version, verdict.recorded or (verdict.kind == "cannot tell" and answers))
    undecided = verdict.kind == "cannot tell" and not claimed
    return AdoptionRow(
        version,
        verdict.kind,
        verdict.reason,
        verdict.there,
        verdict.lacking,
        recorded,
        wanted and not recorded,
        claimed,
        contradicted,
        undecided,
    )


def _foresee(
    server: ScratchServer,
    finding: SearchResult,
    rehearsed: Sequence[RehearsedMigration],
    rows: tuple[AdoptionRow, ...],
    source: LiveDatabase | None,
) -> tuple[tuple[AdoptionRow, ...], str]:
    """Add to each pending migration what a run would do; return also why that was not rehearsed.

    A migration that would change nothing needs no decision.
    """
    pending = [migration for migration, row in zip(rehearsed, rows, strict=True) if not (row.recorded or row.proposed)]
    if not pending or not finding.own:
        return (tuple(replace(row, undecided=False) for row in rows) if not finding.own else rows), ""
    present = [migration for migration, row in zip(rehearsed, rows, strict=True) if row.recorded or row.proposed]
    prospects = foresee(server, present, pending, finding.live, source, proved=finding.proved)
    forecast_rows = []
    for migration, row in zip(rehearsed, rows, strict=True):
        if row.recorded or row.proposed:
            forecast_rows.append(row)
            continue
        forecast = prospects.forecasts.get(row.version)
        idle = forecast is not None and not (forecast.changes or forecast.error or list_row_changes(migration))
        following = prospects.describe(row.version, idle=idle)
        inserts = prospects.list_inserts(row.version)
        forecast_rows.append(replace(row, following=following, undecided=row.undecided and not idle, repeats=inserts))
    return tuple(forecast_rows), prospects.unknown


def _make_adoption(row: AdoptionRow, matched: Mapping[str, Adoption]) -> Adoption:
    evidence = f"{row.verdict}: {row.evidence}"
    if row.claimed == "you":
        evidence = f"assumed present; {'contradicts the evidence; ' if row.contradicted else ''}{evidence}"
    match = matched.get(row.version)
    if match is None:
        return Adoption(row.version, evidence)
    return replace(match, evidence=f"{match.evidence}; {evidence}")
