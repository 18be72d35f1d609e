"""Indexes of every kind."""

from collections.abc import Iterable, Sequence
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import ARRAY, Column, DateTime, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB
from sqlalchemy.schema import SchemaItem

from tests.models.zoo.case import WITH_PGVECTOR, ZooCase, change_table


def _columns() -> list[SchemaItem]:
    return [
        Column("label", Text),
        Column("size", Integer),
        Column("seen", DateTime),
        Column("tags", ARRAY(Text)),
        Column("details", JSONB),
        Column("span", INT4RANGE),
    ]


def _index(name: str, title: str, before: Sequence[Any] | None, after: Sequence[Any] | None, **options: Any) -> ZooCase:
    """Return a case with an index before and one after; each is its columns and its options."""

    def build(index: Sequence[Any] | None) -> Iterable[SchemaItem]:
        return _columns() if index is None else [*_columns(), Index(f"{name}_index", *index[0], **index[1])]

    return change_table(name, title, lambda: build(before), lambda: build(after), **options)


def _embedding(dimensions: int) -> Column[Any]:
    return Column("embedding", Vector(dimensions))


def _neighbours(operators: str) -> Index:
    return Index("vector_index_index", "embedding", postgresql_using="hnsw", postgresql_ops={"embedding": operators})


INDEXES = (
    _index("index_added", "index added", None, (["label"], {})),
    _index("index_removed", "index removed", (["label"], {}), None),
    _index("index_columns", "index: one more column", (["label"], {}), (["label", "size"], {})),
    _index("index_unique", "index becomes unique", (["size"], {}), (["size"], {"unique": True})),
    _index(
        "index_partial",
        "partial index: another condition",
        (["size"], {"postgresql_where": text("size > 0")}),
        (["size"], {"postgresql_where": text("size > 0 AND label IS NOT NULL")}),
    ),
    _index("index_expression", "expression index added", None, ([func.lower(text("label"))], {})),
    _index(
        "index_expression_changed",
        "expression index: another expression",
        ([text("lower(label)")], {}),
        ([text("upper(label)")], {}),
    ),
    _index("index_order", "index: DESC NULLS LAST", (["size"], {}), ([text("size DESC NULLS LAST")], {})),
    _index(
        "index_class",
        "index: operator class",
        (["label"], {}),
        (["label"], {"postgresql_ops": {"label": "text_pattern_ops"}}),
    ),
    _index("index_include", "index: INCLUDE", (["size"], {}), (["size"], {"postgresql_include": ["label"]})),
    _index("index_method", "index: hash instead of btree", (["label"], {}), (["label"], {"postgresql_using": "hash"})),
    _index(
        "index_gin",
        "gin index added, with an operator class",
        None,
        (["details"], {"postgresql_using": "gin", "postgresql_ops": {"details": "jsonb_path_ops"}}),
    ),
    _index("index_gist", "gist index added", None, (["span"], {"postgresql_using": "gist"})),
    _index(
        "index_brin",
        "brin index: storage parameter",
        (["seen"], {"postgresql_using": "brin"}),
        (["seen"], {"postgresql_using": "brin", "postgresql_with": {"pages_per_range": 32}}),
    ),
    _index(
        "index_nulls",
        "unique index: NULLS NOT DISTINCT",
        (["label"], {"unique": True}),
        (["label"], {"unique": True, "postgresql_nulls_not_distinct": True}),
        since=15,
    ),
    _index(
        "index_trigrams",
        "gin index of trigrams added",
        None,
        (["label"], {"postgresql_using": "gin", "postgresql_ops": {"label": "gin_trgm_ops"}}),
        setup="CREATE EXTENSION pg_trgm;",
    ),
    change_table(
        "vector_added",
        "pgvector: column with an hnsw index added",
        list,
        lambda: [
            _embedding(3),
            Index(
                "vector_added_index",
                "embedding",
                postgresql_using="hnsw",
                postgresql_with={"m": 16, "ef_construction": 64},
                postgresql_ops={"embedding": "vector_cosine_ops"},
            ),
        ],
        setup="CREATE EXTENSION IF NOT EXISTS vector;",
        since=WITH_PGVECTOR,
    ),
    change_table(
        "vector_index",
        "pgvector: hnsw index with another operator class",
        lambda: [_embedding(4), _neighbours("vector_l2_ops")],
        lambda: [_embedding(4), _neighbours("vector_ip_ops")],
        setup="CREATE EXTENSION IF NOT EXISTS vector;",
        since=WITH_PGVECTOR,
    ),
)
"""Changes of indexes."""
