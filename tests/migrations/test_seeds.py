"""Gaia's seeds insert the data that every environment has, and do not change existing rows."""

from pathlib import Path

import pytest

from tests.kit.databases import Database
from tests.migrations.gaia import SEEDS, migrate_up, run

ROWS = """
    SELECT 'personas', to_jsonb(personas) FROM personas
    UNION ALL SELECT 'users', to_jsonb(users) FROM users
    UNION ALL SELECT 'roles', to_jsonb(roles) FROM roles
    UNION ALL SELECT 'asset_sources', to_jsonb(asset_sources) FROM asset_sources
    ORDER BY 1, 2
"""


@pytest.fixture
def seeded(database: Database) -> Database:
    """Return a migrated database with all seeds."""
    migrate_up(database)
    run(database, *SEEDS)
    return database


def test_seeds_insert_the_default_data(seeded: Database) -> None:
    assert seeded.query("SELECT name, created_by FROM personas") == [("Mu", "system")]
    assert seeded.query("SELECT email, name FROM users ORDER BY email") == [
        ("admin@gaia.dev", "Gaia Administrator"),
        ("dev@gaia.local", "Local Development User"),
    ]
    assert seeded.query("SELECT type, array_agg(name::text ORDER BY name) FROM roles GROUP BY type") == [
        ("system", ["admin", "developer", "kb_admin", "kb_editor", "kb_viewer", "super_admin", "user"])
    ]
    assert seeded.query(
        "SELECT source_type, array_agg(source_name::text ORDER BY id) FROM asset_sources GROUP BY 1 ORDER BY 1"
    ) == [
        ("community", ["community_uploads"]),
        ("generated", ["meshy_ai", "midjourney"]),
        ("open_source", ["freesound", "opengameart", "poly_haven"]),
    ]


@pytest.mark.parametrize("path", SEEDS, ids=[path.stem for path in SEEDS])
def test_a_seed_that_runs_twice_has_the_same_result(seeded: Database, path: Path) -> None:
    rows = seeded.query(ROWS)
    run(seeded, path)
    assert seeded.query(ROWS) == rows


def test_seeds_keep_manual_changes(seeded: Database) -> None:
    seeded.execute("UPDATE personas SET system_prompt = 'Be brief.', capabilities = '{}'")
    seeded.execute("UPDATE users SET name = 'Ada'")
    seeded.execute("UPDATE roles SET description = 'ours'")
    seeded.execute("UPDATE asset_sources SET api_endpoint = 'https://example.org', is_active = false")
    rows = seeded.query(ROWS)
    run(seeded, *SEEDS)
    assert seeded.query(ROWS) == rows


@pytest.mark.parametrize(
    "delete",
    [
        "DELETE FROM personas",
        "DELETE FROM users WHERE email = 'dev@gaia.local'",
        "DELETE FROM roles WHERE name = 'kb_editor'",
        "DELETE FROM asset_sources WHERE source_name = 'freesound'",
    ],
)
def test_seeds_add_missing_rows(seeded: Database, delete: str) -> None:
    count = len(seeded.query(ROWS))
    seeded.execute(delete)
    run(seeded, *SEEDS)
    assert len(seeded.query(ROWS)) == count


@pytest.mark.parametrize("path", SEEDS, ids=[path.stem for path in SEEDS])
def test_a_seed_has_a_header(path: Path) -> None:
    name, description, blank, *_ = path.read_text(encoding="utf-8").splitlines()
    assert name == f"-- Seed: {path.name}"
    assert description.startswith("-- Description: ")
    assert blank == ""
