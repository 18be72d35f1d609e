"""Notices of the server: each comes with the statement that raised it, and a flood of them blocks neither side."""

import pytest

from tasks.runner.events import Event, NoticeRaised, StatementFinished, StatementStarted, StepFailed, StepFinished, StepStarted
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.runner.operating import A, B, Operator, collect_failure, pick

SAY = "DO $$ BEGIN RAISE NOTICE '{}'; END $$;\n"


def show(events: list[Event]) -> list[str]:
    """Return the events of steps and statements, each as one word with its number or its text."""
    words = []
    for event in events:
        if isinstance(event, NoticeRaised):
            words.append(f"{event.version[-1]}: {event.message}")
        elif isinstance(event, StatementStarted):
            words.append(f"start {event.number}")
        elif isinstance(event, StatementFinished):
            words.append(f"finish {event.number}")
        elif isinstance(event, StepStarted | StepFinished):
            words.append(f"{event.kind} {event.version[-1]}")
    return words


def test_a_notice_comes_between_start_and_end_of_its_statement(any_operator: Operator) -> None:
    say = SAY.format("{}") + SAY.format("{}").replace("END", "RAISE WARNING 'and'; END")
    any_operator.write(A, say.format("one", "two") + "SELECT 1;\nDROP TABLE IF EXISTS nix;\n" + SAY.format("end"))
    any_operator.write(B, SAY.format("again"))
    assert show(any_operator.migrate()) == [
        "step_started a",
        *("start 1", "a: one", "finish 1"),
        *("start 2", "a: two", "a: and", "finish 2"),
        *("start 3", "finish 3"),
        *("start 4", 'a: table "nix" does not exist, skipping', "finish 4"),
        *("start 5", "a: end", "finish 5"),
        "step_finished a",
        "step_started b",
        *("start 1", "b: again", "finish 1"),
        "step_finished b",
    ]


def test_a_notice_of_the_end_of_a_transaction_belongs_to_its_file(operator: Operator) -> None:
    operator.database.execute(
        "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'late %', NEW.n; RETURN NULL; END $$;"
        "CREATE TABLE t (n int);"
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION say()"
    )
    operator.write(A, "INSERT INTO t VALUES (1);\nSELECT 1;")
    operator.write(B, "INSERT INTO t VALUES (2);\nSELECT 1;")
    words = show(operator.migrate())
    assert [word for word in words if word[1] == ":"] == ["a: late 1", "b: late 2"]
    for name, number in (("a", 1), ("b", 2)):
        assert words.index(f"step_started {name}") < words.index(f"{name}: late {number}") < words.index(f"step_finished {name}")


def test_a_notice_of_the_parser_comes_with_its_statement(operator: Operator) -> None:
    name = "x" * 70
    truncated = f'b: identifier "{name}" will be truncated to "{name[:63]}"'
    operator.write(A, SAY.format("one"))
    operator.write(
        B, f"SELECT 1 AS {name};\nSELECT 2;\nSELECT 3 AS {name};\nSET standard_conforming_strings = off;\nSELECT '\\a';"
    )
    words = show(operator.migrate())
    assert words[words.index("step_started b") + 1 : -1] == [
        *("start 1", truncated, "finish 1"),
        *("start 2", "finish 2"),
        *("start 3", truncated, "finish 3"),
        *("start 4", "finish 4"),
        *("start 5", "b: nonstandard use of escape in a string literal", "finish 5"),
    ]


def test_notices_before_an_error_come_before_it(operator: Operator) -> None:
    operator.write(A, f"{SAY.format('one')}DO $$ BEGIN RAISE NOTICE 'two'; RAISE 'three'; END $$;\n{SAY.format('four')}")
    events, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert [event.message for event in events if isinstance(event, NoticeRaised | StepFailed)] == ["one", "two", "three"]
    assert error.place is not None
    assert error.place.line == 2


def test_a_level_that_a_file_sets_applies_to_its_later_statements_only(operator: Operator) -> None:
    operator.write(A, f"{SAY.format('one')}SET client_min_messages = warning;\n{SAY.format('two')}")
    operator.write(B, SAY.format("three"))
    assert [event.message for event in pick(operator.migrate(), NoticeRaised)] == ["one", "three"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("DO $$ BEGIN FOR n IN 1..100000 LOOP RAISE NOTICE 'number %', n; END LOOP; END $$;\nSELECT 1;", 100_000),
        # What both sides send does not fit into the buffers of the socket: a side that only sends would block the other one.
        ("".join(f"DO $$ BEGIN RAISE NOTICE '{number} {'x' * 60_000}'; END $$;\n" for number in range(150)), 150),
        ("".join(f"SELECT '{number} {'x' * 60_000}';\n" for number in range(150)), 0),
    ],
    ids=["many", "long", "rows"],
)
def test_a_flood_blocks_neither_side(text: str, count: int, operator: Operator) -> None:
    operator.write(A, text)
    operator.write(B, SAY.format("after"))
    events = operator.migrate()
    messages = [event.message for event in pick(events, NoticeRaised)]
    assert len(messages) == count + 1
    assert messages[-1] == "after"
    assert operator.read_applied() == [A, B]
