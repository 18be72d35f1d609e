"""Connections to other databases: publications, foreign-data wrappers, servers and user mappings."""

from __future__ import annotations

from tasks.catalog.classes.object_class import RELATIONS, ObjectClass, exclude_members, list_options


def _select_publications(part: str, schemas: str) -> str:
    return f"""
WITH {RELATIONS}
SELECT 'publication', quote_ident(pubname), '', concat_ws(' ',
    CASE WHEN puballtables THEN 'FOR ALL TABLES' ELSE 'FOR ' || nullif(concat_ws(', ', (
        SELECT string_agg('TABLE ' || relations.name || {part}, ', ' ORDER BY relations.name)
        FROM pg_publication_rel JOIN relations ON relations.oid = prrelid WHERE prpubid = pub.oid), {schemas}), '') END,
    'WITH (publish = ' || quote_literal(concat_ws(', ',
        CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
        CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END))
        || CASE WHEN pubviaroot THEN ', publish_via_partition_root = true' ELSE '' END
        || CASE to_jsonb(pub) ->> 'pubgencols' WHEN 's' THEN ', publish_generated_columns = stored' ELSE '' END || ')')
FROM pg_publication AS pub
WHERE {exclude_members("pg_publication", "pub.oid")}"""


_COLUMNS_AND_ROWS = """coalesce(' (' || (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = prrelid AND attnum = ANY (prattrs::smallint[])) || ')', '')
        || coalesce(' WHERE (' || pg_get_expr(prqual, prrelid) || ')', '')"""

_TABLES_IN_SCHEMAS = """(SELECT string_agg('TABLES IN SCHEMA ' || name, ', ' ORDER BY name)
        FROM pg_publication_namespace JOIN user_schemas ON user_schemas.oid = pnnspid WHERE pnpubid = pub.oid)"""

_WRAPPERS = f"""
SELECT 'foreign-data wrapper', quote_ident(fdwname), '', concat_ws(' ', 'HANDLER ' || nullif(fdwhandler, 0)::regproc,
    'VALIDATOR ' || nullif(fdwvalidator, 0)::regproc, {list_options("fdwoptions", hide=True)})
FROM pg_foreign_data_wrapper AS wrapper
WHERE {exclude_members("pg_foreign_data_wrapper", "wrapper.oid")}"""

_SERVERS = f"""
SELECT 'server', quote_ident(srvname), '', concat_ws(' ',
    'TYPE ' || quote_literal(srvtype), 'VERSION ' || quote_literal(srvversion),
    'FOREIGN DATA WRAPPER ' || quote_ident(fdwname), {list_options("srvoptions", hide=True)})
FROM pg_foreign_server AS server
JOIN pg_foreign_data_wrapper AS wrapper ON wrapper.oid = srvfdw
WHERE {exclude_members("pg_foreign_server", "server.oid")}"""

_USER_MAPPINGS = f"""
SELECT 'user mapping', CASE umuser WHEN 0 THEN 'PUBLIC' WHEN srvowner THEN 'OWNER' ELSE umuser::regrole::text END,
    'server ' || quote_ident(server.srvname), 'SERVER ' || quote_ident(server.srvname)
FROM pg_user_mappings
JOIN pg_foreign_server AS server ON server.oid = srvid
WHERE {exclude_members("pg_foreign_server", "server.oid")}"""
# Without the options: they contain passwords, and not every role may read them.

CLASSES = (
    ObjectClass("publications", _select_publications("''", "NULL"), "FROM pg_publication", until=14),
    ObjectClass("publications", _select_publications(_COLUMNS_AND_ROWS, _TABLES_IN_SCHEMAS), "FROM pg_publication", since=15),
    ObjectClass("foreign-data wrappers", _WRAPPERS, trace="FROM pg_foreign_data_wrapper"),
    ObjectClass("servers", _SERVERS, trace="FROM pg_foreign_server"),
    ObjectClass("user mappings", _USER_MAPPINGS, trace="FROM pg_foreign_server"),
)
