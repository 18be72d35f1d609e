"""The timeouts of an environment on Fly."""

import pytest

from tasks.config.timeouts import Timeouts, read_timeouts
from tasks.runner.settings import RawSettings


def read(**values: str) -> tuple[Timeouts, list[str]]:
    problems: list[str] = []
    return read_timeouts(RawSettings(values), problems), problems


def test_each_timeout_has_a_default_and_can_be_set() -> None:
    assert read() == (Timeouts(90, 60, 30, 600), [])
    assert read(FLY_CALL_TIMEOUT="180", FLY_SILENCE_TIMEOUT="2.5") == (Timeouts(180, 60, 2.5, 600), [])


@pytest.mark.parametrize("text", ["soon", "0", "-1", "1s", "1e3", "nan", "٣", "9" * 5000])
def test_an_invalid_timeout_is_a_problem(text: str) -> None:
    _, problems = read(FLY_CALL_TIMEOUT=text, FLY_CONNECT_TIMEOUT=text)
    assert problems == [
        f"FLY_CALL_TIMEOUT={text}: write a number of seconds, for example FLY_CALL_TIMEOUT=90",
        f"FLY_CONNECT_TIMEOUT={text}: write a number of seconds, for example FLY_CONNECT_TIMEOUT=60",
    ]


@pytest.mark.parametrize(("silence", "heartbeat"), [("30", 5), ("2.5", 1), ("600", 100)])
def test_a_machine_sends_several_heartbeats_before_its_connection_counts_as_frozen(silence: str, heartbeat: int) -> None:
    assert read(FLY_SILENCE_TIMEOUT=silence)[0].heartbeat_s == heartbeat
