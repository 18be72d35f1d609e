"""Whether a database has what the files of a checkout expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.runner.planning.choice import find_differences

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Ledger


def is_current(migrations: Migrations, ledger: Ledger) -> bool:
    """Return True if each migration of the checkout is applied completely, with the text of its file.

    Versions that only the database has are left out: during a rolling deployment, the older release runs beside the newer schema.
    So are those that run after the deployment: the application has to start before them.
    """
    pending = migrations.checksums.keys() - ledger.checksums.keys() - migrations.after_deploy
    edited = any(finding.kind == "edited" for finding in find_differences(migrations, ledger))
    unfinished = any(attempt.interrupted and version in migrations.checksums for version, attempt in ledger.attempts.items())
    return not (pending or edited or unfinished)
