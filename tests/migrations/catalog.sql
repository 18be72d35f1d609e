-- A schema, one row for each part: the object it is part of, its kind, its name, its text. What belongs to an extension is part
-- of the extension. NOT NULL is read from the column: only from version 18 on is it a constraint as well.
WITH relation AS (
    SELECT oid, relname, relkind
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
)
SELECT relname::text AS owner, 'relation' AS kind, relname::text AS name, relkind::text AS text
FROM relation
WHERE relkind NOT IN ('i', 'S')
UNION ALL
SELECT
    relname,
    'column',
    attname,
    concat_ws(
        ' ',
        row_number() OVER (PARTITION BY attrelid ORDER BY attnum),
        format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'NOT NULL' END,
        'DEFAULT ' || pg_get_expr(adbin, adrelid)
    )
FROM pg_attribute
JOIN relation ON relation.oid = attrelid AND relkind = 'r'
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname, 'constraint', conname, pg_get_constraintdef(pg_constraint.oid)
FROM pg_constraint
JOIN relation ON relation.oid = conrelid
WHERE contype NOT IN ('n', 't')
UNION ALL
SELECT
    relname,
    CASE WHEN EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u')) THEN 'key' ELSE 'index' END,
    indexrelid::regclass::text,
    split_part(pg_get_indexdef(indexrelid), ' USING ', 2) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END
FROM pg_index
JOIN relation ON relation.oid = indrelid
UNION ALL
SELECT relname, 'trigger', tgname, pg_get_triggerdef(pg_trigger.oid)
FROM pg_trigger
JOIN relation ON relation.oid = tgrelid
WHERE NOT tgisinternal
UNION ALL
SELECT coalesce(refobjid::regclass::text, ''), 'sequence', relname, 'column ' || refobjsubid
FROM relation
LEFT JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'a'
WHERE relkind = 'S'
UNION ALL
SELECT '', 'function', proname, pg_get_functiondef(pg_proc.oid)
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
UNION ALL
SELECT '', 'extension', extname, '' FROM pg_extension WHERE extname <> 'plpgsql'
