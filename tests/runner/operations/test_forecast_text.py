"""A forecast travels to the machine that runs it as one argument, which is checked there."""

import base64
import json
import zlib

import pytest

from tasks.runner.errors import UsageError
from tasks.runner.events import StatementVerdict
from tasks.runner.operations.forecast_text import pack_forecast, unpack_forecast
from tests.runner.operating import A, B

WORST = StatementVerdict(B, 3, "blocks_all", 1.5, 40.0)
BRIEF = StatementVerdict(A, 1, "brief", None, None)


def compress(rows: object) -> str:
    """Return what `pack_forecast` would return for these rows."""
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(rows).encode())).decode()


def test_verdicts_are_passed_on_in_the_order_of_the_files() -> None:
    harmless = StatementVerdict(A, 2, "harmless", 0.0, 0.1)
    unknown = StatementVerdict(A, 3, "of a later version", None, None)
    assert unpack_forecast(pack_forecast([WORST, unknown, harmless, BRIEF])) == (BRIEF, harmless, WORST)
    assert pack_forecast([unknown]) == pack_forecast([]) == ""
    assert unpack_forecast("") == ()


def test_of_a_forecast_that_is_too_long_the_worst_statements_are_passed_on() -> None:
    many = [StatementVerdict(A, number, "brief", number / 7, number * 1.3) for number in range(1, 30_000)]
    text = pack_forecast([*many, WORST])
    assert len(text) < 100_000
    assert WORST in unpack_forecast(text)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        base64.urlsafe_b64encode(b"not compressed").decode(),
        compress({"version": A}),
        compress([["../up", 1, 0, 1, 2]]),
        compress([[A, 0, 0, 1, 2]]),
        compress([[A, 1, 9, 1, 2]]),
        compress([[A, True, 0, 1, 2]]),
        compress([[A, 1, 0, -1, 2]]),
        compress([[A, 1, 0, "1", 2]]),
        compress([[A, 1, 0, float("inf"), 2]]),
        compress([[A, 1, 0]]),
        compress([1]),
        base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000)).decode(),
        "A" * 70_000,
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--forecast is not a forecast"):
        unpack_forecast(text)
