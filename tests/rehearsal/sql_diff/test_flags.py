"""The flags --rename and --drop: rows are kept under the new names, both ways, and wrong flags are explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff import write_pair
from tasks.rehearsal.sql_diff.answers import Renaming, read_answers, settle_renames
from tasks.rehearsal.sql_diff.renames import ObjectRename, Question
from tasks.runner.errors import RefusedError, UsageError
from tests.kit.databases import Database, fresh_database
from tests.rehearsal.sql_diff.exact import make, read, run, show

pytestmark = pytest.mark.only_newest

T = "CREATE TABLE t (id int PRIMARY KEY, a text, b text);"
MOOD = "CREATE TYPE mood AS ENUM ({}); CREATE TABLE t (m mood);"
PARTS = (
    "CREATE TABLE {0} (id int, x text) PARTITION BY LIST (id); CREATE TABLE {0}_1 PARTITION OF {0} FOR VALUES IN (1);"
    "CREATE TABLE {0}_2 PARTITION OF {0} FOR VALUES IN (2);"
)


@dataclass(frozen=True)
class RowCase:
    """A schema with rows, a new schema, flags, and the rows that a query returns after the migration."""

    old: str
    rows: str
    new: str
    flags: tuple[str, ...]
    query: str
    kept: list[tuple[object, ...]]
    drops: tuple[str, ...] = ()


CASES = {
    "names that are exchanged": RowCase(
        T, "INSERT INTO t VALUES (1, 'A', 'B')", T, ("t.a=b", "t.b=a"), "SELECT a, b FROM t", [("B", "A")]
    ),
    "a name that is passed on": RowCase(
        T,
        "INSERT INTO t VALUES (1, 'A', 'B')",
        "CREATE TABLE t (id int PRIMARY KEY, b text, c text)",
        ("t.a=b", "t.b=c"),
        "SELECT b, c FROM t",
        [("A", "B")],
    ),
    "a column that replaces another one": RowCase(
        T,
        "INSERT INTO t VALUES (1, 'A', 'B')",
        "CREATE TABLE t (id int PRIMARY KEY, a text)",
        ("t.b=a",),
        "SELECT a FROM t",
        [("B",)],
        ("t.a",),
    ),
    "a name that a new column has": RowCase(
        T,
        "INSERT INTO t VALUES (1, 'A', 'B')",
        "CREATE TABLE t (id int PRIMARY KEY, c text, b text, a int)",
        ("t.a=c",),
        "SELECT c, a FROM t",
        [("A", None)],
    ),
    "a column that is not recognised": RowCase(
        "CREATE TABLE t (id int, a text)",
        "INSERT INTO t VALUES (1, '7')",
        "CREATE TABLE t (id int, amount int)",
        ("t.a=amount",),
        "SELECT amount FROM t",
        [(7,)],
    ),
    "tables that exchange their names": RowCase(
        "CREATE TABLE a (x int); CREATE TABLE b (y int)",
        "INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)",
        "CREATE TABLE b (x int); CREATE TABLE a (y int)",
        ("a=b", "b=a"),
        "SELECT x, y FROM b, a",
        [(1, 2)],
    ),
    "a column of a table with a new name, by the old one": RowCase(
        "CREATE TABLE a (id int, x int, y text)",
        "INSERT INTO a VALUES (1, 2, 'z')",
        "CREATE TABLE b (id int, z int, y text)",
        ("a=b", "a.x=z"),
        "SELECT z FROM b",
        [(2,)],
    ),
    "a schema, a table in it and a column, by their old names": RowCase(
        "CREATE SCHEMA s; CREATE TABLE s.a (id int, x int, y text)",
        "INSERT INTO s.a VALUES (1, 2, 'z')",
        "CREATE SCHEMA u; CREATE TABLE u.b (id int, z int, y text)",
        ("s=u", "s.a=u.b", "s.a.x=z"),
        "SELECT z FROM u.b",
        [(2,)],
    ),
    "names with dots, signs and capital letters": RowCase(
        'CREATE TABLE "T=1" (id int, "a.b" text, "Name" text)',
        "INSERT INTO \"T=1\" VALUES (1, 'A', 'N')",
        'CREATE TABLE "T=1" (id int, "c=d" text, name_of text)',
        ('"T=1"."a.b"="c=d"', '"T=1".Name=name_of'),
        'SELECT "c=d", name_of FROM "T=1"',
        [("A", "N")],
    ),
    "labels that exchange their names": RowCase(
        MOOD.format("'sad', 'ok'"),
        "INSERT INTO t VALUES ('sad')",
        MOOD.format("'ok', 'sad'"),
        ("mood.sad=ok", "mood.ok=sad"),
        "SELECT m::text FROM t",
        [("ok",)],
    ),
    "a label with a sign": RowCase(
        MOOD.format("'a=b', 'it''s'"),
        "INSERT INTO t VALUES ('a=b'), ('it''s')",
        MOOD.format("'c=d', 'its'"),
        ("mood.'a=b'='c=d'", "mood.it's=its"),
        "SELECT m::text FROM t ORDER BY m",
        [("c=d",), ("its",)],
    ),
    "a partitioned table with its partitions": RowCase(
        PARTS.format("a"),
        "INSERT INTO a VALUES (1, 'one'), (2, 'two')",
        PARTS.format("b"),
        ("a=b", "a_1=b_1", "a_2=b_2"),
        "SELECT id, x FROM b ORDER BY id",
        [(1, "one"), (2, "two")],
    ),
    "an inherited column": RowCase(
        "CREATE TABLE a (id int, x text); CREATE TABLE b () INHERITS (a)",
        "INSERT INTO b VALUES (1, 'one')",
        "CREATE TABLE a (id int, y text); CREATE TABLE b () INHERITS (a)",
        ("a.x=y",),
        "SELECT y FROM b",
        [("one",)],
    ),
    "a view": RowCase(
        "CREATE TABLE a (id int); CREATE VIEW v AS SELECT id FROM a; CREATE VIEW w AS SELECT id FROM v",
        "INSERT INTO a VALUES (1)",
        "CREATE TABLE a (id int); CREATE VIEW u AS SELECT id FROM a; CREATE VIEW w AS SELECT id FROM u",
        ("v=u",),
        "SELECT id FROM w",
        [(1,)],
    ),
    "a type that only has another name": RowCase(
        MOOD.format("'sad', 'ok'"),
        "INSERT INTO t VALUES ('sad')",
        "CREATE TYPE feeling AS ENUM ('sad', 'ok'); CREATE TABLE t (m feeling)",
        (),
        "SELECT m::text FROM t",
        [("sad",)],
    ),
}


def settle(
    database: Database,
    old: str,
    new: str,
    renames: Sequence[str] = (),
    drops: Sequence[str] = (),
    asked: Sequence[Question] | None = None,
) -> tuple[Renaming, Catalog, Catalog]:
    """Return what is settled, the old and the new schema; an empty database has the old one afterwards."""
    make(database, old)
    before = read(database)
    with fresh_database(database.server) as another:
        make(another, new)
        after = read(another)
    rename = partial(read_renamed, database, old)
    return settle_renames(before, lambda _current: after, read_answers(renames, drops), rename), before, after


def read_renamed(database: Database, old: str, renames: Sequence[ObjectRename]) -> Catalog:
    """Return a schema after renames."""
    with fresh_database(database.server) as another:
        make(another, old)
        make(another, ";".join(text for rename in renames for text in rename.write()))
        return read(another)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_rows_are_kept_under_their_new_names_and_back(database: Database, case: RowCase) -> None:
    renaming, before, after = settle(database, case.old, case.new, case.flags, case.drops)
    pair = write_pair(before, after, name="20250101000000_change", heading="Change", renaming=renaming)
    database.execute(case.rows)
    run(database, pair.up)
    assert database.query(case.query) == case.kept
    assert show(read(database), after, order=True) == []
    run(database, pair.down)
    assert show(read(database), before, order=True) == []


WRONG = {
    "an old name that nothing has": (("t.naem=b",), (), "nothing with the name t.naem was removed", "t.name was removed"),
    "a new name that nothing has": (
        ("t.name=fullname",),
        (),
        "t.name cannot be renamed to fullname: what was added",
        "full_name",
    ),
    "a new name that is taken": (("t.name=kept",), (), "there is a column with that name before", "--drop 't.kept'"),
    "two new names": (("t.name=full_name", "public.t.name=other"), (), "contradict each other", ""),
    "two old names": (("t.name=full_name", "t.kept=full_name"), (), "contradict each other", ""),
    "a column that is renamed and dropped": (("t.name=full_name",), ("public.t.name",), "both renamed and dropped", ""),
    "a dropped name that nothing has": ((), ("t.naem", "t.name"), "nothing with the name t.naem was removed", "t.name"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=list(WRONG))
def test_a_wrong_flag_is_explained(database: Database, case: tuple[tuple[str, ...], tuple[str, ...], str, str]) -> None:
    renames, drops, message, hint = case
    old, new = "CREATE TABLE t (name text, kept int)", "CREATE TABLE t (full_name text, kept int, other text)"
    with pytest.raises(UsageError) as caught:
        settle(database, old, new, renames, drops)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.state == "Nothing was written."


@pytest.mark.parametrize(
    ("renames", "drops", "message"),
    [
        (["t.a=b", "t.a=c"], [], "contradict each other"),
        (["t.a=b"], ["t.a"], "both renamed and dropped"),
        (["t.a"], [], "is not of the form OLD=NEW"),
        (["=b"], [], "is not of the form OLD=NEW"),
    ],
)
def test_flags_that_cannot_be_read_are_refused(renames: list[str], drops: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_answers(renames, drops)


def test_what_is_recognised_is_refused_with_the_flags_that_answer(database: Database) -> None:
    old, new = 'CREATE TABLE t (id int, "first.Name" text)', 'CREATE TABLE t (id int, "givenName" text)'
    with pytest.raises(RefusedError) as caught:
        settle(database, old, new)
    assert 'column "first.Name" of public.t is gone; it may be column "givenName" of public.t' in caught.value.message
    assert """--rename 't."first.Name"="givenName"'   or   --drop 't."first.Name"'""" in (caught.value.hint or "")


def test_a_target_that_depends_on_the_renames_is_read_again(database: Database) -> None:
    make(database, "CREATE TABLE a (id int, name text); CREATE INDEX left_out ON a (name)")
    before = read(database)

    def narrow(current: Catalog) -> Catalog:
        """Return the new schema, with the indexes of the old one, which the source of the new one cannot express."""
        new = {Key("table", "public.b"): "", Key("column order", "public.b"): "id, name"}
        new |= {Key("column", name, "public.b"): kind for name, kind in (("id", "integer"), ("name", "text"))}
        kept = {key: text for key, text in current.objects.items() if key.kind not in {"table", "column", "column order"}}
        return Catalog({**kept, **new}, current.server_version)

    asked: list[Question] = []

    def ask(question: Question) -> Key:
        asked.append(question)
        return question.found[0]

    rename = partial(read_renamed, database, "CREATE TABLE a (id int, name text); CREATE INDEX left_out ON a (name)")
    renaming = settle_renames(before, narrow, read_answers([], []), rename, ask)
    assert [str(question.lost) for question in asked] == ["table public.a"]
    assert Key("index", "public.left_out", "public.b") in narrow(renaming.renamed).objects


def test_a_column_of_a_typed_table_is_renamed_by_hand_with_its_attribute(database: Database) -> None:
    typed = "CREATE TYPE p AS ({} int, y int); CREATE TABLE t OF p;"
    with pytest.raises(RefusedError) as caught:
        settle(database, typed.format("x"), typed.format('"X"'), ['t.x="X"'])
    assert "column x of public.t is not renamed, because it has its name from the type public.p" in caught.value.message
    assert 'ALTER TYPE public.p RENAME ATTRIBUTE x TO "X" CASCADE;' in (caught.value.hint or "")
