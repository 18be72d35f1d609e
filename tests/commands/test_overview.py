"""Several environments side by side: `inv` as a process in a checkout with a .env file for each, on real databases."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.commands.overview import is_well, limit_rows, read_histories, read_overview
from tasks.config.environments import Environment, load_environment
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import ReportedError, RunnerError
from tasks.runner.events import EnvironmentStatus, Event, StatusesRead, StatusRead, StatusRow, from_json
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.databases import Database, fresh_database
from tests.kit.servers import Server
from tests.kit.waiting import LIMIT_S
from tests.runner.operating import A, B, C

UNREACHABLE = "postgresql://gaia:s3cret@127.0.0.1:1/gaia"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout with three migrations, each of which creates a table."""
    checkout = make_checkout(tmp_path / "checkout")
    for version in (A, B, C):
        checkout.write_up(version, f"CREATE TABLE {version[-1]} ();")
    return checkout


@pytest.fixture
def new_database(embedded: Server) -> Iterator[Callable[[], Database]]:
    """Yield a function that creates an empty database."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_database(embedded))


def prepare(checkout: Checkout, environment: str, url: str, *, to: str = "") -> None:
    """Configure a database for an environment, and migrate it."""
    checkout.write_env(environment, DATABASE_URL=url)
    runner = MigrationRunner(url, migrations_dir=checkout.root / "migrations", environment=environment)
    assert list(migrate(runner, MigrateGoal(to=to)))


def read(output: str) -> StatusesRead:
    """Read the one line of JSON."""
    event = from_json(output)
    assert isinstance(event, StatusesRead)
    return event


def test_each_version_is_a_row_and_each_environment_a_column_in_the_given_order(
    checkout: Checkout, new_database: Callable[[], Database]
) -> None:
    prepare(checkout, "dev", new_database().url)
    prepare(checkout, "staging", new_database().url, to=A)
    checkout.write_env("prod", DATABASE_URL=UNREACHABLE)
    result = checkout.inv("db.status", "--env=staging,prod,dev,staging", "--html=page.html", check=0)
    head, _, names, *rows = result.stdout.splitlines()
    assert head == "staging, prod, dev: 3 versions; times are UTC"
    assert names.split() == ["version", "staging", "prod", "dev"]
    assert [row.split("  ")[0] for row in rows[:3]] == [A, B, C]
    assert "pending" in rows[1]
    assert "not reached" in rows[1]
    assert rows[4:6] == ["staging: 1 applied, 2 pending", "dev: 3 applied"]
    assert rows[6].startswith("❌ prod could not be reached: cannot connect to gaia@127.0.0.1:1/gaia: ")
    assert any(line.startswith("   Next:  ") for line in rows[7:])
    assert "s3cret" not in result.stdout
    page = (checkout.root / "page.html").read_text()
    assert '<td class="pending"' in page
    assert 'aria-label="staging: 1 applied; dev: 3 applied"' in page, "the history of those that could be reached"


def test_all_selects_the_configured_environments_and_the_check_finds_pending_migrations(
    checkout: Checkout, new_database: Callable[[], Database]
) -> None:
    prepare(checkout, "dev", new_database().url)
    prepare(checkout, "review", new_database().url, to=B)
    url = {"DATABASE_URL": new_database().url}
    (checkout.root / ".env.moon").write_text("LOCK_TIMEOUT=1s\n")
    result = checkout.inv("db.status", "--env=all", "--check", "--json", "--limit=2", env=url, check=4)
    overview = read(result.stdout)
    assert result.stderr == ""
    states = {column.environment: [row.state for row in column.rows] for column in overview.environments}
    assert states == {"local": ["pending"] * 3, "dev": ["applied"] * 3, "review": ["applied", "applied", "pending"]}
    assert overview.total == 3
    checkout.inv("db.status", "--env=dev,", "--check", check=0)


def test_the_overview_does_not_create_the_embedded_server(checkout: Checkout, database: Database) -> None:
    prepare(checkout, "dev", database.url)
    overview = read(checkout.inv("db.status", "--env=all", "--json", check=0).stdout)
    assert [column.environment for column in overview.environments] == ["dev"]
    assert not (checkout.root / ".postgres").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--env=dev,moon",), "there is no environment moon"),
        (("--env=,",), "no environment selected"),
        (("--env=all",), "no environment selected"),
        (("--env=dev,prod", "--limit=-1"), "--limit must be a whole number of at least 1 (got -1)"),
    ],
)
def test_an_invalid_selection_is_refused(checkout: Checkout, arguments: tuple[str, ...], message: str) -> None:
    assert f"❌ {message}" in checkout.inv("db.status", *arguments, check=2).stderr


@contextmanager
def open_gate(database: Database, barrier: threading.Barrier) -> Iterator[str]:
    """Yield a URL of a database through a proxy that connects only after the barrier is complete."""
    folder, port = database.server.cluster.socket_folder, 5432

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def forward(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(threading.BrokenBarrierError):
            barrier.wait(LIMIT_S)
            server.connect(f"{folder}/.s.PGSQL.{port}")
            back = threading.Thread(target=copy, args=(server, client))
            back.start()
            copy(client, server)
            back.join()

    def listen() -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            forward(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT_S)
        thread = threading.Thread(target=listen)
        thread.start()
        yield f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/{database.name}?sslmode=disable"
        thread.join()


def test_all_environments_are_queried_concurrently(checkout: Checkout, new_database: Callable[[], Database]) -> None:
    barrier = threading.Barrier(3)
    names = ("dev", "staging", "prod")
    with ExitStack() as stack:
        for name in names:
            checkout.write_env(name, DATABASE_URL=stack.enter_context(open_gate(new_database(), barrier)))
        overview = read(checkout.inv("db.status", f"--env={','.join(names)}", "--json", check=0).stdout)
    assert [column.error for column in overview.environments] == ["", "", ""]


ROW = StatusRow(A, "applied")
DEV = EnvironmentStatus("dev", "", (ROW, StatusRow(B, "applied")))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (DEV, True),
        (EnvironmentStatus("dev", "", ()), True),
        (EnvironmentStatus("dev", "gone", ()), False),
        *((replace(DEV, rows=(ROW, StatusRow(B, state))), False) for state in ("pending", "late", "edited", "missing")),
    ],
)
def test_an_environment_is_well_if_it_was_reached_and_has_only_applied_versions(
    column: EnvironmentStatus, expected: bool
) -> None:
    assert is_well(StatusesRead((DEV, column), 2)) is expected


def test_a_limit_keeps_the_newest_versions_of_all_environments() -> None:
    prod = EnvironmentStatus("prod", "", (ROW, StatusRow(C, "missing")))
    limited = limit_rows(StatusesRead((DEV, prod), 3), 2)
    assert [[row.version for row in column.rows] for column in limited.environments] == [[B], [C]]
    assert limited.total == 3


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RunnerError("no machine; postgresql://me:s3cret@host/db", hint="deploy"), "no machine; postgresql://me:***@host/db"),
        (ServerError("no server", "start it"), "no server"),
        (ReportedError("", exit_code=1), "no answer"),
        (LookupError("a mistake of ours"), "LookupError: a mistake of ours"),
        (None, "no answer"),
    ],
)
def test_an_error_in_one_environment_does_not_hide_the_others(tmp_path: Path, error: Exception | None, message: str) -> None:
    def open_status(environment: Environment) -> Iterator[Event]:
        if environment.name == "dev":
            yield StatusRead("dev", "db", DEV.rows, (), 2)
        if error is not None:
            raise error

    environments = [load_environment(name, project=tmp_path, environ={}) for name in ("prod", "dev")]
    prod, dev = read_overview(environments, open_status).environments
    assert (prod.error, dev) == (message, DEV)
    assert prod.hint == str(getattr(error, "hint", ""))


def test_a_history_that_cannot_be_read_has_its_reason_without_the_password(checkout: Checkout) -> None:
    checkout.write_env("dev", DATABASE_URL=UNREACHABLE)

    def open_history(_environment: Environment) -> Iterator[Event]:
        raise RunnerError(f"cannot read {UNREACHABLE}")

    environment = load_environment("dev", project=checkout.root, environ={})
    [history] = read_histories([environment], open_history)
    assert (history.environment, history.rows) == ("dev", ())
    assert history.unknown.startswith("cannot read postgresql://gaia:")
    assert "s3cret" not in history.unknown
