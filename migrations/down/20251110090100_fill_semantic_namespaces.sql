-- Migration: 20251110090100_fill_semantic_namespaces.sql
-- Description: Drops the indexes of the namespace and takes back that it was checked

-- The namespaces themselves stay: which of them this migration filled in is not known, and the column may hold them.
LOCK TABLE kb_semantic_index_metadata, kb_semantic_chunk_ids IN ACCESS EXCLUSIVE MODE;

DROP INDEX idx_kb_semantic_chunk_ids_namespace_relative_path;
DROP INDEX idx_kb_semantic_chunk_ids_namespace;
DROP INDEX idx_kb_semantic_index_metadata_namespace_mtime;
DROP INDEX idx_kb_semantic_index_metadata_namespace;

ALTER TABLE kb_semantic_chunk_ids
    DROP CONSTRAINT kb_semantic_chunk_ids_namespace_check,
    ADD CONSTRAINT kb_semantic_chunk_ids_namespace_check CHECK (namespace IS NOT NULL) NOT VALID;
ALTER TABLE kb_semantic_index_metadata
    DROP CONSTRAINT kb_semantic_index_metadata_namespace_check,
    ADD CONSTRAINT kb_semantic_index_metadata_namespace_check CHECK (namespace IS NOT NULL) NOT VALID;
