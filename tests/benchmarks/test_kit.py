"""Tests of the relay that delays and counts, and of the measuring of processes."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from benchmarks.kit.relays import DelayedRelay, delay
from benchmarks.kit.timing import Command, Sample
from benchmarks.kit.tools import ServerRoute
from tests.kit.databases import Database

MB = 1 << 20


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


@pytest.fixture
def pairs() -> Iterator[tuple[DelayedRelay, list[socket.socket], list[socket.socket]]]:
    """Yield a relay, two clients of it, and the ends of their connections: when they answer does not depend on the load."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        relay = stack.enter_context(delay((socket.AF_INET, server.getsockname()), 0))
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", relay.port))) for _ in range(2)]
        yield relay, clients, [stack.enter_context(server.accept()[0]) for _ in clients]


def pass_on(senders: list[socket.socket], receivers: list[socket.socket]) -> None:
    """Send a byte on each connection, then wait until all have arrived."""
    for sender in senders:
        sender.sendall(b"x")
    for receiver in receivers:
        assert receiver.recv(1) == b"x"


def test_round_trips_at_the_same_time_count_once(
    pairs: tuple[DelayedRelay, list[socket.socket], list[socket.socket]],
) -> None:
    relay, clients, ends = pairs
    for number in (1, 2):
        pass_on(clients, ends)
        pass_on(ends, clients)
        assert relay.traffic.turns == number


def test_what_is_sent_before_an_answer_counts_once(
    pairs: tuple[DelayedRelay, list[socket.socket], list[socket.socket]],
) -> None:
    relay, (client, _), (end, _) = pairs
    for _ in range(20):
        pass_on([client], [end])
    pass_on([end], [client])
    assert relay.traffic.turns == 1


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
