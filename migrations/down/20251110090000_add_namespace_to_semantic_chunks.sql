-- Migration: 20251110090000_add_namespace_to_semantic_chunks.sql
-- Description: Drops the namespace of each chunk

-- Nothing is lost: while relative_path is the key, a chunk's namespace is that of its file's row.
LOCK TABLE kb_semantic_index_metadata, kb_semantic_chunk_ids IN ACCESS EXCLUSIVE MODE;

ALTER TABLE kb_semantic_index_metadata DROP CONSTRAINT kb_semantic_index_metadata_namespace_check;
ALTER TABLE kb_semantic_chunk_ids
    DROP CONSTRAINT kb_semantic_chunk_ids_namespace_check,
    DROP COLUMN namespace;
