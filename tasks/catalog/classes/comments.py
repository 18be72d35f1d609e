"""Comments, on objects of any class."""

from __future__ import annotations

from tasks.catalog.classes.object_class import FIRST_OWN_OID, LEDGER_TABLES, ObjectClass

_LEDGER = ", ".join(f"'{name}'" for name in LEDGER_TABLES)

_IS_OWN = f"""(objoid >= {FIRST_OWN_OID} OR objoid = to_regnamespace('public') AND classoid = 'pg_namespace'::regclass
            AND description <> 'standard public schema')"""

_COMMENTS = f"""
WITH described AS MATERIALIZED (
    SELECT classoid, objoid, objsubid, description,
        CASE WHEN classoid = 'pg_type'::regclass AND (SELECT typtype FROM pg_type WHERE oid = objoid) = 'd' THEN 'domain'
            ELSE identity.type END AS type,
        CASE classoid
            WHEN 'pg_class'::regclass THEN coalesce(
                (SELECT indrelid FROM pg_index WHERE indexrelid = objoid),
                (SELECT refobjid FROM pg_depend WHERE classid = classoid AND objid = objoid AND refclassid = classoid
                    AND refobjsubid > 0 AND deptype IN ('a', 'i') LIMIT 1),
                objoid)
            WHEN 'pg_constraint'::regclass THEN (SELECT nullif(conrelid, 0) FROM pg_constraint WHERE oid = objoid)
            WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger WHERE oid = objoid)
            WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = objoid)
            WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = objoid)
            WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxrelid FROM pg_statistic_ext WHERE oid = objoid)
        END AS relation,
        CASE classoid WHEN 'pg_proc'::regclass THEN objoid::regprocedure::text WHEN 'pg_type'::regclass THEN objoid::regtype::text
            ELSE identity.identity END AS name,
        CASE classoid
            WHEN 'pg_class'::regclass THEN (
                SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = objoid AND attnum = objsubid)
            WHEN 'pg_constraint'::regclass THEN (SELECT quote_ident(conname) FROM pg_constraint WHERE oid = objoid)
            WHEN 'pg_trigger'::regclass THEN (SELECT quote_ident(tgname) FROM pg_trigger WHERE oid = objoid)
            WHEN 'pg_policy'::regclass THEN (SELECT quote_ident(polname) FROM pg_policy WHERE oid = objoid)
            WHEN 'pg_rewrite'::regclass THEN (SELECT quote_ident(rulename) FROM pg_rewrite WHERE oid = objoid)
        END AS part,
        CASE classoid WHEN 'pg_constraint'::regclass THEN (SELECT contypid FROM pg_constraint WHERE oid = objoid) ELSE 0 END
            AS domain
    FROM pg_description, pg_identify_object(classoid, objoid, objsubid) AS identity
    WHERE {_IS_OWN}
      AND classoid NOT IN ('pg_extension'::regclass, 'pg_largeobject'::regclass)
      AND NOT EXISTS (SELECT FROM pg_depend AS member
        WHERE (member.classid, member.objid) = (classoid, objoid) AND member.deptype = 'e')
      AND coalesce(identity.schema, '') !~ '^"?pg_'
)
SELECT 'comment',
    CASE WHEN part IS NULL THEN CASE type WHEN 'statistics object' THEN 'statistics' ELSE type END || ' ' || name
         ELSE split_part(type, ' ', -1) || ' ' || part END,
    CASE WHEN part IS NOT NULL THEN CASE domain WHEN 0 THEN relation::regclass::text ELSE domain::regtype::text END
         WHEN type IN ('index', 'statistics object') THEN relation::regclass::text ELSE '' END,
    'COMMENT ON ' || CASE
        WHEN domain <> 0 THEN 'CONSTRAINT ' || part || ' ON DOMAIN ' || domain::regtype
        WHEN objsubid > 0 THEN 'COLUMN ' || relation::regclass || '.' || part
        WHEN part IS NOT NULL THEN upper(split_part(type, ' ', -1)) || ' ' || part || ' ON ' || relation::regclass
        WHEN type = 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER ' || name
        WHEN type = 'statistics object' THEN 'STATISTICS ' || name
        WHEN type = 'composite type' THEN 'TYPE ' || name
        ELSE upper(type) || ' ' || name END
    || ' IS ' || quote_literal(description)
FROM described
LEFT JOIN pg_class ON pg_class.oid = relation
WHERE (relation IS NULL OR relpersistence <> 't'
    AND NOT (relkind IN ('r', 'p') AND relname IN ({_LEDGER}))
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation AND deptype = 'e'))"""

CLASSES = (ObjectClass("comments", _COMMENTS, trace=f"FROM pg_description WHERE {_IS_OWN}"),)
