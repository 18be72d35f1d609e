"""Which objects a migration may change or depend on."""

import pytest

from tasks.adopt.references import References
from tasks.catalog import Key

USERS, ROLES = Key("table", "public.users"), Key("table", "public.roles")


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("ALTER TABLE users ADD a int", {USERS}),
        ("ALTER TABLE a ADD b text DEFAULT '--'; ALTER TABLE users ADD c int", {USERS}),
        ("/* /* */ ALTER TABLE users */ ALTER TABLE roles ADD a int", {ROLES}),
        ("-- ALTER TABLE users\nSELECT 1", set()),
        ("DO $$ BEGIN -- users\n ALTER TABLE roles ADD a int; END $$", {ROLES}),
        ("DO $$ BEGIN EXECUTE 'ALTER TABLE ' || a; END $$", {USERS, ROLES}),
        ("INSERT INTO users VALUES (1)", set()),
    ],
)
def test_a_migration_may_change_the_objects_that_its_text_names(text: str, changed: set[Key]) -> None:
    references = References(text)
    assert {key for key in (USERS, ROLES) if references.touches(key)} == changed


def test_a_migration_may_depend_on_an_object_that_it_only_reads() -> None:
    references = References("INSERT INTO users SELECT 1")
    assert references.depends_on(USERS, "", frozenset({"users"}))
    assert not references.depends_on(ROLES, "", frozenset({"users"}))
