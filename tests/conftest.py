"""The fixtures that all tests share; tests/kit implements them."""

import gc
import itertools
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tasks.postgres.server import embedded as embedded_server
from tasks.postgres.server.cluster import Cluster
from tests.kit.databases import Database, fresh_database
from tests.kit.disks import mount_small_disk
from tests.kit.home import choose_files_place, make_home, remove_home
from tests.kit.majors import (
    FIXTURES,
    MARKER,
    ONLY_NEWEST,
    OPTION,
    PROGRAMS,
    choose_majors,
    depends_on_version,
    describe_majors,
    make_parameters,
    uses_older_server,
)
from tests.kit.own_servers import OwnServer, copy_cluster, remove_server
from tests.kit.poolers import Pooler, start_pgbouncer
from tests.kit.projects import Project, make_project
from tests.kit.servers import Server, find_programs, read_major_version, start_server

_home = pytest.StashKey[Path]()
_majors = pytest.StashKey[list[int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the run; a worker gets it from the process that distributes the tests."""
    # A process that a script starts in the background ignores SIGINT, and so would the processes of the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", f"{ONLY_NEWEST}: needs what only the embedded programs have")
    config.addinivalue_line("markers", f"{MARKER}: runs on versions other than the newest only with {OPTION}")
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    config.stash[_home] = home = Path(worker_input["home"]) if worker_input else make_home()
    if worker_input:
        _find_worker(home, os.getpid()).touch()
    else:
        config.option.basetemp = config.option.basetemp or choose_files_place(home)
    signal.signal(signal.SIGTERM, partial(_end_run, config))
    config.stash[_majors] = choose_majors(find_programs(), config.getoption(OPTION))


def _find_worker(home: Path, pid: int | str) -> Path:
    """Return the file that records a worker process."""
    return home / f"worker-{pid}"


def _end_run(config: pytest.Config, *_: object) -> None:
    """End the run in order on SIGTERM: its workers too, with the teardown of their fixtures."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    session = config.pluginmanager.get_plugin("session")
    if session is not None:
        # The code under test may handle the interrupt.
        session.shouldstop = "ended by SIGTERM"
    if not hasattr(config, "workerinput"):
        for path in config.stash[_home].glob(_find_worker(Path(), "*").name):
            with suppress(ProcessLookupError):
                os.kill(int(path.name.rpartition("-")[2]), signal.SIGTERM)
    raise KeyboardInterrupt("ended by SIGTERM")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return two more than there are processors, since some tests wait; each worker collects all tests, so more cost more."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the folder of the run to a worker process."""
    node.workerinput["home"] = str(node.config.stash[_home])


def pytest_collection() -> None:
    """Collect no garbage while the tests are collected: nearly all of it is kept."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Exclude the thousands of collected tests from garbage collection."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the shared servers and remove the folder of the run when all workers have ended."""
    if hasattr(config, "workerinput"):
        _find_worker(config.stash[_home], os.getpid()).unlink(missing_ok=True)
    else:
        signal.signal(signal.SIGTERM, lambda *_: None)
        remove_home(config.stash[_home])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the versions of PostgreSQL."""
    text = "run only the tests that depend on the version of the server, on these versions of PostgreSQL (such as 15,16,17)"
    parser.addoption(OPTION, help=text, metavar="VERSIONS")


def pytest_report_header(config: pytest.Config) -> str:
    """Return the line that names the versions of PostgreSQL."""
    return describe_majors(find_programs(), config.stash[_majors])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many fault injections of each kind passed: the kinds are the files of tests/stress."""
    paths = (Path(report.nodeid.partition("::")[0]) for report in terminalreporter.stats.get("passed", ()))
    kinds = Counter(path.stem.removeprefix("test_").replace("_", " ") for path in paths if path.parent.name == "stress")
    if kinds:
        terminalreporter.write_line(f"stress: {', '.join(f'{number} {kind}' for kind, number in sorted(kinds.items()))}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with `any_database` on each chosen server, and tests with `older_server` on each but the embedded one.

    The tests of some folders run on each chosen server too, whatever their fixtures are.
    """
    majors = metafunc.config.stash[_majors]
    markers = {marker.name for marker in metafunc.definition.iter_markers()}
    if metafunc.config.getoption(OPTION) is None and MARKER in markers:
        majors = majors[:1]
    used = [fixture for fixture in FIXTURES if fixture in metafunc.fixturenames]
    if not used and depends_on_version(metafunc.definition) and ONLY_NEWEST not in markers:
        used = [PROGRAMS]
    for fixture in used:
        metafunc.parametrize(fixture, make_parameters(fixture, majors), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --majors, keep only the tests that depend on the version of the server; without it, leave out those that need it."""
    if config.getoption(OPTION) is not None:
        kept = {item: None for item in items if depends_on_version(item) and item.get_closest_marker(ONLY_NEWEST) is None}
    else:
        kept = {item: None for item in items if item.get_closest_marker(MARKER) is None or not uses_older_server(item)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = list(kept)


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Callable[[Path], Server]]:
    """Yield a function that returns a running server with the programs in a folder."""
    started: dict[Path, Server] = {}

    def start(programs: Path) -> Server:
        if programs not in started:
            home = pytestconfig.stash[_home] / f"pg{read_major_version(programs)}"
            started[programs] = start_server(home, programs)
        return started[programs]

    yield start
    for server in started.values():
        server.close()


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Path:
    """Return the server programs that a test uses: the embedded ones, but with --majors those of the version."""
    chosen: Path = getattr(request, "param", embedded_server.find_programs())
    return chosen


@pytest.fixture(scope="session")
def embedded(servers: Callable[[Path], Server], programs: Path) -> Server:
    """Return the server that all workers share, of the embedded programs in a usual run."""
    return servers(programs)


@pytest.fixture
def database(embedded: Server) -> Iterator[Database]:
    """Yield an empty database on the embedded server."""
    with fresh_database(embedded) as database:
        yield database


@pytest.fixture
def any_database(request: pytest.FixtureRequest, servers: Callable[[Path], Server]) -> Iterator[Database]:
    """Yield an empty database on each chosen server in turn: by default, the newest and the oldest that are present."""
    with fresh_database(servers(request.param)) as database:
        yield database


@pytest.fixture
def older_server(request: pytest.FixtureRequest, servers: Callable[[Path], Server]) -> Server:
    """Return each chosen server in turn that is older than the embedded one."""
    return servers(request.param)


@pytest.fixture
def short_path(pytestconfig: pytest.Config) -> Iterator[Path]:
    """Yield a folder with a short path for servers and sockets, which other accounts can traverse."""
    folder = Path(tempfile.mkdtemp(dir=pytestconfig.stash[_home]))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(pytestconfig: pytest.Config, programs: Path) -> Cluster:
    """Return a cluster to copy, of the embedded programs in a usual run; the first copy makes it."""
    return Cluster(pytestconfig.stash[_home] / f"template{read_major_version(programs)}" / "data", programs)


@pytest.fixture
def new_server(template: Cluster, short_path: Path) -> Iterator[Callable[..., OwnServer]]:
    """Yield a function that makes a server for this test only, which is not started; with `disk_megabytes`, on a small disk."""
    numbers = itertools.count(1)
    with ExitStack() as stack:

        def make(*, disk_megabytes: int | None = None) -> OwnServer:
            folder = short_path / f"server{next(numbers)}"
            if disk_megabytes is not None:
                stack.enter_context(mount_small_disk(folder, disk_megabytes))
            server = copy_cluster(template, folder)
            stack.callback(remove_server, server)
            return server

        yield make


@pytest.fixture
def own_server(new_server: Callable[..., OwnServer]) -> OwnServer:
    """Return a running server for this test only."""
    server = new_server()
    server.start()
    return server


@pytest.fixture
def pgbouncer(request: pytest.FixtureRequest, database: Database, short_path: Path) -> Iterator[Pooler]:
    """Yield a PgBouncer in front of `database`, with 20 backends or the number of an indirect parameter."""
    with start_pgbouncer(short_path / "pgbouncer", database, pool_size=getattr(request, "param", 20)) as pooler:
        yield pooler


@pytest.fixture
def project(tmp_path: Path, database: Database) -> Iterator[Project]:
    """Yield an empty project folder for `database`."""
    project = make_project(tmp_path / "project", database.url, database.server.url())
    yield project
    project.end_processes()
