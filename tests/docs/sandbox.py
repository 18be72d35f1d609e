"""A copy of the checkout as it is after ./scripts/onboard.sh, with environments that are databases on its embedded server."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tasks.postgres.server import embedded
from tasks.postgres.server.cluster import Cluster
from tests.docs.normalising import ACTOR, Normaliser
from tests.docs.pages import Example, FileText
from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.own_servers import copy_cluster, remove_server
from tests.kit.projects import REPOSITORY
from tests.kit.servers import FAST_SETTINGS, Server

ENVIRONMENTS = ("staging", "prod")
"""The environments that a reader's project has beside the local one: databases on the same server."""

_ADA = {"NAME": "Ada", "EMAIL": "ada@example.com"}
_ENVIRONMENT = {"MIGRATE_ACTOR": ACTOR, "WATCH_DRIFT": "on", "TERM": "dumb", "PGTZ": "UTC", "PAGER": "cat"}
_GIT_IDENTITY = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _ADA.items()}
_SAVED = "{}_onboarded"
_SHOW_EXIT_CODE = '; echo "exit code $?"'
_SHELL_SIGNS = set("|&;<>$*(){}")


class Sandbox:
    """Runs the commands of a page in a checkout, and normalises what they print."""

    def __init__(self, checkout: Checkout, server: Server) -> None:
        self._checkout = checkout
        self._server = server
        self._root = checkout.root
        self._normaliser = self._make_normaliser()

    def run(self, step: Example | FileText) -> tuple[str, ...]:
        """Take a step, and return what it prints as the page shows it."""
        if isinstance(step, FileText):
            self._write(step)
            return ()
        # A failure is reported once where both streams are the same, as in a terminal.
        result = self.run_command(step.command, joined=any(line.startswith("❌") for line in step.output))
        return self._normaliser.show(result.stdout + result.stderr)

    def run_command(self, command: str, *, joined: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run a command line; `inv` is forked with two streams unless `joined`, everything else begins with a shell."""
        inv, shows_code = command.removesuffix(_SHOW_EXIT_CODE), command.endswith(_SHOW_EXIT_CODE)
        if inv.startswith("inv ") and not joined and not _SHELL_SIGNS & set(inv):
            result = self._checkout.inv(*shlex.split(inv)[1:], env=_ENVIRONMENT)
            result.stderr += f"exit code {result.returncode}\n" if shows_code else ""
            return result
        path = os.pathsep.join([str(self._root / ".venv/bin"), str(embedded.find_programs()), os.environ["PATH"]])
        # The output of a real terminal: the two streams in the order in which they were written.
        return self._checkout.run(["bash", "-c", f"exec 2>&1; {command}"], env={**_ENVIRONMENT, **_GIT_IDENTITY, "PATH": path})

    def reset(self) -> None:
        """Make everything as it was after onboarding: the files, and the databases."""
        self._checkout.run(["bash", "-c", "git reset --quiet --hard && git clean --quiet -d --force"], check=0)
        for name in (embedded.DATABASE, *ENVIRONMENTS):
            self._server.drop(name)
            _copy_database(self._server, _SAVED.format(name), name)

        self._normaliser = self._make_normaliser()

    def _make_normaliser(self) -> Normaliser:
        return Normaliser(str(self._root), [path.stem for path in (self._root / "migrations/up").glob("*.sql")])

    def _write(self, step: FileText) -> None:
        paths = list(self._root.glob(step.pattern))
        assert len(paths) == 1, f"{step.pattern} matches {len(paths)} files, not one"
        paths[0].write_text(step.text)


@contextmanager
def open_sandbox(folder: Path, template: Cluster) -> Iterator[Sandbox]:
    """Yield a sandbox in `folder`, whose path has to be short and open to other accounts; its server is stopped afterwards."""
    root = folder / "gaia"
    root.mkdir(parents=True)
    checkout = make_checkout(root)
    for name in ("migrations", "seeds"):
        shutil.copytree(REPOSITORY / name, root / name, dirs_exist_ok=True)
    server = copy_cluster(template, root / ".postgres")
    try:
        embedded.start(root / ".postgres", FAST_SETTINGS)
        _onboard(checkout, server)
        yield Sandbox(checkout, server)
    finally:
        remove_server(server)


def _onboard(checkout: Checkout, server: Server) -> None:
    checkout.inv("db.migrate", "db.seed", env=_ENVIRONMENT, check=0)
    for name in ENVIRONMENTS:
        checkout.write_env(name, DATABASE_URL=server.url(name))
        _copy_database(server, embedded.DATABASE, name)
        with psycopg.connect(server.url(name)) as connection:
            connection.execute("UPDATE schema_migrations_meta SET value = %s WHERE key = 'environment'", [name])
    for name in (embedded.DATABASE, *ENVIRONMENTS):
        _copy_database(server, name, _SAVED.format(name))
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=Begin"]):
        checkout.run(["git", *command], env=_GIT_IDENTITY, check=0)


def _copy_database(server: Server, source: str, name: str) -> None:
    # PostgreSQL waits up to five seconds for sessions of the template whose clients have left.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    server.administer(statement.format(sql.Identifier(name), sql.Identifier(source)))
