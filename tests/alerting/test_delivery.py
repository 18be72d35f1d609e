"""Sending an alert: a service that does not respond delays a run only briefly, and no secret is printed."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.alerting import delivery
from tasks.alerting.delivery import Sending
from tests.kit.endpoints import REFUSING, SILENT, Endpoint, open_endpoint
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S, wait_until

# Some of apprise's many services import modules that Python is about to remove.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SEND = """
import sys
from tasks.alerting.delivery import Sending
sending = Sending([sys.argv[1]], "title", "body", "failed")
"""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Yield an endpoint."""
    with open_endpoint() as endpoint:
        yield endpoint


def test_a_message_arrives_unchanged(endpoint: Endpoint, capfd: pytest.CaptureFixture[str]) -> None:
    assert Sending([endpoint.url("/a")], "a <title>", "1 < 2 & *so* on\n  \\n", "failed").finish(LIMIT_S)
    ((path, content),) = endpoint.messages
    assert (path, content["title"], content["message"]) == ("/a", "a <title>", "1 < 2 & *so* on\n  \\n")
    assert content["type"] == "failure"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("json://127.0.0.1:1/s3cret", "json://…: no connection, or no answer"),
        ("json://me:s3cret@127.0.0.1:1/", "json://…: no connection, or no answer"),
        ("no-service://s3cret", "no-service://…: apprise does not know this kind of address"),
        ("xoxb-s3cret", "an address without a scheme://: apprise does not know this kind of address"),
        ("slack://s3cret", "slack://…: apprise does not know this kind of address"),
    ],
)
def test_a_failure_is_reported_without_the_secret_parts_of_the_address(
    url: str, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not Sending([url], "title", "body", "failed").finish(LIMIT_S)
    output = capfd.readouterr()
    assert output.err == f"⚠️  The alert could not be sent to {fault}\n"
    assert output.out == ""


def test_every_address_gets_the_message_and_those_that_fail_are_reported(
    endpoint: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    urls = [endpoint.url(REFUSING), endpoint.url("/one"), endpoint.url(SILENT), endpoint.url("/two")]
    sending = Sending(urls, "title", "body", "failed")
    wait_until(lambda: len(sending._faults) == len(urls) - 1, what="the answers of all but the silent one")
    assert not sending.finish(0.1)
    assert len(endpoint.messages) == len(urls)
    assert capfd.readouterr().err.splitlines() == [
        "⚠️  The alert could not be sent to json://… (1 of 4): HTTP 500",
        "⚠️  The alert could not be sent to json://… (3 of 4): no answer yet",
    ]


def test_the_time_in_which_the_library_is_loaded_does_not_count(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_loaded", threading.Event())
    with ThreadPoolExecutor() as pool:
        with delivery._loading:
            sending = Sending([endpoint.url()], "title", "body", "failed")
            finished = pool.submit(sending.finish, 0.1)
            with pytest.raises(TimeoutError):
                finished.result(0.5)
        wait_until(lambda: endpoint.messages, what="the message")
        finished.result()


@pytest.mark.parametrize(
    ("script", "is_interrupted"),
    [("print(sending.finish(600))", True), ("sys.stdin.readline(); print(sending.finish(0.1))", False)],
    ids=["Ctrl-C", "deadline"],
)
def test_the_process_ends_even_if_the_service_does_not_respond(endpoint: Endpoint, script: str, is_interrupted: bool) -> None:
    command = [sys.executable, "-c", SEND + script, endpoint.url(f"{SILENT}?rto=600")]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_until(lambda: endpoint.messages, what="the message")
            if is_interrupted:
                process.send_signal(signal.SIGINT)
            output, errors = process.communicate("\n", timeout=LIMIT_S)
        finally:
            process.kill()
    assert (process.returncode, output) == (0, "False\n")
    assert errors == "⚠️  The alert could not be sent to json://…: no answer yet\n"
