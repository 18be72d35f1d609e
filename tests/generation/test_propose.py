"""From two schemas to proved files: what is written, what is stated about it, and what is refused."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.catalog import Catalog, Difference, compare
from tasks.generation.goal import Goal, WantedSchema
from tasks.generation.proposal import MigrationProposal, ProposalOptions
from tasks.generation.propose import propose
from tasks.generation.sources.schema_file import open_schema_file
from tasks.generation.states import read_schema_state
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff.answers import read_answers
from tasks.runner.errors import RunnerError, UsageError

pytestmark = pytest.mark.only_newest

USERS = "CREATE TABLE users (id int PRIMARY KEY, email text);"
PARTS = "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
MOOD = "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood);"
PICKY = (
    "CREATE FUNCTION picky(a int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS "
    "$$BEGIN IF a < 1000000 THEN RAISE 'too small'; END IF; RETURN true; END$$;"
)


@dataclass(frozen=True)
class ProposedChange:
    """Two schemas, the flags, and what is expected: statements of the up, and what is stated about rows."""

    before: str
    after: str
    up: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    tables: int = 1
    rename: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


CHANGES = {
    "a column": ProposedChange(USERS, f"{USERS} ALTER TABLE users ADD name text;", ("ADD COLUMN name text",)),
    "a table that refers to another": ProposedChange(
        USERS, f"{USERS} CREATE TABLE orders (id int PRIMARY KEY, u int REFERENCES users);", ("CREATE TABLE public.orders",)
    ),
    "NOT NULL is added where rows have a value": ProposedChange(
        USERS,
        f"{USERS} ALTER TABLE users ALTER email SET NOT NULL;",
        ("NOT VALID", "VALIDATE CONSTRAINT", "SET NOT NULL"),
        conditions=('up: check constraint "users_email_not_null_check" of relation "users" is violated by some row',),
    ),
    "NOT NULL on several tables is proved with rows in all of them": ProposedChange(
        "CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (id int PRIMARY KEY, x text);",
        "CREATE TABLE a (id int PRIMARY KEY, x text NOT NULL); CREATE TABLE b (id int PRIMARY KEY, x text NOT NULL);",
        conditions=tuple(
            f'up: check constraint "{table}_x_not_null_check" of relation "{table}" is violated by some row' for table in "ab"
        ),
        tables=2,
    ),
    "an index is created without locks": ProposedChange(
        USERS, f"{USERS} CREATE INDEX users_email ON users (email);", ("CREATE INDEX CONCURRENTLY users_email",)
    ),
    "a type that some rows cannot have": ProposedChange(
        "CREATE TABLE t (a text); CREATE TABLE u (a int);",
        "CREATE TABLE t (a int); CREATE TABLE u (a int);",
        conditions=('up of fill_a_new_of_t: invalid input syntax for type integer: "text 1"',),
        losses=("changes column t.a from text to integer, which cannot represent every value",),
    ),
    "a column without a default runs on empty tables only": ProposedChange(
        USERS,
        f"{USERS} ALTER TABLE users ADD age int NOT NULL;",
        conditions=('up: column "age" of relation "users" contains null values',),
        tables=0,
    ),
    "a constraint that rows violate": ProposedChange(
        f"{USERS} CREATE TABLE other (id int);",
        f"{USERS} CREATE TABLE other (id int); ALTER TABLE users ADD CONSTRAINT large CHECK (id > 1000000);",
        conditions=('up: check constraint "large" of relation "users" is violated by some row',),
    ),
    "the way down of a dropped column": ProposedChange(
        "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);",
        "CREATE TABLE users (id int PRIMARY KEY);",
        conditions=('down: column "email" of relation "users" contains null values',),
        losses=("drops column users.email with its values",),
        tables=0,
    ),
    "a dropped table": ProposedChange(
        f"{USERS} CREATE TABLE t (a int);", USERS, losses=("drops table t with its rows",), tables=2
    ),
    "a rename keeps the values": ProposedChange(
        "CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE);",
        "CREATE TABLE people (id int PRIMARY KEY, mail text UNIQUE);",
        ("RENAME TO people", "RENAME COLUMN email TO mail"),
        rename=("users=people", "people.email=mail"),
    ),
    "an attribute of a row type that columns have": ProposedChange(
        "CREATE TYPE place AS (x int); CREATE TABLE t (a place, b place[]);",
        "CREATE TYPE place AS (x int, y text); CREATE TABLE t (a place, b place[]);",
        ("ADD ATTRIBUTE y text",),
    ),
    "another base type of a domain, in which values are written with more digits": ProposedChange(
        "CREATE DOMAIN price AS numeric(10, 2); CREATE TABLE t (a price);",
        "CREATE DOMAIN price AS numeric(20, 4); CREATE TABLE t (a price);",
    ),
    "a check whose function raises an error for some rows": ProposedChange(
        f"{PICKY} CREATE TABLE t (a int);",
        f"{PICKY} CREATE TABLE t (a int CONSTRAINT picky CHECK (picky(a)));",
        conditions=("up of validate_picky: too small",),
        tables=0,
    ),
    "a materialized view that rows make fail": ProposedChange(
        "CREATE TABLE t (a int);",
        "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW m AS SELECT (SELECT a FROM t) AS a;",
        conditions=("up: more than one row returned by a subquery used as an expression",),
        tables=0,
    ),
    "a label and its use": ProposedChange(
        MOOD, MOOD.replace("'happy')", "'happy', 'calm')").replace("m mood", "m mood DEFAULT 'calm'")
    ),
    "a function": ProposedChange(
        USERS, f"{USERS} CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", ("FUNCTION public.f()",)
    ),
    "rows below a materialized view": ProposedChange(
        "CREATE TABLE t (a text);",
        "CREATE TABLE t (a text); CREATE MATERIALIZED VIEW m AS SELECT 1 AS one FROM t; CREATE UNIQUE INDEX u ON m (one);",
        conditions=('up: could not create unique index "u"',),
        tables=0,
    ),
    "a virtual generated column becomes a plain one, and keeps its values": ProposedChange(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL);",
        "CREATE TABLE t (id int PRIMARY KEY, a int, b bigint);",
        ("UPDATE public.t SET b = ((a * 2))::integer;",),
    ),
    "a table becomes partitioned, and its rows are copied": ProposedChange(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text);",
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text) PARTITION BY HASH (id);"
        " CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0);",
        ("INSERT INTO public.t (id, x) OVERRIDING SYSTEM VALUE", "DROP TABLE public.t_old"),
    ),
    "a table becomes partitioned, and another one its partition, with the rows of both": ProposedChange(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM u;",
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE VIEW v AS SELECT id FROM t;"
        " CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (1000);"
        " CREATE TABLE u PARTITION OF t FOR VALUES FROM (1000) TO (MAXVALUE);",
        ("INSERT INTO public.t (id)\nSELECT id FROM public.t_old", "ATTACH PARTITION public.u"),
        conditions=('up: partition constraint of relation "u" is violated by some row',),
        tables=0,
    ),
    "a partitioned table becomes plain, and a partition of it stays, with the rows of both": ProposedChange(
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;"
        " CREATE TABLE u PARTITION OF t FOR VALUES FROM (1000) TO (MAXVALUE);",
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);",
        ("DETACH PARTITION public.u", "SELECT id FROM public.t1_old"),
    ),
    "no partition takes the rows that are copied": ProposedChange(
        "CREATE TABLE t (x text);",
        "CREATE TABLE t (x text) PARTITION BY LIST (x);",
        conditions=('up: no partition of relation "t" found for row',),
        tables=0,
    ),
    "a label is removed from the enum of a partition key": ProposedChange(
        "CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (x e) PARTITION BY LIST (x); CREATE TABLE t1 PARTITION OF t DEFAULT;",
        "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (x e) PARTITION BY LIST (x); CREATE TABLE t1 PARTITION OF t DEFAULT;",
        ("INSERT INTO public.t (x)",),
        conditions=('up: invalid input value for enum e: "b"',),
        losses=("removes value 'b' of type e, so that no row can have it",),
        tables=0,
    ),
    "a column becomes only inherited": ProposedChange(
        "CREATE TABLE a (x int); CREATE TABLE b (x int, y int) INHERITS (a);",
        "CREATE TABLE a (x int); CREATE TABLE b (y int) INHERITS (a);",
        ("INSERT INTO public.b (x, y)",),
        tables=2,
    ),
    "a detached partition keeps its rows": ProposedChange(
        PARTS, PARTS.replace("p1 PARTITION OF p FOR VALUES IN (1)", "p1 (a int)")
    ),
    "other bounds of a partition": ProposedChange(
        PARTS,
        PARTS.replace("IN (1)", "IN (2)"),
        conditions=('up: check constraint "p1_bounds" of relation "p1" is violated by some row',),
        tables=0,
    ),
    "a table that is not compared": ProposedChange(
        f"{USERS} CREATE TABLE audit (id int REFERENCES users);",
        f"{USERS} ALTER TABLE users ADD name text;",
        ("ADD COLUMN name",),
        tables=2,
        exclude=("public.audit",),
    ),
}
REFUSED = {
    "a loss": (USERS, "CREATE TABLE users (id int PRIMARY KEY);", "drops column users.email with its values"),
    "a table that is created again": (
        "CREATE TABLE t (a int); CREATE TABLE u (a t);",
        "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE u (a int);",
        "drops table t with its rows and creates it again",
    ),
    "what may be a rename": (USERS, USERS.replace("email", "e_mail"), "column email of public.users is gone"),
    "what no statement changes": (
        "CREATE TYPE pair AS (x int, y int); CREATE TABLE t (a pair[]);",
        "CREATE TYPE pair AS (y int, x int); CREATE TABLE t (a pair[]);",
        "columns use it whose type cannot be changed",
    ),
    "a file that does not load": (USERS, "CREATE TABLE t (\n  a nothing);", 'type "nothing" does not exist'),
    "a command of psql": (USERS, f"{USERS}\n\\connect other\n", r"\connect is a command of psql"),
}


def base(text: str) -> tuple[RehearsedMigration, ...]:
    return (RehearsedMigration("20250101000000_base", text, shown="base.sql"),)


def run(scratch: ScratchServer, tmp_path: Path, before: str, after: str, options: ProposalOptions) -> MigrationProposal:
    """Propose the way from one schema to another, which is in a file."""
    path = tmp_path / "wanted.sql"
    path.write_text(after)
    return propose(scratch, base(before), open_schema_file(scratch, path), "change it", options)


def read(scratch: ScratchServer, *texts: str) -> Catalog:
    """Return the schema after some texts."""
    return read_schema_state(
        scratch, [RehearsedMigration(f"2025010100000{place}_text", text) for place, text in enumerate(texts)]
    ).catalog


def test_other_changes_have_files_of_their_own_beside_a_table_that_is_copied(scratch: ScratchServer, tmp_path: Path) -> None:
    before = f"CREATE TABLE t (id int); {USERS}"
    after = f"CREATE TABLE t (id int) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t DEFAULT; {USERS}"
    proposal = run(scratch, tmp_path, before, f"{after} CREATE INDEX i ON users (email);", ProposalOptions())
    assert ["CONCURRENTLY" in file.up for file in proposal.files] == [True, False]
    assert ["INSERT INTO public.t (id)" in file.up for file in proposal.files] == [False, True]


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_becomes_files_that_are_proved(scratch: ScratchServer, tmp_path: Path, name: str) -> None:
    case = CHANGES[name]
    options = ProposalOptions(read_answers(case.rename, ()), allow_loss=bool(case.losses), exclude=case.exclude)
    proposal = run(scratch, tmp_path, case.before, case.after, options)
    text = "".join(file.up for file in proposal.files)
    assert [part for part in case.up if part not in text] == []
    assert (proposal.rows.conditions, proposal.losses, proposal.rows.tables) == (case.conditions, case.losses, case.tables)
    assert [line for line in (*case.conditions, *case.losses) if f"--   {line}\n" not in text] == []
    if not case.exclude:
        reached = read(scratch, case.before, *(file.up for file in proposal.files))
        assert compare(reached, read(scratch, case.after)).without({"column order"}) == Difference()


def test_each_of_several_files_has_the_names_of_what_it_changes(scratch: ScratchServer, tmp_path: Path) -> None:
    after = f"{USERS} ALTER TABLE users ADD CONSTRAINT one_email UNIQUE (email); CREATE TABLE other (id int);"
    proposal = run(scratch, tmp_path, USERS, after, ProposalOptions())
    assert [file.up.splitlines()[0] for file in proposal.files] == ["-- Description: Change it", "-- Description: Add one_email"]
    assert proposal.files[1].down.startswith("-- Description: Undo: add one_email\n")


def test_a_failure_that_names_no_table_has_the_words_of_its_file(scratch: ScratchServer, tmp_path: Path) -> None:
    before = "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE other (id int);"
    options = ProposalOptions(allow_loss=True)
    proposal = run(scratch, tmp_path, before, before.replace("a text", "a int"), options)
    assert proposal.rows.conditions == ('up of fill_a_new_of_t: invalid input syntax for type integer: "***"',)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_rows_or_is_not_certain_is_refused(scratch: ScratchServer, tmp_path: Path, name: str) -> None:
    before, after, message = REFUSED[name]
    with pytest.raises(RunnerError) as raised:
        run(scratch, tmp_path, before, after, ProposalOptions())
    assert message in raised.value.message
    assert raised.value.exit_code == 3


def test_the_place_of_an_error_is_the_line_of_the_file(scratch: ScratchServer, tmp_path: Path) -> None:
    with pytest.raises(RunnerError) as raised:
        run(scratch, tmp_path, USERS, "CREATE TABLE t (\n  a int);\n\nCREATE TABLE u (\n  a nothing);", ProposalOptions())
    assert str(raised.value.place) == f"{tmp_path / 'wanted.sql'}:5"


def test_nothing_is_written_where_nothing_differs(scratch: ScratchServer, tmp_path: Path) -> None:
    proposal = run(scratch, tmp_path, "CREATE TABLE t (a int, b int);", "CREATE TABLE t (b int, a int);", ProposalOptions())
    assert (proposal.files, proposal.changes) == ((), Difference())


def test_names_that_only_pg_dump_shows_become_a_migration(scratch: ScratchServer, tmp_path: Path) -> None:
    named = USERS.replace("email text", "email text CONSTRAINT given NOT NULL")
    proposal = run(scratch, tmp_path, named.replace("given", "other"), named, ProposalOptions())
    assert (proposal.details, len(proposal.files)) == (("the name of NOT NULL of email of public.users: given",), 1)
    assert all("RENAME CONSTRAINT" in text for text in (proposal.files[0].up, proposal.files[0].down))


def test_a_name_that_a_rename_has_left_is_no_difference_where_the_wanted_schema_states_none(
    scratch: ScratchServer, tmp_path: Path
) -> None:
    made = "CREATE TABLE {} ({} text NOT NULL); CREATE DOMAIN {} AS text NOT NULL;"
    renamed = "ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME email TO mail; ALTER DOMAIN code RENAME TO zip;"
    before = made.format("users", "email", "code") + renamed
    proposal = run(scratch, tmp_path, before, made.format("people", "mail", "zip"), ProposalOptions())
    assert (proposal.files, proposal.details, proposal.kept) == ((), (), ())


def test_what_no_statement_changes_is_listed(scratch: ScratchServer, tmp_path: Path) -> None:
    after = "CREATE TABLE users (email text, id int PRIMARY KEY); CREATE TABLE p (a int NOT NULL) PARTITION BY LIST (a);"
    attached = f"{after} CREATE TABLE p1 (a int CONSTRAINT own NOT NULL); ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);"
    before = f"{USERS} {after.partition('; ')[2]} CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
    proposal = run(scratch, tmp_path, before, attached, ProposalOptions())
    assert (proposal.files, proposal.details) == ((), ())
    assert proposal.orders == ("public.users: it is id, email",)
    assert proposal.kept == ("the name of NOT NULL of a of public.p1: own",)


@pytest.mark.parametrize(
    ("before", "after", "orders"),
    [
        ("a int, b bool", "a int, b bool, g int GENERATED ALWAYS AS (a * 2) STORED, d int", ()),
        ("a int, b bool", "a int, b bool, u uuid NOT NULL DEFAULT gen_random_uuid(), d int, e int", ()),
        ("a int, b text", "a int, d int, b text", ("public.t: new ones come last (d)",)),
        ("a int, b text", "a bigint, b text", ("public.t: it is b, a",)),
        ("a int, b text", "b text, a bigint", ()),
    ],
    ids=["a rewriting column", "a filled column", "a column between others", "an exchanged column", "what is moved by chance"],
)
def test_the_order_of_columns_after_the_files_is_that_wanted_or_listed(
    scratch: ScratchServer, tmp_path: Path, before: str, after: str, orders: tuple[str, ...]
) -> None:
    proposal = run(scratch, tmp_path, f"CREATE TABLE t ({before});", f"CREATE TABLE t ({after});", ProposalOptions())
    assert proposal.orders == orders


def test_an_unknown_table_is_not_excluded(scratch: ScratchServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no table public\.user$") as raised:
        run(scratch, tmp_path, USERS, USERS, ProposalOptions(exclude=("public.user",)))
    assert "public.users" in raised.value.hint


def test_what_needs_an_excluded_extension_in_the_file_is_listed_and_not_dropped(scratch: ScratchServer, tmp_path: Path) -> None:
    wanted = "CREATE EXTENSION nowhere; CREATE TABLE users (id int, place nowhere.point); CREATE TABLE u (a int);"
    with ScratchServer(scratch.url, without=["nowhere"]) as server:
        proposal = run(server, tmp_path, "CREATE TABLE users (id int);", wanted, ProposalOptions())
    assert [str(change.key) for change in proposal.changes.changes if change.key.kind == "table"] == ["table public.u"]
    assert any("CREATE TABLE users" in text for text in proposal.unchecked)


def test_a_goal_that_is_not_reached_is_not_called_proved(scratch: ScratchServer) -> None:
    """No server stores a default with two spaces before it, so that the schema after the files is another one."""
    wanted = read(scratch, USERS, "ALTER TABLE users ADD n int;")
    impossible = Catalog(
        {**wanted.objects, **{key: "integer NOT NULL DEFAULT  3" for key in wanted.objects if key.name == "n"}},
        wanted.server_version,
    )
    goal = Goal("a schema that no server has", lambda _: WantedSchema(impossible))
    with pytest.raises(RunnerError, match="is not proved: the files have another result") as raised:
        propose(scratch, base(USERS), goal, "change it", ProposalOptions())
    assert "+ integer NOT NULL DEFAULT 3" in raised.value.message


def test_a_dump_loads_without_the_ledger_and_the_guards_of_pg_dump(scratch: ScratchServer, tmp_path: Path) -> None:
    dump = r"""--
-- PostgreSQL database dump
--

\restrict token

SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA public;
CREATE TABLE public.schema_migrations (version character varying(255) NOT NULL);
CREATE TABLE public.schema_migrations_log (id bigint NOT NULL);
ALTER TABLE public.schema_migrations_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.schema_migrations_log_id_seq
);
CREATE TABLE public.t (a integer);
ALTER TABLE public.t OWNER TO someone_else;
COPY public.schema_migrations (version) FROM stdin;
20250101000000_base
\.
COPY public.t (a) FROM stdin;
1
\.
SELECT pg_catalog.setval('public.schema_migrations_log_id_seq', 4, true);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

\unrestrict token

"""
    assert run(scratch, tmp_path, "CREATE TABLE t (a int);", dump, ProposalOptions()).changes == Difference()
