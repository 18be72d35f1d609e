"""Invoke's entry point: the collections that `inv` has.

Invoke loads this file as the module `tasks`; the path below makes the folder beside it importable under that name too, so that
`tasks.db` is tasks/db.py under Invoke as well.
"""

from pathlib import Path

from invoke.collection import Collection

__path__ = [str(Path(__file__).parent / "tasks")]

from tasks import alerts, db, env

namespace = Collection(db, env, alerts)
