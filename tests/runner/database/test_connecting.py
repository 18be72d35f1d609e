"""Connecting: what libpq resolves, the server that is reached, and refusals in the language of the server."""

import gc
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tasks.postgres.server.cluster import Cluster
from tasks.runner.database.addresses import describe_connection, describe_database
from tasks.runner.database.session import connect, describe_server
from tasks.runner.errors import ConnectError
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer, copy_cluster, remove_server
from tests.kit.servers import Server, find_machine_programs

SECRET = "geheim-92"
TRANSLATED = Path("/usr/share/locale/de/LC_MESSAGES")


@pytest.fixture
def service(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a service that leads to the database."""
    parts = conninfo_to_dict(database.url)
    text = "".join(f"{name}={parts[name]}\n" for name in ("host", "port", "user", "dbname") if parts.get(name))
    (tmp_path / "services").write_text(f"[ours]\n{text}password={SECRET}\nconnect_timeout=2\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    return "ours"


@contextmanager
def listen_silently() -> Iterator[int]:
    """Yield the port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_service_is_described_by_the_server_that_it_leads_to(database: Database, service: str) -> None:
    with connect(f"service={service}", name="test") as connection:
        reached = describe_connection(connection)
        assert connection.info.dbname == database.name
    assert describe_database(f"service={service}") == reached == describe_database(database.url)
    assert SECRET not in reached


def test_the_environment_is_described_by_the_server_that_it_leads_to(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = conninfo_to_dict(database.url)
    for variable, name in (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "user"), ("PGDATABASE", "dbname")):
        if parts.get(name):
            monkeypatch.setenv(variable, str(parts[name]))
    with connect("postgresql://", name="test") as connection:
        assert describe_database("postgresql://") == describe_connection(connection)
        assert connection.info.dbname == database.name


def test_of_several_hosts_the_one_that_is_reached_is_named(database: Database) -> None:
    host = str(conninfo_to_dict(database.url)["host"])
    url = f"host=127.0.0.1,{host} port=1,{conninfo_to_dict(database.url).get('port', 5432)} user=postgres dbname={database.name}"
    assert describe_database(url).startswith("postgres@127.0.0.1:1,/")
    assert describe_server(url, name="test") == describe_database(database.url)


def test_an_unknown_service_is_named(service: str) -> None:
    with pytest.raises(ConnectError, match='definition of service "other" not found') as refused:
        connect("service=other", name="test")
    assert "PGSERVICEFILE" in refused.value.hint


@pytest.mark.parametrize("given", ["PGCONNECT_TIMEOUT", "service", "url"])
def test_a_stated_connect_timeout_is_honoured(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listen_silently() as port:
        url = f"host=127.0.0.1 port={port} user=me dbname=db sslmode=disable"
        if given == "PGCONNECT_TIMEOUT":
            monkeypatch.setenv(given, "2")
        elif given == "url":
            url += " connect_timeout=2"
        else:
            (tmp_path / "services").write_text("[short]\nconnect_timeout=2\n")
            monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
            url += " service=short"
        with pytest.raises(ConnectError, match="timeout expired") as refused:
            connect(url, name="test")
    assert "did not answer in time" in refused.value.hint


def test_options_of_the_environment_are_honoured(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.execute("CREATE SCHEMA elsewhere")
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    with connect(database.url, name="test") as connection:
        assert connection.schemas == ("elsewhere",)


@pytest.mark.parametrize("host", ["a..b", "a" * 70, "no-such-host.invalid"])
def test_an_impossible_host_is_an_error_with_a_hint(host: str) -> None:
    with pytest.raises(ConnectError) as refused:
        connect(f"postgresql://me:{SECRET}@{host}/db", name="test")
    assert SECRET not in str(refused.value)
    assert refused.value.hint


@pytest.fixture(scope="module")
def german_server(embedded: Server) -> Iterator[OwnServer]:
    """Yield a server of this machine whose messages are German, and that requires a password from all but the superuser."""
    programs = find_machine_programs()
    if programs is None or not list(TRANSLATED.glob("postgres*.mo")):
        pytest.skip("no PostgreSQL with German messages is installed on this machine")
    home = Path(tempfile.mkdtemp(dir=embedded.cluster.data.parents[1]))
    home.chmod(0o711)
    server = copy_cluster(Cluster(home.parent / "german" / "data", programs), home)
    before = {name: os.environ.get(name) for name in ("LANGUAGE", "LC_ALL")}
    os.environ |= {"LANGUAGE": "de", "LC_ALL": "C.UTF-8"}
    try:
        server.start(lc_messages="C.UTF-8", max_connections="20")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    server.allow("local all postgres trust", "local all all scram-sha-256")
    yield server
    remove_server(server)


@pytest.mark.parametrize(
    ("user", "name", "sqlstate", "hint"),
    [
        ("postgres", "nirgends", "3D000", "inv db.create creates the one that it names"),
        ("niemand", "postgres", "28P01", "Check user and password"),
        ("postgres", "postgres?options=-cnonsense%3D1", "42704", "PGOPTIONS"),
        ("postgres", "postgres?options=-clock_timeout%3Dx", "22023", "PGOPTIONS"),
    ],
)
def test_a_refusal_in_another_language_has_its_hint(
    german_server: OwnServer, user: str, name: str, sqlstate: str, hint: str
) -> None:
    url = german_server.url("postgres").replace("//postgres@", f"//{user}:{SECRET}@")
    url = url.replace("/postgres?", f"/{name}&" if "?" in name else f"/{name}?", 1)
    with pytest.raises(ConnectError) as refused:
        connect(url, name="test")
    assert (refused.value.sqlstate, "FATAL:  " in refused.value.message) == (sqlstate, True)
    assert hint in refused.value.hint
    assert SECRET not in refused.value.message


def test_a_refused_connection_leaves_no_descriptor_open(german_server: OwnServer) -> None:
    url = german_server.url("nirgends")
    with pytest.raises(ConnectError):
        connect(url, name="test")
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(ConnectError):
            connect(url, name="test")
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
