"""A generated history with the kinds of migrations that applications have: tables, columns, indexes, views, triggers, data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_CYCLE = 14
"""The number of migrations that one table gets in the course of the history."""

_Pair = tuple[str, str]


def write_history(folder: Path, count: int) -> Path:
    """Write `count` migrations with their downs into a folder, and return it."""
    for direction in ("up", "down"):
        (folder / direction).mkdir(parents=True)
    for number in range(count):
        write = _KINDS[number % _CYCLE]
        version = f"{_FIRST + timedelta(hours=number):%Y%m%d%H%M%S}_{write.__name__.strip('_')}_{number}"
        for direction, text in zip(("up", "down"), write(f"item_{number // _CYCLE}"), strict=True):
            (folder / direction / f"{version}.sql").write_text(text)
    return folder


def _create_table(name: str) -> _Pair:
    up = f"""CREATE TABLE {name} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint,
    title text NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'new',
    price numeric(12, 2) CHECK (price >= 0),
    details jsonb NOT NULL DEFAULT '{{}}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz
);
CREATE INDEX {name}_owner ON {name} (owner_id);
COMMENT ON TABLE {name} IS 'Items of a shop';
"""
    return up, f"DROP TABLE {name};\n"


def _create_enum(name: str) -> _Pair:
    up = f"CREATE TYPE {name}_kind AS ENUM ('small', 'large');\nALTER TABLE {name} ADD COLUMN kind {name}_kind;\n"
    return up, f"ALTER TABLE {name} DROP COLUMN kind;\nDROP TYPE {name}_kind;\n"


def _insert_rows(name: str) -> _Pair:
    up = f"INSERT INTO {name} (title, price) SELECT 'item ' || n, n FROM generate_series(1, 20) AS n;\n"
    return up, f"DELETE FROM {name};\n"


def _add_column(name: str) -> _Pair:
    up = f"ALTER TABLE {name} ADD COLUMN quantity integer NOT NULL DEFAULT 0;\n"
    return up, f"ALTER TABLE {name} DROP COLUMN quantity;\n"


def _create_index(name: str) -> _Pair:
    up = f"CREATE INDEX CONCURRENTLY {name}_title ON {name} (lower(title)) WHERE quantity > 0;\n"
    return up, f"DROP INDEX {name}_title;\n"


def _create_child(name: str) -> _Pair:
    up = f"""CREATE TABLE {name}_note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    {name}_id bigint NOT NULL REFERENCES {name} (id) ON DELETE CASCADE,
    body text NOT NULL
);
"""
    return up, f"DROP TABLE {name}_note;\n"


def _create_view(name: str) -> _Pair:
    up = f"CREATE VIEW {name}_totals AS SELECT status, count(*) AS items, sum(price) AS total FROM {name} GROUP BY status;\n"
    return up, f"DROP VIEW {name}_totals;\n"


def _create_trigger(name: str) -> _Pair:
    up = f"""CREATE FUNCTION {name}_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_touch();
"""
    return up, f"DROP TRIGGER touch ON {name};\nDROP FUNCTION {name}_touch();\n"


def _add_constraint(name: str) -> _Pair:
    up = f"""ALTER TABLE {name} ADD CONSTRAINT {name}_quantity CHECK (quantity >= 0) NOT VALID;
ALTER TABLE {name} VALIDATE CONSTRAINT {name}_quantity;
"""
    return up, f"ALTER TABLE {name} DROP CONSTRAINT {name}_quantity;\n"


def _update_rows(name: str) -> _Pair:
    return f"UPDATE {name} SET status = 'open' WHERE status = 'new';\n", f"UPDATE {name} SET status = 'new';\n"


def _rename_column(name: str) -> _Pair:
    return f"ALTER TABLE {name} RENAME COLUMN details TO attributes;\n", f"ALTER TABLE {name} RENAME attributes TO details;\n"


def _create_unique(name: str) -> _Pair:
    up = f"CREATE UNIQUE INDEX {name}_unique ON {name} (owner_id, title);\nGRANT SELECT ON {name} TO shop_reader;\n"
    return up, f"REVOKE SELECT ON {name} FROM shop_reader;\nDROP INDEX {name}_unique;\n"


def _change_type(name: str) -> _Pair:
    up = f"DROP VIEW {name}_totals;\nALTER TABLE {name} ALTER COLUMN status TYPE text;\n"
    down = f"ALTER TABLE {name} ALTER COLUMN status TYPE varchar(20);\n{_create_view(name)[0]}"
    return up, down


def _drop_column(name: str) -> _Pair:
    return f"ALTER TABLE {name} DROP COLUMN kind;\n", f"ALTER TABLE {name} ADD COLUMN kind {name}_kind;\n"


_KINDS: tuple[Callable[[str], _Pair], ...] = (
    _create_table, _create_enum, _insert_rows, _add_column, _create_index, _create_child, _create_view, _create_trigger,
    _add_constraint, _update_rows, _rename_column, _create_unique, _change_type, _drop_column,
)  # fmt: skip
