"""Tests of the relay that delays and counts, and of the measuring of processes."""

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from benchmarks.kit.relays import DelayedRelay, delay
from benchmarks.kit.timing import Command, Sample
from benchmarks.kit.tools import ServerRoute
from tests.kit.databases import Database

MB = 1 << 20
ASKS_FOR_SSL, ASKS_FOR_GSS = 80877103, 80877104
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@pytest.fixture
def relay(database: Database) -> Iterator[DelayedRelay]:
    path = next(database.server.cluster.socket_folder.glob(".s.PGSQL.*[0-9]"))
    with delay((socket.AF_UNIX, str(path)), 0.1) as running:
        yield running


def connect(relay: DelayedRelay, database: Database) -> psycopg.Connection:
    return psycopg.connect(ServerRoute("127.0.0.1", relay.port).build_url("postgresql", database.name), autocommit=True)


def test_a_relay_counts_each_round_trip_that_waits_for_the_one_before(relay: DelayedRelay, database: Database) -> None:
    with connect(relay, database) as first:
        assert relay.traffic.turns == 1
        first.execute("SELECT 1; SELECT 2")
        first.execute("SELECT 3")
        assert relay.traffic.turns == 3
    with connect(relay, database) as second:
        second.execute("SELECT 4")
    assert (relay.traffic.turns, relay.traffic.connections) == (5, 2)


def test_round_trips_at_the_same_time_count_once(relay: DelayedRelay) -> None:
    address = ("127.0.0.1", relay.port)
    with socket.create_connection(address) as first, socket.create_connection(address) as second:
        for number, request in enumerate((ASKS_FOR_SSL, ASKS_FOR_GSS), 1):
            for client in (first, second):
                client.sendall(struct.pack("!ii", 8, request))
            assert [client.recv(2) for client in (first, second)] == [b"N", b"N"]
            assert relay.traffic.turns == number


def test_queries_of_a_pipeline_count_once(relay: DelayedRelay, database: Database) -> None:
    with connect(relay, database) as connection:
        with connection.pipeline():
            for number in range(20):
                connection.execute(f"SELECT {number}")
        assert relay.traffic.turns == 2


def test_a_relay_passes_everything_on_in_its_order(relay: DelayedRelay, database: Database) -> None:
    text = "".join(map(str, range(200_000)))
    with connect(relay, database) as connection:
        assert connection.execute("SELECT reverse(reverse(%s))", (text,)).fetchone() == (text,)
    assert min(relay.traffic.sent, relay.traffic.received) > len(text)


def test_the_peak_of_a_process_is_its_own() -> None:
    ballast = bytearray(100 * MB)
    small = Command([sys.executable, "-I", "-S", "-c", "pass"]).run()
    large = Command([sys.executable, "-I", "-S", "-c", f"bytearray({len(ballast)})"]).run()
    assert small.peak < 50 * MB < len(ballast) < large.peak


def test_a_process_that_fails_is_reported_with_its_errors() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        Command([sys.executable, "-c", "import sys; sys.exit('a reason')"]).run()
    assert (caught.value.returncode, caught.value.stderr) == (1, b"a reason\n")


def test_a_process_is_ended_at_its_limit() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        Command([sys.executable, "-c", "import threading; threading.Event().wait()"]).run(limit_s=0.1)


def test_a_tool_that_ran_less_often_is_compared_in_the_rounds_of_both() -> None:
    assert Sample((3.0, 9.0, 9.0)).ratio_to(Sample((2.0,))) == 1.5
