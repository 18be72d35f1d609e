"""The section of docs/models.md on what Alembic's autogenerate makes of the changes of tests/models/zoo.

`python -m tests.docs.autogenerate_page` measures all of them, which takes some minutes, and writes the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from tasks.postgres.server import embedded
from tests.kit.databases import Database, fresh_database
from tests.kit.home import make_home, remove_home
from tests.kit.projects import REPOSITORY
from tests.kit.servers import start_server
from tests.models.autogenerate import DEFAULTS, EVERYTHING, AutogenerateAttempt, try_autogenerate
from tests.models.zoo import CASES, GROUPS
from tests.models.zoo.case import ZooCase

PAGE = REPOSITORY / "docs" / "models.md"
BEGIN, END = "<!-- changes: python -m tests.docs.autogenerate_page -->", "<!-- end of the changes -->"
_SECTION = re.compile(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", re.DOTALL)
_EXACT, _PARTLY, _UNSEEN, _LOST, _FAILS = "exact", "not exact", "not seen", "exact, rows lost", "fails"
_COUNTED = (_EXACT, _LOST, _PARTLY, _FAILS, _UNSEEN)

Attempts = tuple[AutogenerateAttempt, AutogenerateAttempt]
"""With the options that `alembic init` leaves, and with those that compare more."""


def measure(database: Database, case: ZooCase) -> Attempts:
    """Try a change with both sets of options."""
    return try_autogenerate(database, case, DEFAULTS), try_autogenerate(database, case, EVERYTHING)


def compose_row(case: ZooCase, attempts: Attempts) -> str:
    """Return the row of a change in the table of its group."""
    cells = [cell for attempt in attempts for cell in (describe_up(attempt), describe_down(attempt))]
    return f"| {' | '.join([case.title, *cells])} |\n"


def describe_up(attempt: AutogenerateAttempt) -> str:
    """Return what became of an up."""
    if attempt.up_error:
        return f"{_FAILS}: {_quote(attempt.up_error)}"
    if not attempt.seen:
        return _UNSEEN
    return (_EXACT if attempt.kept else _LOST) if attempt.up_exact else _PARTLY


def describe_down(attempt: AutogenerateAttempt) -> str:
    """Return what became of a down, which runs only after an up."""
    if attempt.up_error or not attempt.seen:
        return ""
    if attempt.down_error:
        return f"{_FAILS}: {_quote(attempt.down_error)}"
    return _EXACT if attempt.down_exact else _PARTLY


def read_section(path: Path = PAGE) -> str:
    """Return the generated part of the page."""
    match = _SECTION.search(path.read_text(encoding="utf-8"))
    assert match is not None
    return match[1]


def compose_section(results: Mapping[str, Attempts]) -> str:
    """Return the generated part of the page: how many changes became what, then a table for each group."""
    return "".join(_compose(results))


def main() -> None:
    """Measure all changes, and write the page."""
    home = make_home()
    try:
        server = start_server(home / f"pg{embedded.MAJOR_VERSION}", embedded.find_programs())
        with fresh_database(server) as database:
            results = {name: measure(database, case) for name, case in CASES.items()}
        server.close()
    finally:
        remove_home(home)
    section = f"{BEGIN}\n{compose_section(results)}{END}"
    PAGE.write_text(_SECTION.sub(lambda _: section, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _compose(results: Mapping[str, Attempts]) -> Iterator[str]:
    yield f"\nAlembic {version('alembic')}, SQLAlchemy {version('sqlalchemy')}, PostgreSQL {embedded.MAJOR_VERSION}. "
    yield f"Of {len(results)} changes:\n\n| | up, default options | down | up, more options | down |\n|---|---|---|---|---|\n"
    describers: tuple[Callable[[AutogenerateAttempt], str], ...] = describe_up, describe_down
    columns = [
        [describe(attempts[options]).partition(":")[0] for attempts in results.values()]
        for options in range(2)
        for describe in describers
    ]
    for outcome in _COUNTED:
        counts = [str(column.count(outcome) or "") for column in columns]
        yield f"| {outcome} | {' | '.join(counts)} |\n"
    for group, cases in GROUPS.items():
        yield f"\n### {group.capitalize()}\n\n| change | up, default options | down | up, more options | down |\n"
        yield "|---|---|---|---|---|\n"
        yield from (compose_row(case, results[case.name]) for case in cases)
    yield "\n"


def _quote(error: str) -> str:
    """Return the start of an error as text of a cell."""
    shown = re.sub(r" ?\(<.*|^\(psycopg\.errors\.\w+\) ", "", error).strip()
    return shown.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
