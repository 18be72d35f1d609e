-- Migration: 20251110090300_validate_semantic_chunks_foreign_key.sql
-- Description: Checks that each chunk that exists belongs to a row of the semantic metadata

-- Last of four. The scan lets readers and writers go on (SHARE UPDATE EXCLUSIVE).
ALTER TABLE kb_semantic_chunk_ids VALIDATE CONSTRAINT kb_semantic_chunk_ids_namespace_relative_path_fkey;
