-- Migration: 20251110090100_fill_semantic_namespaces.sql
-- Description: Gives rows of the semantic index that exist their namespace, and indexes it

-- Second of four. Writers of the semantic index wait until the end, readers do not.
LOCK TABLE kb_semantic_index_metadata, kb_semantic_chunk_ids IN SHARE ROW EXCLUSIVE MODE;

-- What lies in the folder of one user, team or workspace belongs to it: the namespace of users/7/notes.md is users/7. Everything
-- else is shared: root. A namespace that a row already has stays. relative_path stays as it is in each case.
UPDATE kb_semantic_index_metadata
SET namespace = coalesce(substring(relative_path FROM '^(?:users|teams|workspaces)/[^/]+(?=/)'), 'root')
WHERE namespace IS NULL;

UPDATE kb_semantic_chunk_ids AS chunk
SET namespace = file.namespace
FROM kb_semantic_index_metadata AS file
WHERE chunk.relative_path = file.relative_path AND chunk.namespace IS DISTINCT FROM file.namespace;

ALTER TABLE kb_semantic_index_metadata VALIDATE CONSTRAINT kb_semantic_index_metadata_namespace_check;
ALTER TABLE kb_semantic_chunk_ids VALIDATE CONSTRAINT kb_semantic_chunk_ids_namespace_check;

CREATE INDEX idx_kb_semantic_index_metadata_namespace ON kb_semantic_index_metadata (namespace);
CREATE INDEX idx_kb_semantic_index_metadata_namespace_mtime ON kb_semantic_index_metadata (namespace, mtime);
CREATE INDEX idx_kb_semantic_chunk_ids_namespace ON kb_semantic_chunk_ids (namespace);
CREATE INDEX idx_kb_semantic_chunk_ids_namespace_relative_path ON kb_semantic_chunk_ids (namespace, relative_path);
