"""Words in the names of migrations that decide what a name can mean."""

from __future__ import annotations

from tasks.postgres.extension_parts import EXTENSION_PARTS
from tasks.postgres.images import EXTENSIONS

PREPOSITIONS = frozenset({"to", "from", "on", "in", "of", "for"})
"""A table or an existing column seldom has such a word, so another reading of a name is preferred."""

KINDS = frozenset(
    {
        "aggregate", "aggregates", "check", "checks", "column", "columns", "constraint", "constraints", "database", "databases",
        "domain", "domains", "enum", "enums", "extension", "extensions", "field", "fields", "fk", "fks", "function", "functions",
        "grant", "grants", "index", "indexes", "indices", "partition", "partitions", "policies", "policy", "privileges",
        "procedure", "procedures", "publication", "publications", "rls", "schema", "schemas", "sequence", "sequences",
        "statistics", "subscription", "subscriptions", "table", "tables", "trigger", "triggers", "type", "types", "unique",
        "uniqueness", "view", "views",
    }
)  # fmt: skip
"""Kinds of objects: a table is not created, and a column is not added, by a name with such a word at its end or start."""

NOT_COLUMNS = KINDS - {"database", "field", "partition", "schema", "type", "domain", "function", "statistics"} | {
    "all", "data", "default", "defaults", "demo", "duplicate", "duplicates", "existing", "fake", "initial", "key_constraint",
    "missing", "null", "nullable", "orphan", "orphans", "ref", "reference", "references", "required", "row", "rows", "sample",
    "support", "test", "timestamps", "value", "values",
}  # fmt: skip
"""Words that show that a name is not about a column, where it is the only word, the first or the last one."""

NEVER_COLUMNS = frozenset(
    {"admin", "admins", "cascade", "json", "jsonb", "member", "members", "on_delete_cascade", "soft_delete", "user", "users"}
)
"""What is added to a table, but not as a column of this name and of a type that a name determines."""

INDEX_WORDS = frozenset(
    {
        "brin", "btree", "composite", "covering", "expression", "functional", "gin", "gist", "hash", "hnsw", "ivfflat", "lower",
        "multicolumn", "partial", "spgist", "trgm", "trigram", "upper",
    }
)  # fmt: skip
"""Words for the kind of an index, which a template does not have; a known column may have such a name."""

NOT_TABLES = frozenset(
    {
        "admin", "all", "bulk", "daily", "default", "demo", "dummy", "fake", "fixture", "initial", "legacy", "many", "missing",
        "more", "new", "old", "sample", "some", "system", "temp", "temporary", "test", "the", "unlogged",
    }
)  # fmt: skip
"""Words before rows rather than before a table: create_default_roles inserts roles."""

SHARED_BY_COLUMNS = frozenset(
    {
        "begin",
        "billing",
        "end",
        "first",
        "from",
        "home",
        "last",
        "max",
        "middle",
        "min",
        "new",
        "old",
        "shipping",
        "start",
        "to",
        "work",
    }
)
"""Words that need the last word of a list: first_and_last_name are not the columns first and last_name."""

WITHOUT_TYPE = frozenset({"embedding", "embeddings", "geog", "geography", "geom", "geometry", "location", "point", "vector"})
"""Columns whose type needs more than their name, such as a number of dimensions."""

_AMBIGUOUS = frozenset(
    {"age", "autoinc", "columnar", "cube", "earthdistance", "http", "isn", "lo", "refint", "rum", "seg", "semver"}
)
_AMBIGUOUS |= {"tcn", "wrappers", "insert_username", "plpgsql", "adminpack"}
_ALIASES = {"pgvector": "vector", "uuid": "uuid-ossp", "trigram": "pg_trgm", "trgm": "pg_trgm", "pgcron": "pg_cron"}
_ALIASES |= {"timescale": "timescaledb", "fuzzy_match": "fuzzystrmatch"}


def find_extension(words: str, *, named_as_extension: bool) -> str:
    """Return the extension that words name; empty if they may mean something else, as in enable_dark_mode."""
    known = {name.replace("-", "_"): name for name in (*EXTENSIONS, *EXTENSION_PARTS)} | _ALIASES
    if named_as_extension:
        return known.get(words, words)
    return "" if words in _AMBIGUOUS else known.get(words, "")
