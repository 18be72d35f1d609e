"""What is observed of files with several statements, transactions and faults."""

import pytest

from tasks.forecast.limits import Limit, TimeUsedUpError
from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import FileFailed, describe_versions, observe
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.errors import Interruption
from tasks.runner.signals import Stop
from tests.forecast.observing.watching import TABLES, list_locks, observe_files, observe_statements


def test_a_lock_that_the_transaction_has_is_listed_for_the_statement_that_takes_it_again(scratch: ScratchServer) -> None:
    first, second = observe_statements(scratch, "ALTER TABLE customers ADD a int;\nALTER TABLE customers ADD b int;")
    assert list_locks(first) == list_locks(second) == {"customers": "AccessExclusive"}
    assert second.not_known == ()


def test_locks_are_held_to_the_last_statement_of_the_transaction(scratch: ScratchServer) -> None:
    text = "ALTER TABLE customers ADD a int;\n\nUPDATE orders\nSET id = id;\n/* */ SELECT 1;"
    assert [(each.line, each.held_to) for each in observe_statements(scratch, text)] == [(1, 5), (3, 5), (5, None)]


def test_each_transaction_of_a_file_ends_where_the_file_ends_it(scratch: ScratchServer) -> None:
    text = "BEGIN;\nALTER TABLE customers ADD a int;\nSELECT 1;\nCOMMIT;\nBEGIN;\nALTER TABLE orders ADD b int;\nCOMMIT;"
    assert [(each.line, each.held_to) for each in observe_statements(scratch, text)] == [(2, 3), (3, None), (6, 6)]


def test_without_a_transaction_each_statement_holds_its_own_locks(scratch: ScratchServer) -> None:
    text = "-- migrate: no-transaction\nALTER TABLE customers ADD a int;\nALTER TABLE orders ADD b int;"
    assert [(each.line, each.held_to) for each in observe_statements(scratch, text)] == [(2, 2), (3, 3)]


def test_a_rollback_to_a_savepoint_releases_the_locks_after_it(scratch: ScratchServer) -> None:
    text = "SAVEPOINT a;\nALTER TABLE customers ADD a int;\nROLLBACK TO a;\nALTER TABLE orders ADD b int;\nSELECT 1;"
    _, undone, _, kept, _ = observe_statements(scratch, text)
    assert (undone.held_to, list_locks(undone)) == (3, {"customers": "AccessExclusive"})
    assert (kept.held_to, list_locks(kept), kept.not_known) == (5, {"orders": "AccessExclusive"}, ())


def test_statements_that_need_a_common_transaction_are_observed_in_it(scratch: ScratchServer) -> None:
    text = "CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1 AS a;\nUPDATE customers SET note = 'x';\nSELECT * FROM t;"
    _, update, _ = observe_statements(scratch, text)
    assert list_locks(update)["customers"] == "RowExclusive"
    assert update.not_known == ()


def test_what_a_file_makes_exists_for_the_files_after_it_only(scratch: ScratchServer) -> None:
    files = ("CREATE TABLE made (a int);\nCREATE INDEX ON made (a);", "ALTER TABLE made ADD b int;")
    assert [list_locks(each) for each in observe_statements(scratch, *files)] == [{}, {}, {"made": "AccessExclusive"}]


def test_settings_of_the_transaction_apply_to_the_statements_after_them(scratch: ScratchServer) -> None:
    tables = "CREATE SCHEMA other; CREATE TABLE other.things (a int); CREATE TABLE things (a int);"
    text = "SET LOCAL search_path = other;\nALTER TABLE things ADD b int;\nALTER TABLE things ADD c int;"
    _, second, third = observe_statements(scratch, text, tables=tables)
    assert list_locks(second) == list_locks(third) == {"other.things": "AccessExclusive"}


def test_an_index_that_is_built_anew_under_its_name_is_rewritten(scratch: ScratchServer) -> None:
    _, created, widened = observe_statements(
        scratch,
        "DROP INDEX customers_name_idx;\nCREATE INDEX customers_name_idx ON customers (name);",
        "ALTER TABLE customers ALTER id TYPE bigint;",
    )
    assert created.rewrites == ("public.customers_name_idx",)
    assert widened.rewrites == ("public.customers", "public.customers_name_idx", "public.customers_pkey")


def test_dropped_columns_have_the_names_that_earlier_files_left(scratch: ScratchServer) -> None:
    files = (
        "ALTER TABLE customers ADD made int;",
        "ALTER TABLE customers RENAME note TO remark;",
        "ALTER TABLE customers DROP name;",
        "ALTER TABLE customers DROP remark, DROP made;",
    )
    *_, first, second = observe_statements(scratch, *files)
    assert first.dropped_columns == {"public.customers": ("name",)}
    assert second.dropped_columns == {"public.customers": ("remark", "made")}


def test_a_file_whose_foreign_keys_lead_to_hundreds_of_tables_is_observed_with_rows_in_the_named_ones(
    scratch: ScratchServer,
) -> None:
    tables = "CREATE TABLE t0 (id int PRIMARY KEY, n text);" + "".join(
        f"CREATE TABLE t{number} (id int PRIMARY KEY, parent int REFERENCES t{number - 1}, n text);" for number in range(1, 120)
    )
    (update,) = observe_statements(scratch, "UPDATE t119 SET n = 'x' WHERE id <= 1000;", tables=tables)
    assert update.scans == ("public.t119", "public.t119_pkey") or update.scans == ("public.t119",)
    assert "update" in update.keeps_out["public.t119"]


def test_drops_and_emptied_tables_are_named(scratch: ScratchServer) -> None:
    text = "ALTER TABLE customers DROP note;\nTRUNCATE orders;\nDROP TABLE orders;"
    column, truncate, table = observe_statements(scratch, text)
    assert column.dropped_columns == {"public.customers": ("note",)}
    assert truncate.empties == ("public.orders",)
    assert table.drops == ("public.orders", "public.orders_pkey")


def test_a_delete_has_the_share_of_its_rows(scratch: ScratchServer) -> None:
    some, all_ = observe_statements(scratch, "DELETE FROM orders WHERE id <= 500;\nDELETE FROM orders;")
    assert some.deletes == {"public.orders": 0.25}
    assert all_.deletes == {"public.orders": 0.75}


def test_a_file_that_fails_ends_the_observation(scratch: ScratchServer) -> None:
    *kept, failed = observe_files(scratch, "ALTER TABLE orders ADD a int;", "SELECT 1;\nSELECT nothing;", "SELECT 1;")
    assert [each.line for each in kept if not isinstance(each, FileFailed)] == [1]
    assert isinstance(failed, FileFailed)
    assert failed.version == "20250202000000_file"
    assert failed.error.message.startswith('column "nothing" does not exist')
    assert failed.place is not None
    assert failed.place.line == 2


def test_a_file_that_fails_on_generated_rows_is_observed_on_empty_tables(scratch: ScratchServer) -> None:
    text = "ALTER TABLE customers ALTER name TYPE date USING ('x' || name)::date;"
    (changed,) = observe_statements(scratch, text)
    assert changed.rewrites == ("public.customers", "public.customers_name_idx", "public.customers_pkey")
    assert "and was observed on empty tables" in changed.not_known[0]


def test_rows_of_the_file_do_not_collide_with_generated_rows(scratch: ScratchServer) -> None:
    tables = "CREATE TABLE things (id serial PRIMARY KEY, name text UNIQUE, kind text CHECK (kind IN ('a', 'b')));"
    (added,) = observe_statements(scratch, "INSERT INTO things (name, kind) VALUES ('x', 'a');", tables=tables)
    assert added.not_known == ()


def test_hundreds_of_partitions_are_listed(scratch: ScratchServer) -> None:
    tables = "CREATE TABLE parts (a int, b text) PARTITION BY RANGE (a);\n" + "\n".join(
        f"CREATE TABLE part_{number} PARTITION OF parts FOR VALUES FROM ({number}) TO ({number + 1});" for number in range(200)
    )
    (added,) = observe_statements(scratch, "ALTER TABLE parts ADD c int DEFAULT 1;", tables=tables)
    assert len(added.locks) == 201
    assert len(added.keeps_out) == 201
    assert added.rewrites == ()


def test_statements_outside_a_transaction_are_known_and_their_rewrites_observed(scratch: ScratchServer) -> None:
    files = ("CREATE INDEX CONCURRENTLY a ON orders (customer_id);", "REINDEX TABLE CONCURRENTLY customers;")
    created, rebuilt = observe_statements(scratch, *files)
    assert (created.source, created.transactional, created.held_to) == ("known", False, 1)
    assert list_locks(created) == {"orders": "ShareUpdateExclusive"}
    assert (created.keeps_out, created.scans) == ({"public.orders": ("ddl",)}, ("public.orders",))
    assert created.needs_old_transactions_to_end
    assert rebuilt.rewrites == ("public.customers_name_idx", "public.customers_pkey")


def test_a_block_that_commits_has_the_locks_that_its_rows_need(scratch: ScratchServer) -> None:
    (block,) = observe_statements(scratch, "DO $$ BEGIN UPDATE orders SET id = -id; COMMIT; END $$;")
    assert list_locks(block) == {"orders": "RowExclusive", "orders_pkey": "RowExclusive"}
    assert block.keeps_out == {"public.orders": ("update", "delete", "ddl")}
    assert block.not_known == ("the locks of statements in it that neither read nor write rows",)


def test_a_procedure_that_commits_has_the_locks_that_its_rows_need(scratch: ScratchServer) -> None:
    body = "BEGIN UPDATE orders SET id = -id; COMMIT; END"
    (call,) = observe_statements(
        scratch, "CALL flip();", tables=f"{TABLES} CREATE PROCEDURE flip() LANGUAGE plpgsql AS '{body}';"
    )
    assert (call.transactional, list_locks(call)) == (False, {"orders": "RowExclusive", "orders_pkey": "RowExclusive"})
    assert call.keeps_out == {"public.orders": ("update", "delete", "ddl")}


@pytest.mark.parametrize(
    ("statement", "locks"),
    [
        ("REINDEX TABLE parts", {"part": "Share", "part_a_idx": "AccessExclusive"}),
        ("REINDEX INDEX parts_a_idx", {"part": "Share", "part_a_idx": "AccessExclusive"}),
        ("CLUSTER parts USING parts_a_idx", {"part": "AccessExclusive", "part_a_idx": "AccessExclusive"}),
    ],
)
def test_what_the_server_refuses_in_a_transaction_for_partitions_is_known(
    scratch: ScratchServer, statement: str, locks: dict[str, str]
) -> None:
    tables = """
    CREATE TABLE parts (a int) PARTITION BY RANGE (a);
    CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (1000000);
    CREATE INDEX parts_a_idx ON parts (a);
    """
    (seen,) = observe_statements(scratch, f"{statement};", tables=tables)
    assert (seen.source, seen.transactional, list_locks(seen)) == ("known", False, locks)
    assert "select" in seen.keeps_out["public.part"]


def test_a_condition_that_no_generated_row_meets_hides_no_check_and_no_trigger(scratch: ScratchServer) -> None:
    tables = f"""
    {TABLES} CREATE TABLE audit (what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (TG_OP); RETURN NULL; END';
    CREATE TRIGGER noted AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION note();
    """
    first, second = observe_statements(
        scratch, "DELETE FROM customers c WHERE note = 'x';\nUPDATE orders SET id = id WHERE id < 0;", tables=tables
    )
    assert list_locks(first) == {
        "audit": "RowExclusive",
        "customers": "RowExclusive",
        "customers_name_idx": "RowExclusive",
        "customers_pkey": "RowExclusive",
        "orders": "RowShare",
        "orders_pkey": "RowShare",
    }
    assert (first.scans, first.deletes) == (("public.customers", "public.orders"), {})
    assert list_locks(second) == {"orders": "RowExclusive", "orders_pkey": "RowExclusive"}


def test_a_delete_that_cascades_waits_for_the_table_at_the_end(scratch: ScratchServer) -> None:
    tables = """
    CREATE TABLE users (id int PRIMARY KEY);
    CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE);
    CREATE TABLE notes (post_id int REFERENCES posts ON DELETE SET NULL);
    """
    (locked,) = observe_statements(scratch, "LOCK TABLE notes IN SHARE MODE;", tables=tables)
    assert locked.keeps_out == {
        "public.notes": ("insert", "update", "delete"),
        "public.posts": ("delete",),
        "public.users": ("delete",),
    }


def test_a_statement_that_scratch_cannot_run_is_not_known(scratch: ScratchServer) -> None:
    kept, left_out = observe_statements(scratch, "ALTER TABLE orders ADD a int;\nALTER SYSTEM SET work_mem = '4MB';")
    assert kept.not_known == ()
    assert left_out.not_known == ("what it does: it was not run on scratch",)


def test_another_major_version_of_the_environment_is_not_known() -> None:
    assert describe_versions(180000, 150004, "prod") == (
        "what PostgreSQL 15 does, which prod runs: it was observed on PostgreSQL 18",
    )
    assert describe_versions(180000, 180002, "prod") == describe_versions(180000, 0, "prod") == ()


def test_a_stop_or_a_used_up_time_ends_the_observation_before_the_next_file(scratch: ScratchServer) -> None:
    files = tuple(RehearsedMigration(f"v{number}", f"CREATE TABLE t{number} (a int);") for number in range(3))
    selection = Selection(files, ("v1", "v2"), "pending", frozenset({"v0"}))
    stop = Stop()
    observed = observe(scratch, selection, limit=Limit(stop=stop))
    assert isinstance(next(observed), ObservedStatement)
    stop.request("SIGINT")
    with pytest.raises(Interruption):
        next(observed)
    with pytest.raises(TimeUsedUpError):
        next(observe(scratch, selection, limit=Limit(until=0)))
