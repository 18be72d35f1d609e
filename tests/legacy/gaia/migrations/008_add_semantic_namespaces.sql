-- Migration: 008_add_semantic_namespaces.sql
-- Description: The same path can be indexed once for each user, team or workspace
-- Date: 2025-11-10

BEGIN;

ALTER TABLE kb_semantic_index_metadata ADD COLUMN IF NOT EXISTS namespace TEXT;
ALTER TABLE kb_semantic_chunk_ids ADD COLUMN IF NOT EXISTS namespace TEXT;

UPDATE kb_semantic_index_metadata
SET namespace = coalesce(substring(relative_path FROM '^(?:users|teams|workspaces)/[^/]+(?=/)'), 'root')
WHERE namespace IS NULL;

UPDATE kb_semantic_chunk_ids AS chunk
SET namespace = file.namespace
FROM kb_semantic_index_metadata AS file
WHERE chunk.relative_path = file.relative_path AND chunk.namespace IS NULL;

ALTER TABLE kb_semantic_index_metadata ALTER COLUMN namespace SET NOT NULL;
ALTER TABLE kb_semantic_chunk_ids ALTER COLUMN namespace SET NOT NULL;

ALTER TABLE kb_semantic_chunk_ids DROP CONSTRAINT IF EXISTS kb_semantic_chunk_ids_relative_path_fkey;
ALTER TABLE kb_semantic_chunk_ids DROP CONSTRAINT IF EXISTS kb_semantic_chunk_ids_namespace_relative_path_fkey;
ALTER TABLE kb_semantic_index_metadata DROP CONSTRAINT IF EXISTS kb_semantic_index_metadata_pkey;
ALTER TABLE kb_semantic_index_metadata ADD PRIMARY KEY (namespace, relative_path);
ALTER TABLE kb_semantic_chunk_ids
    ADD FOREIGN KEY (namespace, relative_path)
    REFERENCES kb_semantic_index_metadata (namespace, relative_path) ON DELETE CASCADE;

CREATE INDEX IF NOT EXISTS idx_kb_semantic_index_metadata_namespace ON kb_semantic_index_metadata (namespace);
CREATE INDEX IF NOT EXISTS idx_kb_semantic_index_metadata_namespace_mtime ON kb_semantic_index_metadata (namespace, mtime);
CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_namespace ON kb_semantic_chunk_ids (namespace);
CREATE INDEX IF NOT EXISTS idx_kb_semantic_chunk_ids_namespace_relative_path
    ON kb_semantic_chunk_ids (namespace, relative_path);

COMMIT;

SELECT namespace, count(*) FROM kb_semantic_index_metadata GROUP BY namespace;
