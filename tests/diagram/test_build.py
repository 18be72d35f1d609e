"""The tables and foreign keys of a diagram, from the schema of a real database."""

import pytest

from tasks.catalog import Change, Difference
from tasks.diagram.build import build_diagram
from tasks.diagram.model import Diagram, DrawnTable, ForeignKey
from tests.diagram.drawing import draw, read
from tests.kit.databases import Database

TABLES = """
CREATE SCHEMA billing;
CREATE TABLE users (id bigint PRIMARY KEY, email varchar(255) UNIQUE, name text, born timestamptz(3), price numeric(10,2));
CREATE TABLE billing.orders (id uuid, user_id bigint NOT NULL REFERENCES users, PRIMARY KEY (id, user_id));
CREATE TABLE profiles (user_id bigint PRIMARY KEY REFERENCES users, referrer bigint REFERENCES users (id));
"""


def get_table(diagram: Diagram, name: str) -> DrawnTable:
    return next(table for table in diagram.tables if table.label == name)


def describe_keys(diagram: Diagram) -> dict[str, tuple[str, str, bool, bool]]:
    return {key.name: (key.table, key.target, key.optional, key.single) for key in diagram.keys}


def test_tables_have_their_columns_in_order_with_types_and_keys(any_database: Database) -> None:
    diagram = draw(any_database, TABLES)
    assert [table.label for table in diagram.tables] == ["billing.orders", "profiles", "users"]
    assert [(column.name, column.type, column.keys) for column in get_table(diagram, "users").columns] == [
        ("id", "bigint", ("PK",)),
        ("email", "varchar(255)", ("UK",)),
        ("name", "text", ()),
        ("born", "timestamptz(3)", ()),
        ("price", "numeric(10,2)", ()),
    ]
    assert [column.keys for column in get_table(diagram, "billing.orders").columns] == [("PK",), ("PK", "FK")]
    assert [column.keys for column in get_table(diagram, "profiles").columns] == [("PK", "FK"), ("FK",)]


def test_the_cardinality_of_a_foreign_key_comes_from_null_and_unique(any_database: Database) -> None:
    assert describe_keys(draw(any_database, TABLES)) == {
        "orders_user_id_fkey": ("billing.orders", "public.users", False, False),
        "profiles_referrer_fkey": ("public.profiles", "public.users", True, False),
        "profiles_user_id_fkey": ("public.profiles", "public.users", False, True),
    }


@pytest.mark.parametrize(
    ("index", "single"),
    [
        ("CREATE UNIQUE INDEX ON t (user_id)", True),
        ("CREATE UNIQUE INDEX ON t (user_id) INCLUDE (x)", True),
        ("CREATE UNIQUE INDEX ON t (user_id) WHERE x > 0", False),
        ("CREATE UNIQUE INDEX ON t (user_id, x)", False),
        ("CREATE UNIQUE INDEX ON t ((user_id + 1))", False),
        ("CREATE INDEX ON t (user_id)", False),
    ],
)
def test_a_unique_index_on_the_columns_allows_one_row(database: Database, index: str, single: bool) -> None:
    diagram = draw(database, f"{TABLES} CREATE TABLE t (user_id bigint REFERENCES users, x int); {index};")
    assert describe_keys(diagram)["t_user_id_fkey"][3] == single


def test_a_foreign_key_of_several_columns_with_odd_names_is_read(database: Database) -> None:
    diagram = draw(
        database,
        """CREATE TABLE "a ) b" ("x, y" int, "z) REFERENCES q(" int, PRIMARY KEY ("x, y", "z) REFERENCES q("));
        CREATE TABLE child (one int, "two "" (" int, FOREIGN KEY (one, "two "" (") REFERENCES "a ) b");""",
    )
    assert [(key.columns, key.target, key.target_columns) for key in diagram.keys] == [
        (("one", '"two "" ("'), 'public."a ) b"', ('"x, y"', '"z) REFERENCES q("'))
    ]


def test_partitions_are_counted_in_their_table(database: Database) -> None:
    diagram = draw(
        database,
        f"""{TABLES}
        CREATE TABLE events (id bigint, at date, user_id bigint REFERENCES users, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-02-01') PARTITION BY RANGE (at);
        CREATE TABLE events_1a PARTITION OF events_1 FOR VALUES FROM ('2025-01-01') TO ('2025-01-05');""",
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');",
    )
    events = get_table(diagram, "events")
    assert (events.partitions, events.mark) == (3, "changed")
    assert not [table for table in diagram.tables if table.label.startswith("events_")]
    assert [key.table for key in diagram.keys if key.target == "public.users"].count("public.events") == 1


def test_the_ledger_and_views_are_not_drawn(database: Database) -> None:
    diagram = draw(database, "CREATE TABLE schema_migrations (version text); CREATE VIEW v AS SELECT 1; CREATE TABLE t ();")
    assert [table.label for table in diagram.tables] == ["t"]


def test_what_pending_statements_change_is_marked(database: Database) -> None:
    diagram = draw(
        database,
        f"{TABLES} CREATE TABLE old (id int PRIMARY KEY, user_id bigint REFERENCES users);",
        """CREATE TABLE new (id int PRIMARY KEY, user_id bigint REFERENCES users);
        ALTER TABLE users ADD COLUMN phone text, DROP COLUMN name, ALTER COLUMN price TYPE bigint;
        ALTER TABLE profiles DROP CONSTRAINT profiles_referrer_fkey;
        DROP TABLE old;""",
    )
    assert {table.label: table.mark for table in diagram.tables} == {
        "billing.orders": "",
        "new": "new",
        "old": "dropped",
        "profiles": "changed",
        "users": "changed",
    }
    marked = {column.name: (column.mark, column.was) for column in get_table(diagram, "users").columns if column.mark}
    assert marked == {"phone": ("new", ""), "name": ("dropped", ""), "price": ("changed", "numeric(10,2)")}
    assert not any(column.mark for column in get_table(diagram, "new").columns)
    assert {key.name: key.mark for key in diagram.keys if key.mark} == {
        "new_user_id_fkey": "new",
        "old_user_id_fkey": "dropped",
        "profiles_referrer_fkey": "dropped",
    }


def test_only_changed_tables_and_their_neighbours_are_kept(database: Database) -> None:
    diagram = draw(
        database,
        f"{TABLES} CREATE TABLE far (id int PRIMARY KEY); CREATE TABLE near (id int REFERENCES far);",
        "ALTER TABLE profiles ADD COLUMN x int;",
    ).restrict_to_changes()
    assert [table.label for table in diagram.tables] == ["profiles", "users"]
    assert [column.name for column in get_table(diagram, "users").columns] == ["id"]
    assert {key.name for key in diagram.keys} == {"profiles_referrer_fkey", "profiles_user_id_fkey"}


def test_what_an_unfinished_migration_has_already_made_is_marked_as_new(database: Database) -> None:
    database.execute("CREATE TABLE t (id int)")
    live = read(database)
    added = tuple(Change(key, None, text) for key, text in live.objects.items() if "public.t" in (key.name, key.parent))
    assert [table.mark for table in build_diagram(live, Difference(added)).tables] == ["new"]


def test_a_foreign_key_of_a_table_that_is_not_chosen_is_left_out() -> None:
    key = ForeignKey("k", "public.a", ("x",), "public.b", ("id",), optional=False, single=False)
    diagram = Diagram((DrawnTable("public.a"), DrawnTable("public.b")), (key,))
    assert diagram.restrict({"public.a"}) == Diagram((DrawnTable("public.a"),))
