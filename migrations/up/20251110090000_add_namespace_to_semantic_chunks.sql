-- Migration: 20251110090000_add_namespace_to_semantic_chunks.sql
-- Description: Gives each chunk a namespace, and asks each new row of the semantic index for one

-- First of four files that make (namespace, relative_path) the key, so that the same path can be indexed once for each user.
-- Four, because a lock is kept until its transaction ends: here the strong lock is held for an instant, no row is read.
-- A constant default is stored once for all rows that exist, so that the next file writes only those that differ; each write
-- of a chunk would enter its embedding into the HNSW index again. New rows must say their namespace: the default goes at once.
LOCK TABLE kb_semantic_index_metadata, kb_semantic_chunk_ids IN ACCESS EXCLUSIVE MODE;

ALTER TABLE kb_semantic_chunk_ids ADD COLUMN namespace TEXT DEFAULT 'root';
ALTER TABLE kb_semantic_chunk_ids ALTER COLUMN namespace DROP DEFAULT;

-- Not validated yet: rows that exist are not read.
ALTER TABLE kb_semantic_index_metadata
    ADD CONSTRAINT kb_semantic_index_metadata_namespace_check CHECK (namespace IS NOT NULL) NOT VALID;
ALTER TABLE kb_semantic_chunk_ids
    ADD CONSTRAINT kb_semantic_chunk_ids_namespace_check CHECK (namespace IS NOT NULL) NOT VALID;
