"""Names as SQL text, for SQL that is shown, stored or assembled as text.

A statement that is composed with psycopg.sql takes psycopg.sql.Identifier instead, which always quotes.
"""

from __future__ import annotations

import re

MAX_NAME_BYTES = 63
"""The server truncates longer names (NAMEDATALEN - 1):
https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS"""

KEYWORDS = frozenset(
    {
        "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between", "bigint",
        "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce", "collate", "collation",
        "column", "concurrently", "constraint", "create", "cross", "current_catalog", "current_date", "current_role",
        "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable",
        "desc", "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign",
        "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike", "in", "initially", "inner",
        "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull", "join", "json", "json_array",
        "json_arrayagg", "json_exists", "json_object", "json_objectagg", "json_query", "json_scalar", "json_serialize",
        "json_table", "json_value", "lateral", "leading", "least", "left", "like", "limit", "localtime", "localtimestamp",
        "merge_action", "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric",
        "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision",
        "primary", "real", "references", "returning", "right", "row", "select", "session_user", "setof", "similar", "smallint",
        "some", "substring", "symmetric", "system_user", "table", "tablesample", "then", "time", "timestamp", "to", "trailing",
        "treat", "trim", "true", "union", "unique", "user", "using", "values", "varchar", "variadic", "verbose", "when",
        "where", "window", "with", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces",
        "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
    }
)  # fmt: skip
"""The keywords that are not unreserved in any of PostgreSQL 14 to 18 (pg_get_keywords(), catcode other than U). Sources:
src/include/parser/kwlist.h of each, https://www.postgresql.org/docs/current/sql-keywords-appendix.html"""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def quote_identifier(name: str) -> str:
    """Return a name as SQL, in quotes where a server of any supported version needs them, as its quote_ident() does.

    https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/ruleutils.c (quote_identifier)
    """
    if _PLAIN.fullmatch(name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def unquote_identifier(text: str) -> str:
    """Return a name as the catalog has it, from SQL in which it is without quotes or in quotes."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def fold_identifier(text: str) -> str:
    """Return a name as the catalog has it, from SQL of any author: without quotes, the server reads it in lower case."""
    return unquote_identifier(text) if text.startswith('"') else text.lower()


def quote_qualified(*parts: str) -> str:
    """Return a name of several parts as SQL, for example of a schema and a table; empty parts are left out."""
    return ".".join(quote_identifier(part) for part in parts if part)


def show_identifier(name: str) -> str:
    """Return a name as SQL for a message, to be pasted: characters that a terminal does not show as they are become escapes.

    https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS (U&"…")
    """
    if name.isprintable():
        return quote_identifier(name)
    return 'U&"' + _escape(name.replace('"', '""'), r"\+{:06X}") + '"'


def show_qualified(*parts: str) -> str:
    """Return a name of several parts as SQL for a message, as `show_identifier` does; empty parts are left out."""
    return ".".join(show_identifier(part) for part in parts if part)


def show_literal(text: str) -> str:
    """Return a text as a literal of SQL for a message, to be pasted, with escapes as in `show_identifier`.

    https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE
    """
    doubled = text.replace("'", "''")
    if text.isprintable() and "\\" not in text:
        return f"'{doubled}'"
    return "E'" + _escape(doubled, r"\U{:08X}") + "'"


def _escape(text: str, form: str) -> str:
    doubled = text.replace("\\", 2 * "\\")
    return "".join(character if character.isprintable() else form.format(ord(character)) for character in doubled)
