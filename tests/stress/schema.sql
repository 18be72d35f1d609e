-- What the schemas public and app hold, but for the ledger's tables: one row for each part, with all that can differ.
WITH relation AS (
    SELECT c.oid, c.relkind, format('%I.%I', nspname, relname) AS name
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE nspname IN ('public', 'app') AND NOT starts_with(relname, 'schema_migrations')
)
SELECT 'relation' AS kind, name AS owner, relkind::text AS text FROM relation
UNION ALL
SELECT 'column', name, concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
FROM pg_attribute
JOIN relation ON relation.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint', name, conname || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint AS c JOIN relation ON relation.oid = conrelid
UNION ALL
SELECT 'index', name, pg_get_indexdef(indexrelid) FROM pg_index JOIN relation ON relation.oid = indrelid
UNION ALL
SELECT 'enum', enumtypid::regtype::text, enumlabel FROM pg_enum
UNION ALL
SELECT 'schema', '', nspname FROM pg_namespace WHERE nspname !~ '^pg_'
UNION ALL
SELECT 'function', '', pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
