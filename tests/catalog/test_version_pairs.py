"""No drift where only the versions of two servers differ, and drift where something was changed."""

import pytest

from tasks.catalog import Catalog, compare, divide, show_difference
from tests.catalog.attribute_cases import ATTRIBUTES
from tests.catalog.cases import CASES
from tests.catalog.test_versions import Pair, read
from tests.catalog.version_cases import SCHEMAS
from tests.catalog.version_pairs import find_alarms, list_common, make_roles, make_together, read_after, read_made, restore
from tests.kit.databases import Database, fresh_database


def show(expected: Catalog, live: Catalog) -> list[str]:
    return list(show_difference(find_alarms(expected, live)))


@pytest.mark.newest
@pytest.mark.timeout(600)
def test_each_schema_is_the_same_on_both_servers(pair: Pair) -> None:
    for database in pair:
        make_roles(database)
    new, old = map(read_made, pair)
    alarms = {title: show(new[title], live) for title, live in old.items() if title in new}
    assert {title: lines for title, lines in alarms.items() if lines} == {}
    assert len(alarms) > 150


@pytest.mark.timeout(300)
def test_schemas_are_the_same_on_both_servers_and_after_a_dump_and_restore(pair: Pair) -> None:
    """More than a second: three databases with 130 schemas each are read, and two of them are restored."""
    new, old = pair
    for database in pair:
        make_roles(database)
    common = list_common(old)
    make_together(old, common)
    with fresh_database(old.server) as again, fresh_database(new.server) as upgraded:
        restore(old, again)
        restore(old, upgraded)
        make_together(new, common)
        expected = read(new)
        assert show(expected, read(old)) == []
        assert show(expected, read(again)) == []
        assert show(expected, read(upgraded)) == []
    assert len(common) > 100


@pytest.mark.parametrize(
    "title",
    [
        "privileges: GRANT ALL ON t TO catalog_reader",
        "privileges: GRANT ALL ON ALL TABLES IN SCHEMA public TO catalog_reader",
        "privileges: REVOKE ALL ON t FROM CURRENT_USER (2)",
        "privileges: REVOKE DELETE, TRUNCATE ON t FROM CURRENT_USER",
        "privileges: all seven of 16",
        "privileges: CREATE in public not for all",
        "privileges: no public",
        "privileges: public made again, untouched",
        "privileges: constructors of a range, granted",
    ],
)
def test_privileges_are_the_same_after_an_upgrade(pair: Pair, title: str) -> None:
    (schema,) = (
        schema for schema in SCHEMAS if schema.title.startswith(title) and schema.title in (title, title + " catalog_reader")
    )
    new, old = pair
    for database in pair:
        make_roles(database)
        database.execute(schema.text)
    with fresh_database(new.server) as upgraded:
        restore(old, upgraded)
        assert show(read(new), read(upgraded)) == []


def test_a_database_that_came_from_14_has_a_mild_difference(pair: Pair) -> None:
    new, old = pair
    with fresh_database(new.server) as upgraded:
        restore(old, upgraded)
        drift, mild = divide(compare(read(new), read(upgraded)), read(upgraded).server_version)
    assert list(show_difference(drift)) == []
    major = read(old).server_version // 10000
    granted = ["+ grant PUBLIC of public", "    + GRANT CREATE ON SCHEMA public TO PUBLIC"]
    assert list(show_difference(mild)) == (granted if major < 15 else [])


@pytest.mark.only_newest
@pytest.mark.parametrize(
    ("expected", "live", "seen"),
    [
        ("", "GRANT MAINTAIN ON t TO catalog_reader", 1),
        ("GRANT ALL ON t TO catalog_reader", "GRANT ALL ON t TO catalog_reader; REVOKE MAINTAIN ON t FROM catalog_reader", 0),
        ("GRANT SELECT ON t TO catalog_reader", "GRANT SELECT, MAINTAIN ON t TO catalog_reader", 1),
        ("", "REVOKE MAINTAIN ON t FROM CURRENT_USER", 1),
        ("", "GRANT CREATE ON SCHEMA public TO catalog_reader", 1),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "", 1),
        ("", "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE t (a integer, b integer)", 1),
        ("", "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC", 1),
        ("", "ALTER TABLE t RENAME a TO c; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME c TO b", 0),
        ("", "ALTER TABLE t DROP a; ALTER TABLE t ADD a integer; ALTER TABLE t ADD c integer", 2),
    ],
)
def test_what_no_upgrade_leaves_is_drift(database: Database, expected: str, live: str, seen: int) -> None:
    make_roles(database)
    catalogs = [read_after(database, "CREATE TABLE t (a integer, b integer)", text) for text in (expected, live)]
    assert len(find_alarms(*catalogs).changes) == seen


def test_a_privilege_revoked_on_14_and_granted_on_a_newer_server_is_drift(pair: Pair) -> None:
    new, old = pair
    new.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    old.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert [str(change.key) for change in find_alarms(read(new), read(old)).changes] == ["grant PUBLIC of public"]


@pytest.mark.newest
@pytest.mark.timeout(600)
def test_changes_are_seen_although_the_versions_differ(pair: Pair) -> None:
    new, old = pair
    for database in pair:
        make_roles(database)
    major = read(old).server_version // 10000
    missed = {}
    for case in (*CASES, *ATTRIBUTES):
        impossible = "catalog_space" in case.change or "UPDATE pg_" in case.change
        if case.since > major or not case.seen or impossible:
            continue
        expected, live = read_after(new, case.setup), read_after(old, case.setup, case.change)
        found = tuple(f"{change.word} {change.key}" for change in compare(expected, live).changes)
        if found != case.seen:
            missed[case.title] = found
    assert missed == {}
