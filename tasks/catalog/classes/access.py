"""Policies, grants and default privileges.

Only grants that differ from the defaults of PostgreSQL are read, so that a missing access list equals an explicit default:
https://www.postgresql.org/docs/current/ddl-priv.html. The owner is written as OWNER, whatever the name of the role.
"""

from __future__ import annotations

from tasks.catalog.classes.object_class import (
    FIRST_OWN_OID,
    OWNED_SEQUENCES,
    RELATIONS,
    ObjectClass,
    exclude_members,
    exclude_parts,
)

_POLICIES = f"""
WITH {RELATIONS}
SELECT 'policy', quote_ident(polname), name, concat_ws(' ',
    CASE WHEN NOT polpermissive THEN 'AS RESTRICTIVE' END,
    'FOR ' || CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
        ELSE 'ALL' END,
    'TO ' || (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', '
        ORDER BY CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END) FROM unnest(polroles) AS role),
    'USING (' || pg_get_expr(polqual, polrelid) || ')',
    'WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
FROM pg_policy
JOIN relations ON relations.oid = polrelid"""

# As initdb writes it; 15 removed CREATE: https://www.postgresql.org/docs/release/15.0/.
_UNTOUCHED_SCHEMA = """acldefault('n', nspowner) || CASE WHEN nspname = 'public' THEN
            ARRAY[('=U' || CASE WHEN current_setting('server_version_num')::integer < 150000 THEN 'C' ELSE '' END
            || '/' || nspowner::regrole)::aclitem] END"""

# A schema public that was created again has no list, and so no privileges for PUBLIC.
_SCHEMA_LIST = "coalesce(nspacl, CASE nspname WHEN 'public' THEN acldefault('n', nspowner) END)"

# Not the privileges on the constructors of a range and on its multirange type: no dump has them, and since 17 the type has none.
# Each source returns: the kind of the object; its parent; the target of the grant; the text before GRANT and the one in brackets
# after a privilege; the code for acldefault(); the owner; the access list; and the access list of an unchanged object.
_GRANTED = f"""
granted AS MATERIALIZED (
    SELECT 'grant' AS kind, name AS parent, 'SCHEMA ' || name AS target, '' AS before, '' AS part, 'n'::"char" AS code,
        nspowner AS owner, {_SCHEMA_LIST} AS acl,
        {_UNTOUCHED_SCHEMA} AS untouched
    FROM schemas WHERE {_SCHEMA_LIST} IS NOT NULL
    UNION ALL
    SELECT 'grant', name, 'TABLE ' || name, '', '', 'r', relowner, relacl, acldefault('r', relowner)
    FROM relations WHERE relacl IS NOT NULL
    UNION ALL
    SELECT 'grant', relations.name, 'TABLE ' || relations.name, '', ' (' || quote_ident(attname) || ')', 'c', relowner, attacl,
        acldefault('c', relowner)
    FROM pg_attribute JOIN relations ON relations.oid = attrelid
    WHERE attacl IS NOT NULL AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'grant', name, 'SEQUENCE ' || name, '', '', 's', relowner, relacl, acldefault('s', relowner)
    FROM sequences WHERE relacl IS NOT NULL
    UNION ALL
    SELECT 'grant', proc.oid::regprocedure::text, CASE prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END
        || proc.oid::regprocedure, '', '', 'f', proowner, proacl, acldefault('f', proowner)
    FROM pg_proc AS proc JOIN user_schemas ON user_schemas.oid = pronamespace
    WHERE proacl IS NOT NULL AND {exclude_members("pg_proc", "proc.oid")} AND {exclude_parts("pg_proc", "proc.oid")}
    UNION ALL
    SELECT 'grant', type.oid::regtype::text, 'TYPE ' || type.oid::regtype, '', '', 'T', typowner, typacl,
        acldefault('T', typowner)
    FROM pg_type AS type JOIN user_schemas ON user_schemas.oid = typnamespace
    WHERE typacl IS NOT NULL AND typtype <> 'm' AND {exclude_members("pg_type", "type.oid")}
    UNION ALL
    SELECT 'grant', 'language ' || quote_ident(lanname), 'LANGUAGE ' || quote_ident(lanname), '', '', 'l', lanowner, lanacl,
        acldefault('l', lanowner)
    FROM pg_language WHERE lanacl IS NOT NULL
    UNION ALL
    SELECT 'grant', 'foreign-data wrapper ' || quote_ident(fdwname), 'FOREIGN DATA WRAPPER ' || quote_ident(fdwname), '', '', 'F',
        fdwowner, fdwacl, acldefault('F', fdwowner)
    FROM pg_foreign_data_wrapper AS wrapper
    WHERE fdwacl IS NOT NULL AND {exclude_members("pg_foreign_data_wrapper", "wrapper.oid")}
    UNION ALL
    SELECT 'grant', 'server ' || quote_ident(srvname), 'FOREIGN SERVER ' || quote_ident(srvname), '', '', 'S', srvowner, srvacl,
        acldefault('S', srvowner)
    FROM pg_foreign_server AS server
    WHERE srvacl IS NOT NULL AND {exclude_members("pg_foreign_server", "server.oid")}
    UNION ALL
    SELECT 'default privilege', coalesce('schema ' || schemas.name, ''),
        CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
            WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
        'ALTER DEFAULT PRIVILEGES FOR ROLE ' || CASE WHEN defaclrole = datdba THEN 'OWNER' ELSE defaclrole::regrole::text END
            || coalesce(' IN SCHEMA ' || schemas.name, '') || ' ',
        '', CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole, defaclacl,
        CASE WHEN defaclnamespace = 0
             THEN acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole) END
    FROM pg_default_acl
    JOIN pg_database ON datname = current_database()
    LEFT JOIN schemas ON schemas.oid = defaclnamespace
    WHERE defaclnamespace = 0 OR schemas.oid IS NOT NULL
)"""

_GRANTS = f"""
WITH {OWNED_SEQUENCES},
{_GRANTED},
numbered AS (SELECT row_number() OVER () AS number, granted.* FROM granted),
given AS MATERIALIZED (
    SELECT DISTINCT number, grantee, privilege_type AS privilege, is_grantable AS grantable
    FROM numbered, aclexplode(acl)
),
usual AS MATERIALIZED (
    SELECT DISTINCT number, grantee, privilege_type AS privilege FROM numbered, aclexplode(untouched)
),
totals AS (
    SELECT number, count(DISTINCT privilege_type) AS total
    FROM numbered, aclexplode(acldefault(code, owner)) GROUP BY number
),
steps AS (
    SELECT number, grantee, 'GRANT' AS verb, privilege, grantable FROM given
    WHERE grantable OR NOT EXISTS (SELECT FROM usual WHERE (usual.number, usual.grantee, usual.privilege)
        = (given.number, given.grantee, given.privilege))
    UNION ALL
    SELECT number, grantee, 'REVOKE', privilege, false FROM usual
    WHERE NOT EXISTS (SELECT FROM given WHERE (usual.number, usual.grantee, usual.privilege)
        = (given.number, given.grantee, given.privilege))
),
sentences AS (
    SELECT number, grantee, verb, grantable,
        CASE WHEN total > 1 AND count(*) = total THEN 'ALL'
             ELSE string_agg(privilege || part, ', ' ORDER BY privilege COLLATE "C") END AS privileges
    FROM steps JOIN numbered USING (number) LEFT JOIN totals USING (number)
    GROUP BY number, grantee, verb, grantable, total, part
),
worded AS (
    SELECT number, verb, grantable, privileges,
        CASE grantee WHEN 0 THEN 'PUBLIC' WHEN owner THEN 'OWNER' ELSE grantee::regrole::text END AS role
    FROM sentences JOIN numbered USING (number)
)
SELECT kind,
    CASE kind WHEN 'grant' THEN role || part
        ELSE replace(before, 'ALTER DEFAULT PRIVILEGES ', '') || target || ' TO ' || role END,
    parent,
    string_agg(before || verb || ' ' || privileges || ' ON ' || target || CASE verb WHEN 'GRANT' THEN ' TO ' ELSE ' FROM ' END
        || role || CASE WHEN grantable THEN ' WITH GRANT OPTION' ELSE '' END, E';\\n' ORDER BY verb, grantable)
FROM worded JOIN numbered USING (number)
GROUP BY kind, role, part, parent, before, target"""

# The defaults of the schema public are ignored.
_ANY_GRANT = f"""FROM (
    SELECT FROM pg_class WHERE oid >= {FIRST_OWN_OID} AND relacl IS NOT NULL
    UNION ALL SELECT FROM pg_attribute WHERE attrelid >= {FIRST_OWN_OID} AND attacl IS NOT NULL
    UNION ALL SELECT FROM pg_proc WHERE oid >= {FIRST_OWN_OID} AND proacl IS NOT NULL
    UNION ALL SELECT FROM pg_type WHERE oid >= {FIRST_OWN_OID} AND typacl IS NOT NULL
    UNION ALL SELECT FROM pg_language WHERE lanacl IS NOT NULL
    UNION ALL SELECT FROM pg_foreign_data_wrapper WHERE fdwacl IS NOT NULL
    UNION ALL SELECT FROM pg_foreign_server WHERE srvacl IS NOT NULL
    UNION ALL SELECT FROM pg_default_acl
    UNION ALL SELECT FROM pg_namespace
        WHERE (oid >= {FIRST_OWN_OID} OR nspname = 'public') AND {_SCHEMA_LIST} <> {_UNTOUCHED_SCHEMA}
) AS granted"""

CLASSES = (
    ObjectClass("policies", _POLICIES, trace="FROM pg_policy", of_relation=True),
    ObjectClass("grants and default privileges", _GRANTS, trace=_ANY_GRANT),
)
