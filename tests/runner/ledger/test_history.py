"""The order of history: what the log knows, never a clock; and what this tool did not apply, by version."""

import hashlib
from collections.abc import Callable

import pytest

from tasks.runner.ledger.history import Record, order_records
from tests.runner.operating import A, B, C, Operator, list_done

D = "20250104000000_create_d"


def show(*records: tuple[str, int | None, bool]) -> str:
    """Return the last letters of versions in order."""
    order = order_records(Record(f"2025_{version}", None, log_id, here) for version, log_id, here in records)
    return "".join(record.version[-1] for record in order)


@pytest.mark.parametrize(
    ("records", "order"),
    [
        ([("a", 1, True), ("b", 2, True)], "ab"),
        ([("a", 2, True), ("b", 1, True)], "ba"),
        ([("b", None, False), ("a", None, False)], "ab"),
        ([("c", None, False), ("a", 1, True)], "ac"),
        ([("a", None, False), ("c", 1, True)], "ac"),
        ([("b", None, False), ("a", 1, True), ("c", 2, True)], "abc"),
        ([("c", 1, False), ("a", 2, True)], "ca"),
        ([("c", 1, False), ("b", None, False), ("a", 2, True)], "cab"),
        ([("c", 1, False), ("b", 2, False), ("a", 3, True)], "bca"),
        ([("a", 2, False), ("c", 1, True)], "ac"),
        ([("d", 2, False), ("c", 1, True), ("a", 3, True)], "cda"),
        ([("c", 1, True), ("a", 2, True), ("d", 3, True), ("b", 4, False)], "bcad"),
    ],
    ids=[
        "in order",
        "late",
        "by hand only",
        "by hand, newer",
        "by hand, older",
        "by hand, between",
        "found before a late one",
        "by hand after a late one",
        "adopted before a late one",
        "adopted beside a newer one",
        "adopted between",
        "adopted beside a late one",
    ],
)
def test_records_are_ordered_by_the_log_and_others_by_version(records: list[tuple[str, int | None, bool]], order: str) -> None:
    assert show(*records) == order
    assert show(*reversed(records)) == order


def insert_by_hand(operator: Operator, version: str, columns: str = "", values: str = "") -> None:
    """Create the table of a version, and insert its row as a person or another tool does."""
    operator.database.execute(f"CREATE TABLE {version[-1]} (id int)")
    operator.database.execute(f"INSERT INTO schema_migrations (version{columns}) VALUES ('{version}'{values})")


def set_back_the_clock(operator: Operator) -> None:
    operator.database.execute("UPDATE schema_migrations SET applied_at = applied_at - interval '2 hours' WHERE version = %s", B)


def set_a_time_zone(operator: Operator) -> None:
    name = operator.database.name
    operator.database.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")


def forget_the_times(operator: Operator) -> None:
    operator.database.execute("UPDATE schema_migrations SET applied_at = NULL WHERE version = %s", B)


@pytest.mark.parametrize("disturb", [set_back_the_clock, set_a_time_zone, forget_the_times])
def test_no_clock_decides_what_is_rolled_back(any_operator: Operator, disturb: Callable[[Operator], None]) -> None:
    any_operator.write_tables(A, B)
    any_operator.migrate(to=A)
    any_operator.migrate()
    disturb(any_operator)
    assert list_done(any_operator.roll_back()) == [B]


def test_a_row_with_the_time_of_another_zone_is_older_than_what_was_applied_after_it(any_operator: Operator) -> None:
    any_operator.make_runner().ensure_migration_table()
    set_a_time_zone(any_operator)
    any_operator.database.close()
    any_operator.write_tables(A, B)
    insert_by_hand(any_operator, A, ", applied_by", ", 'migration_script'")
    assert list_done(any_operator.migrate()) == [B]
    assert list_done(any_operator.roll_back()) == [B]
    assert any_operator.read_tables() == ["a"]


def test_a_row_that_a_run_found_is_older_than_what_it_applied(operator: Operator) -> None:
    operator.make_runner().ensure_migration_table()
    operator.write_tables(A, C)
    insert_by_hand(operator, C)
    assert list_done(operator.migrate()) == [A]
    assert [row.version for row in operator.read_status().rows] == [C, A]
    assert ("adopt", "finished", C) in operator.read_log()
    assert list_done(operator.roll_back()) == [A]


def test_a_row_that_is_inserted_again_after_a_rollback_was_not_applied_by_this_tool(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    operator.write_tables(C)
    operator.roll_back()
    insert_by_hand(operator, B)
    operator.migrate()
    assert operator.read_applied() == [A, B, C]
    operator.database.execute("DELETE FROM schema_migrations_log WHERE action = 'adopt'")
    assert operator.read_applied() == [A, B, C]


def test_without_a_log_the_versions_decide(operator: Operator) -> None:
    operator.write_tables(B)
    operator.migrate()
    operator.write_tables(A, C)
    operator.migrate()
    assert operator.read_applied() == [B, A, C]
    operator.database.execute("TRUNCATE schema_migrations_log")
    assert operator.read_applied() == [A, B, C]


def test_a_dropped_row_that_is_inserted_again_is_unknown_to_the_log(operator: Operator) -> None:
    operator.write_tables(B)
    operator.migrate()
    operator.remove(B)
    operator.repair()
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B)
    operator.database.execute("DROP TABLE b")
    insert_by_hand(operator, B)
    assert operator.read_applied() == [A, B]


def write_renames(operator: Operator, text: str) -> None:
    (operator.project.migrations / "renames.toml").write_text(text)


def test_a_renamed_row_keeps_its_place(any_operator: Operator) -> None:
    any_operator.write_tables(B, A)
    any_operator.migrate(to=A)
    any_operator.migrate()
    any_operator.remove(A)
    any_operator.write(D, "CREATE TABLE a (id int);", "DROP TABLE a;")
    write_renames(any_operator, f'[renames]\n"{A}" = "{D}"')
    before = [row.version for row in any_operator.read_status().rows]
    any_operator.migrate()
    assert any_operator.read_applied() == before == [D, B]
    assert list_done(any_operator.roll_back()) == [B]


def test_a_squash_counts_from_the_first_of_its_parts(operator: Operator) -> None:
    operator.write_tables(A, C)
    operator.migrate()
    operator.write_tables(B)
    operator.migrate()
    assert operator.read_applied() == [A, C, B]
    operator.remove(A)
    operator.remove(B)
    path = operator.project.write_up(D, "CREATE TABLE a (id int); CREATE TABLE b (id int);")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    write_renames(operator, f'[squashed."{D}"]\nchecksum = "{checksum}"\nversions = ["{A}", "{B}"]')
    assert [row.version for row in operator.read_status().rows] == [D, C]
    operator.migrate()
    assert operator.read_applied() == [D, C]
