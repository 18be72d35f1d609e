"""The plan of a dry run, as lines."""

from tasks.console.printer import describe
from tasks.runner.events import PlanMade, PlannedStatement, PlannedStep

WHOLE = "CREATE TABLE a (\n\tid int, -- the key\n    name text DEFAULT '{}'\n)".format("x" * 200)
STEP = PlannedStep(
    "migrate",
    "20250101000000_a",
    "up/20250101000000_a.sql",
    (True,),
    0,
    (
        PlannedStatement(3, "CREATE TABLE a (", 1, WHOLE),
        PlannedStatement(12, "COPY a FROM stdin", 1, "COPY a FROM stdin", copied=2),
    ),
)
PLAN = PlanMade("migrate", True, (STEP,), ())


def test_a_verbose_plan_has_whole_statements() -> None:
    lines = describe(PLAN, verbose=True)
    assert lines[4:] == [
        "       line  3",
        "         CREATE TABLE a (",
        "             id int, -- the key",
        f"             name text DEFAULT '{'x' * 200}'",
        "         );",
        "       line 12",
        "         COPY a FROM stdin;",
        "         -- 2 lines of data",
        "",
    ]


def test_otherwise_a_plan_has_the_first_line_of_each_statement() -> None:
    assert describe(PLAN)[4:] == ["       line  3  CREATE TABLE a (", "       line 12  COPY a FROM stdin", ""]
