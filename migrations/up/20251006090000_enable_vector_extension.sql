-- Migration: 20251006090000_enable_vector_extension.sql
-- Description: Enables pgvector, the type and the indexes of embeddings

-- pgvector is not a trusted extension: where the migrating role is no superuser, an administrator has created it before, and
-- this file finds it there. The comment remembers that this file made it, so that the down file drops no one else's.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
        CREATE EXTENSION vector;
        COMMENT ON EXTENSION vector IS 'pgvector, created by migration 20251006090000_enable_vector_extension';
    END IF;
END;
$$;
