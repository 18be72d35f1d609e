-- Migration: 20251006090000_enable_vector_extension.sql
-- Description: Drops pgvector, if its up file created it and nothing uses it

-- An extension belongs to the whole database. One that was there before stays: the up file would not be allowed to create it
-- again without a superuser. One that a column outside these migrations uses stays too: dropping it would drop that column.
DO $$
DECLARE
    mark CONSTANT text := 'pgvector, created by migration 20251006090000_enable_vector_extension';
BEGIN
    IF EXISTS (
        SELECT FROM pg_extension
        WHERE extname = 'vector' AND obj_description(oid, 'pg_extension') = mark
    ) THEN
        DROP EXTENSION vector RESTRICT;
    ELSE
        RAISE NOTICE 'extension "vector" stays: it was there before this migration';
    END IF;
EXCEPTION
    WHEN dependent_objects_still_exist THEN
        RAISE NOTICE 'extension "vector" stays: other objects use it';
END;
$$;
