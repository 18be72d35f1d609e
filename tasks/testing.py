"""A pytest plugin for the tests of an application: each test gets a database of its own with the current schema.

In the conftest.py beside the application's tests:

    pytest_plugins = ["tasks.testing"]

and in a test:

    def test_a_user_can_be_created(migrated_database: str) -> None:
        engine = create_engine(migrated_database.replace("postgresql://", "postgresql+psycopg://"))

A test that models and migrations agree needs no database of its own (tasks.models):

    def test_models_and_migrations_agree(check_models: CheckModels) -> None:
        check_models("app.models:Base")

The databases are copies of a template, which is made once for the same files of MIGRATIONS_DIR. With `@pytest.mark.seeds`, the
database also has the rows of SEEDS_DIR. They are on the server of SCRATCH_DATABASE_URL, or on the embedded one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import pytest

if TYPE_CHECKING:
    from tasks.rehearsal.copies.databases import DatabaseCopies
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.settings import Settings

MARKER = "seeds"
_FAILED = "the database for this test could not be made"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", f"{MARKER}: the migrated_database of the test also has the rows of the seeds")


@pytest.fixture
def migrated_database(request: pytest.FixtureRequest, _migrated_databases: _Databases) -> Iterator[str]:
    """Yield the URL of a database for this test only, with the current schema; with the marker `seeds`, with their rows too.

    It is dropped after the test, together with the sessions in it. If it cannot be made, the first test that needs it fails with
    the reason, and the others are skipped.
    """
    with _migrated_databases.make(seeded=request.node.get_closest_marker(MARKER) is not None) as url:
        yield url


@pytest.fixture(scope="session")
def check_models(_migrated_databases: _Databases, pytestconfig: pytest.Config) -> CheckModels:
    """Return a function that fails the test if SQLAlchemy models differ from what the migrations make.

    Modules are imported in a process of their own, from the current directory, the `pythonpath` of pytest, and PYTHONPATH.
    """
    paths = [str(path) for path in pytestconfig.getini("pythonpath")]

    def check(models: str = "", *, exclude: str = "") -> None:
        problem = _migrated_databases.compare_models(models, exclude, paths)
        if problem:
            pytest.fail(problem, pytrace=False)

    return check


@pytest.fixture(scope="session")
def _migrated_databases(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[_Databases]:
    """Yield the databases of this process; the server is only started when a test needs one."""
    folder = tmp_path_factory.getbasetemp()
    # The workers of pytest-xdist have folders of their own in a common one.
    databases = _Databases(folder.parent if hasattr(pytestconfig, "workerinput") else folder)
    yield databases
    databases.close()


class CheckModels(Protocol):
    """A function that fails the test if models and migrations differ."""

    def __call__(self, models: str = "", *, exclude: str = "") -> None:
        """Compare models, those of the setting MODELS without any, and leave out the tables of `exclude`, comma-separated."""


class _Databases:
    """The databases of one pytest process, and the failures to make them; `run` is a folder that all processes of a run share."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._settings: Settings | None = None
        self._server: ScratchServer | None = None
        self._copies: DatabaseCopies | None = None
        self._failures: dict[bool, str] = {}
        self._works: set[bool] = set()

    @contextmanager
    def make(self, *, seeded: bool) -> Iterator[str]:
        """Yield the URL of a new database, and drop it in the end."""
        if seeded in self._failures:
            pytest.skip(self._failures[seeded])
        try:
            url, name, copies = self._take(seeded=seeded)
            self._works.add(seeded)
            reason = None
        except Exception as error:
            reason = _describe(error)
            if reason is None:
                raise
        if reason is not None:
            self._fail(reason, seeded=seeded)
        try:
            yield url
        finally:
            copies.drop(name)

    def close(self) -> None:
        """Drop what is left, and close the sessions."""
        if self._copies:
            self._copies.close()
        if self._server:
            self._server.close()

    def compare_models(self, models: str, exclude: str, paths: Sequence[str]) -> str:
        """Return how models differ from the migrations, or why that is not known; empty if they agree."""
        from tasks.commands.generate.check_models import compare_models
        from tasks.models.importing import start_import
        from tasks.models.references import read_references, read_tables
        from tasks.report.models import describe_difference

        try:
            settings, server = self._open_server()
            references = read_references(models, settings.models)
            with start_import(references, read_tables([exclude]), paths=paths) as started:
                return describe_difference(compare_models(server, settings, started, environ=os.environ))
        except Exception as error:
            reason = _describe(error)
            if reason is None:
                raise
            return reason

    def _take(self, *, seeded: bool) -> tuple[str, str, DatabaseCopies]:
        from psycopg.conninfo import make_conninfo

        from tasks.commands.local.client_url import compose_client_url
        from tasks.rehearsal.copies.templates import TemplateFiles

        settings, server, copies = self._open()
        name = copies.take(TemplateFiles(settings.migrations_dir, settings.seeds_dir, seeded))
        return compose_client_url(make_conninfo(server.url, dbname=name)), name, copies

    def _open(self) -> tuple[Settings, ScratchServer, DatabaseCopies]:
        from tasks.rehearsal.copies.databases import DatabaseCopies

        settings, server = self._open_server()
        self._copies = self._copies or DatabaseCopies(server)
        return settings, server, self._copies

    def _open_server(self) -> tuple[Settings, ScratchServer]:
        from tasks.config.environments import LOCAL, load_environment

        self._settings = self._settings or load_environment(LOCAL).settings
        self._server = self._server or _open_server(self._settings.scratch_url)
        return self._settings, self._server

    def _fail(self, reason: str, *, seeded: bool) -> NoReturn:
        """Fail the first test of the run with the reason, and skip the others.

        Once a database was made, a failure may be that of the moment, and only fails its test.
        """
        if seeded in self._works:
            pytest.fail(f"{_FAILED}\n{reason}", pytrace=False)
        self._failures[seeded] = f"there is no migrated database: {reason.splitlines()[0].removeprefix('❌ ')}"
        try:
            (self._run / f"no-migrated-database-{sha256(reason.encode()).hexdigest()}").touch(exist_ok=False)
        except FileExistsError:
            reported = True
        else:
            reported = False
        if reported:
            pytest.skip(self._failures[seeded])
        pytest.fail(f"{_FAILED}\n{reason}", pytrace=False)


def _open_server(url: str) -> ScratchServer:
    """Open the server of SCRATCH_DATABASE_URL, or else the embedded one for tests; raises RunnerError.

    The tests run any code of the checkout: to run its SQL with fewer rights than theirs would protect nothing.
    """
    from tasks.config.environments import PROJECT
    from tasks.postgres.server import for_tests
    from tasks.postgres.server.cluster import ServerError
    from tasks.rehearsal.copies.templates import LIMITS
    from tasks.rehearsal.errors import ScratchError
    from tasks.rehearsal.scratch.server import ScratchServer

    if url:
        return ScratchServer(url, as_superuser=True, limits=LIMITS)
    try:
        started = for_tests.start(PROJECT / ".postgres")
    except ServerError as error:
        raise ScratchError(error.message, hint=error.hint) from error
    return ScratchServer(started, embedded=True, as_superuser=True, limits=LIMITS)


def _describe(error: Exception) -> str | None:
    """Return an error as the commands print it; None for a fault of this plugin."""
    from tasks.console import PlainReport
    from tasks.console.boundary import explain
    from tasks.runner.errors import RunnerError, describe_error

    known = error if isinstance(error, RunnerError) else explain(error)
    if known is None:
        return None
    stream = StringIO()
    PlainReport(stream).write_error(describe_error(known, ""), known.announced)
    return stream.getvalue().rstrip()
