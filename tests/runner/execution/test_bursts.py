"""What a run sends to the server without waiting: statements, record and COMMIT of a file are no turns of their own."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.cutting import start_cutting_relay
from tests.runner.operating import Operator

FILES = 6
BEGINS = b"\0CREATE TABLE t"
"""The message of a statement, not the text of its file in the record."""


def count_bursts(operator: Operator, home: Path) -> list[int]:
    """Return how many files begin in each burst of the session of the files, from the first of them to the last COMMIT."""
    with start_cutting_relay(home, operator.database) as relay:
        replace(operator, url=relay.url).migrate()
    numbers = [number for number, burst in enumerate(relay.bursts) if BEGINS in burst]
    last = max(number for number, burst in enumerate(relay.bursts) if b"COMMIT\0" in burst)
    return [burst.count(BEGINS) for burst in relay.bursts[numbers[0] : last + 1]]


@pytest.mark.parametrize("statements", [1, 25])
def test_a_file_is_one_burst_with_the_commit_of_the_one_before(statements: int, operator: Operator, short_path: Path) -> None:
    for number in range(FILES):
        rows = "".join(f"INSERT INTO t{number} VALUES ({row});\n" for row in range(1, statements))
        operator.write(f"2025010{number + 1}000000_file", f"CREATE TABLE t{number} (id int);\n{rows}")
    assert count_bursts(operator, short_path / "relay") == [1] * FILES + [0]


def test_a_look_at_the_locks_of_others_adds_bursts_to_its_file_only(operator: Operator, short_path: Path) -> None:
    for number in range(FILES):
        change = "ALTER TABLE a ADD n int;" if number == 3 else ""
        operator.write(f"2025010{number + 1}000000_file", f"CREATE TABLE t{number} (id int);\n{change}")
    operator.database.execute("CREATE TABLE a (id int)")
    bursts = count_bursts(operator, short_path / "relay")
    assert sum(bursts) == FILES
    assert len(bursts) <= FILES + 1 + 2
