-- Migration: 20251110090300_validate_semantic_chunks_foreign_key.sql
-- Description: Takes back that the foreign key of the chunks was checked for rows that exist

-- There is no statement that marks a constraint as not validated; made again without a scan, it is.
ALTER TABLE kb_semantic_chunk_ids
    DROP CONSTRAINT kb_semantic_chunk_ids_namespace_relative_path_fkey,
    ADD CONSTRAINT kb_semantic_chunk_ids_namespace_relative_path_fkey
        FOREIGN KEY (namespace, relative_path)
        REFERENCES kb_semantic_index_metadata (namespace, relative_path) ON DELETE CASCADE NOT VALID;
