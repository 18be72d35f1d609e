"""Verify migrations as db.verify does, on a scratch server."""

from collections.abc import Iterable

from tasks.rehearsal.events import MigrationVerified, VerifyFinished
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.verify import VerifyOptions, verify

VERSIONS = [f"2025010{number}000000_v{number}" for number in range(1, 9)]


def make_migrations(*texts: tuple[str, str | None]) -> tuple[RehearsedMigration, ...]:
    """Return a migration for each pair of up and down, named by consecutive versions."""
    return tuple(
        RehearsedMigration(version, up, down, f"up/{version}.sql", f"down/{version}.sql")
        for version, (up, down) in zip(VERSIONS, texts, strict=False)
    )


def verify_migrations(
    server: ScratchServer,
    migrations: tuple[RehearsedMigration, ...],
    *,
    chosen: Iterable[str] = (),
    applied: Iterable[str] = (),
    with_data: bool = False,
    timeout_s: float | None = None,
) -> list[MigrationVerified]:
    """Verify migrations, by default the last one; check the totals, and return the result of each."""
    selection = Selection(migrations, tuple(chosen) or (migrations[-1].name,), "chosen", frozenset(applied))
    _, *verified, finished = verify(server, selection, VerifyOptions(with_data, timeout_s))
    results = [event for event in verified if isinstance(event, MigrationVerified)]
    assert isinstance(finished, VerifyFinished)
    assert finished.count == len(results)
    assert finished.found == sum(any(not each.mild for each in result.findings) for result in results)
    return results


def verify_last(
    server: ScratchServer, *texts: tuple[str, str | None], with_data: bool = False, timeout_s: float | None = None
) -> MigrationVerified:
    """Verify the last of some pairs of up and down, and return its result."""
    (verified,) = verify_migrations(server, make_migrations(*texts), with_data=with_data, timeout_s=timeout_s)
    return verified


def list_found(verified: MigrationVerified) -> list[str]:
    """Return the kinds of the findings, in order."""
    return [each.what for each in verified.findings]
