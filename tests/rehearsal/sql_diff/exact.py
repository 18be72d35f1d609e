"""A driver for pairs of schemas: the SQL that is generated for a pair leads exactly from one to the other, and back."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from tasks.catalog import COLUMN_ORDER, Catalog, compare, read_catalog, show_difference
from tasks.rehearsal.sql_diff import Pair, write_pair
from tasks.rehearsal.sql_diff.answers import read_answers, settle_renames
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.runner.parsing import read_script
from tests.kit.databases import Database, fresh_database

EXACT, IRREVERSIBLE, REFUSED = "exact both ways", "exact, and the down is irreversible", "refused"


@dataclass(frozen=True)
class SchemaPair:
    """Two schemas: `old`, and what `change` makes of it or, without a change, what `new` makes in an empty database."""

    name: str
    old: str
    change: str = ""
    new: str | None = None
    outcome: str = EXACT
    renames: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    recreate: bool = False
    """Whether tables may be dropped and created again."""
    since: int = 14
    """The first version of PostgreSQL that has the statements."""

    def __str__(self) -> str:
        """Return the name of the test."""
        return self.name


def check(example: SchemaPair, database: Database) -> None:
    """Assert that an example has its outcome; `database` is empty."""
    make(database, example.old)
    before = read(database)
    after = _read_new(example, database)
    renaming = settle_renames(before, after, read_answers(example.renames, example.drops), partial(_rename, example, database))
    pair = write_pair(before, after, name="20250101000000_change", heading="Change", renaming=renaming, recreate=example.recreate)
    if example.outcome == REFUSED:
        assert pair.left != ()
        return
    assert pair.left == ()
    order = any(change.key.kind == COLUMN_ORDER for change in (*pair.written.by_hand, *pair.undone.by_hand))
    if example.new is None:
        if example.outcome == EXACT:
            run(database, pair.down)
            assert show(read(database), before, order=order) == []
        else:
            with fresh_database(database.server) as another:
                make(another, example.old)
                _go(another, pair, before, after, example.outcome, order=order)
            return
    _go(database, pair, before, after, example.outcome, order=order)


def _read_new(example: SchemaPair, database: Database) -> Catalog:
    if example.new is None:
        make(database, example.change)
        return read(database)
    with fresh_database(database.server) as another:
        make(another, example.new)
        return read(another)


def _rename(example: SchemaPair, database: Database, renames: Sequence[ObjectRename]) -> Catalog:
    with fresh_database(database.server) as another:
        make(another, example.old)
        make(another, ";".join(text for rename in renames for text in rename.write()))
        return read(another)


def _go(database: Database, pair: Pair, before: Catalog, after: Catalog, outcome: str, *, order: bool) -> None:
    """Run the up, the down and the up again, and compare the schemas."""
    run(database, pair.up)
    assert show(read(database), after, order=order) == []
    script = read_script(pair.down, file="down.sql", version="down")
    assert (script.irreversible is not None) == (outcome == IRREVERSIBLE)
    if script.irreversible is None:
        run(database, pair.down)
        assert show(read(database), before, order=order) == []
        run(database, pair.up)
        assert show(read(database), after, order=order) == []


def read(database: Database) -> Catalog:
    """Return the schema of a database."""
    return database.ask(read_catalog)


def make(database: Database, text: str) -> None:
    """Run statements, each in a transaction of its own."""
    for statement in read_script(text, file="make.sql", version="make").statements:
        database.execute(statement.text)


def run(database: Database, text: str) -> None:
    """Run the text of a file, segment by segment."""
    for segment in read_script(text, file="up.sql", version="up").segments:
        with database.ask(lambda connection: connection).transaction() if segment.transactional else nullcontext():
            for statement in segment.statements:
                database.execute(statement.text)


def show(found: Catalog, wanted: Catalog, *, order: bool = False) -> list[str]:
    """Return the lines of the difference; `order` leaves out the order of columns, which is reported separately."""
    difference = compare(found, wanted)
    return list(show_difference(difference.without([COLUMN_ORDER]) if order else difference))
